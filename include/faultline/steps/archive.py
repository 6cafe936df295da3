"""The archive lane's tasks: append one group of partitions, verify. What to append is planned in ``archive_plan``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from faultline.adapters.delta import TopicTable
from faultline.archive.append import AppendReport, Limits, append_ranges
from faultline.archive.appended import added_to
from faultline.archive.findings import VerifyReport
from faultline.archive.losses import DELETED, record_losses
from faultline.archive.plan import ranges_from_dicts, ranges_to_dicts
from faultline.archive.table import Loss
from faultline.archive.verify import verify_topic
from faultline.errors import LostRange, PermanentError
from faultline.model import OffsetRange, utc_now
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.meta import tell_of_losses
from faultline.steps.patience import patiently
from faultline.steps.proofs import note_proof
from faultline.steps.report import some, write_report
from faultline.steps.topics import archived_topics
from faultline.topicfile import TopicConfig

log = logging.getLogger(__name__)

CONSUMER_GROUP = "faultline-archive"


def append_group(
    settings: Settings,
    source: RecordSource,
    group: Mapping[str, Any],
    *,
    checkpoint: Callable[[str], None] = lambda step: None,
    clock: Callable[[], datetime] = utc_now,
) -> dict[str, Any]:
    """Append one group's ranges to its table; returns the report as plain values.

    ``archived`` in it is what the table has got of the ranges since they were planned, whichever attempt has written
    it. What passes is waited out for ``archive_patience``. PermanentError for the group of a topic that could not be
    planned, LostRange when Kafka has deleted a range and the topic's policy is to fail.
    """
    if fault := group.get("fault"):
        raise PermanentError(fault)
    (topic,) = archived_topics(settings, [group["topic"]])
    ranges = ranges_from_dicts(group["ranges"])
    losses: list[Loss] = []

    def append() -> AppendReport:
        table = TopicTable.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        while True:
            try:
                return _append(settings, table, source, topic, ranges, checkpoint)
            except LostRange as error:
                if topic.lost_records == "fail":
                    raise
                # Retention may overtake a run at any time. What it took once is behind the position from here on.
                found = record_losses(table, error.ranges, reason=DELETED, at=clock(), checkpoint=checkpoint)
                losses.extend(found)
                tell_of_losses(settings, found)

    def archived() -> dict[str, Any]:
        table = TopicTable.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        return added_to(ranges, table.commits_since(group["version"])).to_dict()

    report = patiently(append, settings.archive_patience)
    log.info(
        "%s: %d rows in %d commits, %d offsets without a record",
        group["name"],
        report.rows,
        report.batches,
        report.explained,
    )
    return report.to_dict() | {
        "archived": patiently(archived, settings.archive_patience),
        "lost": ranges_to_dicts(loss.range for loss in losses),
    }


def report_appends(groups: Iterable[Mapping[str, Any]]) -> None:
    """What the appends of a run came to, topic by topic, into the log."""
    done: dict[str, list[Mapping[str, Any]]] = {}
    for group in groups:
        done.setdefault(group["topic"], []).append(group)
    write_report(
        log,
        f"{sum(group['rows'] for each in done.values() for group in each):,} records archived",
        ("Topic", "Records", "Bytes", "Commits", "No parser", "Lost offsets", "Hours"),
        [
            (
                topic,
                *(sum(group[name] for group in each) for name in ("rows", "raw_bytes", "batches", "parse_errors")),
                sum(map(len, ranges_from_dicts([span for group in each for span in group["lost"]]))),
                some(sorted({hour for group in each for hour in group["rows_per_hour"]})),
            )
            for topic, each in sorted(done.items())
        ],
    )


def _append(
    settings: Settings,
    table: TopicTable,
    source: RecordSource,
    topic: TopicConfig,
    ranges: Sequence[OffsetRange],
    checkpoint: Callable[[str], None],
) -> AppendReport:
    return append_ranges(
        table,
        source,
        topic,
        ranges,
        Limits(settings.archive_batch_rows, settings.archive_batch_bytes, settings.archive_batch_time),
        event_time_span=settings.event_time_span,
        group=CONSUMER_GROUP,
        checkpoint=checkpoint,
    )


def verify_topics(
    settings: Settings,
    source: RecordSource | None,
    topics: Sequence[str] = (),
    *,
    since: datetime | None = None,
    deep: bool = False,
    progress: Callable[[str, str, int, int], None] = lambda topic, stage, done, total: None,
    clock: Callable[[], datetime] = utc_now,
) -> list[VerifyReport]:
    """Prove the tables of the topics against themselves and, with a source, against what Kafka holds.

    ``since`` and ``deep`` as ``verify_topic`` has them; ``progress`` hears of topic, stage, and how much of it is done.
    How each came out is noted beside the tables.
    """
    reports = []
    for topic in archived_topics(settings, topics):
        table = TopicTable.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        report = verify_topic(table, source, since=since, deep=deep, progress=partial(progress, topic.name))
        note_proof(settings, report, at=clock(), deep=deep, kafka=source is not None, since=since)
        reports.append(report)
    return reports


def require_proof(reports: Sequence[VerifyReport]) -> Sequence[VerifyReport]:
    """The reports as they are, told in the log; PermanentError with every finding when a table is not proven."""
    write_report(
        log,
        f"{sum(report.ok for report in reports)} of {len(reports)} tables proven",
        ("Topic", "Rows", "Commits", "Files", "Read", "Lost ranges", "Lag", "Faults"),
        [
            (
                report.topic,
                report.rows,
                report.commits,
                report.files,
                report.files_read,
                len(report.losses),
                sum(each.lag or 0 for each in report.partitions),
                len(report.faults),
            )
            for report in reports
        ],
    )
    findings = [f"{report.topic}: {finding.message}" for report in reports for finding in report.faults]
    if findings:
        raise PermanentError("the archive is not proven:\n" + "\n".join(findings))
    return reports
