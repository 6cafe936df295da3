"""The archive lane's tasks: plan a run, append one group of partitions, verify."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from faultline.adapters.delta import TopicTable
from faultline.archive.append import Limits, append_ranges
from faultline.archive.complete import complete_until
from faultline.archive.plan import ArchivePlan, plan_archive, ranges_from_dicts, ranges_to_dicts
from faultline.archive.verify import VerifyReport, verify_topic
from faultline.errors import PermanentError
from faultline.model import OffsetRange, TopicPartition, utc_now
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.topics import archived_topics

log = logging.getLogger(__name__)

CONSUMER_GROUP = "faultline-archive"


# Clocks differ by less; a record dated later than this is dated wrongly.
_CLOCK_SKEW = timedelta(minutes=5)
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def plan_topic(settings: Settings, source: RecordSource, topic: str, *, until: datetime, now: datetime) -> ArchivePlan:
    """What to append to one topic's table: from its stored positions up to the broker's offsets at ``until``.

    Creates a table that is missing, so that no two appends race to create it.
    """
    partitions = source.partitions(topic)
    table = TopicTable.open_or_create(settings.archive_url, topic)
    positions, marks = table.positions(partitions), source.watermarks(partitions)
    ends = offsets_until(source, marks, until=until, now=now)
    return plan_archive(topic, positions, marks, ends, group_size=settings.archive_group_partitions)


def offsets_until(
    source: RecordSource, marks: Mapping[TopicPartition, OffsetRange], *, until: datetime, now: datetime
) -> dict[TopicPartition, int]:
    """The broker's offsets at ``until``; its end for a partition that has a record from the future.

    Kafka answers with the first record of at least that time. One that a wrong clock has dated into the future would
    stand in the way of all behind it for as long.
    """
    ends = dict(source.offsets_at(list(marks), until))
    future = source.offsets_at(list(marks), now + _CLOCK_SKEW)
    for part, mark in marks.items():
        if future[part] < mark.end:
            log.warning("%s: offset %d is dated later than now: archiving all there is", part, future[part])
            ends[part] = mark.end
    return ends


def archived_until(
    settings: Settings, source: RecordSource, topic: str, *, times: Sequence[datetime], now: datetime
) -> datetime | None:
    """The latest of ``times``, and of ``now``, up to which all that Kafka received of the topic is archived.

    None when not even the earliest is. An hour of event time is complete when the hour's end, and as long after it as
    records may be under way, has been reached.
    """
    table = TopicTable.open(settings.archive_url, topic)
    partitions = source.partitions(topic)
    # In this order: what is archived or produced between two questions only makes the answer earlier than need be.
    marks, positions = source.watermarks(partitions), table.positions(partitions)
    last = source.ends_at(partitions, _END_OF_TIME)
    future = source.ends_at(partitions, now + _CLOCK_SKEW)
    misdated = {part: end for part, end in last.items() if future[part] < end}
    for time in sorted({now, *times}, reverse=True):
        ends = {**source.ends_at(partitions, time), **misdated}
        if (found := complete_until(positions, marks, {time: ends})) is not None:
            return found
    return None


def plan_archive_run(
    settings: Settings,
    source: RecordSource,
    *,
    until: datetime,
    topics: Sequence[str] = (),
    dry_run: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> list[dict[str, Any]]:
    """The groups of a run, each the argument of one mapped append, as plain values; in a dry run only those that fail.

    A topic that cannot be planned, because it does not exist or Kafka has lost records of it, holds up no other one: it
    becomes a group, the last, whose append fails with the reason.
    """
    groups, faults = [], []
    for topic in archived_topics(settings, topics):
        try:
            plan = plan_topic(settings, source, topic.name, until=until, now=clock())
        except PermanentError as error:
            log.error("%s: %s", topic.name, error)
            faults.append({"name": f"{topic.name} cannot be planned", "topic": topic.name, "fault": str(error)})
            continue
        for number, ranges in enumerate(plan.groups):
            log.info("%s group %d: %s", topic.name, number, ", ".join(map(str, ranges)))
            groups.append({"name": f"{topic.name} {number}", "topic": topic.name, "ranges": ranges_to_dicts(ranges)})
        log.info("%s: %d records to archive, %d partitions up to date", topic.name, plan.rows, len(plan.idle))
    return faults if dry_run else groups + faults


def append_group(
    settings: Settings,
    source: RecordSource,
    group: Mapping[str, Any],
    *,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Append one group's ranges to its table; returns the report as plain values.

    PermanentError for the group of a topic that could not be planned.
    """
    if fault := group.get("fault"):
        raise PermanentError(fault)
    (topic,) = archived_topics(settings, [group["topic"]])
    report = append_ranges(
        TopicTable.open(settings.archive_url, topic.name),
        source,
        topic,
        ranges_from_dicts(group["ranges"]),
        Limits(settings.archive_batch_rows, settings.archive_batch_bytes),
        event_time_span=settings.event_time_span,
        group=CONSUMER_GROUP,
        checkpoint=checkpoint,
    )
    log.info(
        "%s: %d rows in %d commits, %d offsets without a record",
        group["name"],
        report.rows,
        report.batches,
        report.explained,
    )
    return report.to_dict()


def verify_topics(settings: Settings, source: RecordSource | None, topics: Sequence[str] = ()) -> list[VerifyReport]:
    """Prove the tables of the topics against themselves and, with a source, against what Kafka holds."""
    return [
        verify_topic(TopicTable.open(settings.archive_url, topic.name), source)
        for topic in archived_topics(settings, topics)
    ]


def require_proof(reports: Sequence[VerifyReport]) -> Sequence[VerifyReport]:
    """The reports as they are; PermanentError with every finding when a table is not proven."""
    findings = [f"{report.topic}: {finding.message}" for report in reports for finding in report.faults]
    if findings:
        raise PermanentError("the archive is not proven:\n" + "\n".join(findings))
    return reports
