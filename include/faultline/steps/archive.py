"""The archive lane's tasks: plan a run, append one group of partitions, verify."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from faultline.adapters.delta import TopicTable
from faultline.archive.append import Limits, append_ranges
from faultline.archive.plan import ArchivePlan, plan_archive, ranges_from_dicts, ranges_to_dicts
from faultline.archive.verify import VerifyReport, verify_topic
from faultline.errors import PermanentError
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.topics import archived_topics

log = logging.getLogger(__name__)

CONSUMER_GROUP = "faultline-archive"


def plan_topic(settings: Settings, source: RecordSource, topic: str, table: TopicTable, until: datetime) -> ArchivePlan:
    """What to append to one topic's table: from its stored positions up to the broker's offsets at ``until``."""
    partitions = source.partitions(topic)
    return plan_archive(
        topic,
        table.positions(partitions),
        source.watermarks(partitions),
        source.offsets_at(partitions, until),
        group_size=settings.archive_group_partitions,
    )


def plan_archive_run(
    settings: Settings, source: RecordSource, *, until: datetime, topics: Sequence[str] = (), dry_run: bool = False
) -> list[dict[str, Any]]:
    """The groups of a run, each the argument of one mapped append, as plain values; none in a dry run.

    Creates the tables that are missing, so that no two appends race to create one.
    """
    groups = []
    for topic in archived_topics(settings, topics):
        table = TopicTable.open_or_create(settings.archive_url, topic.name)
        plan = plan_topic(settings, source, topic.name, table, until)
        for number, ranges in enumerate(plan.groups):
            log.info("%s group %d: %s", topic.name, number, ", ".join(map(str, ranges)))
            groups.append({"name": f"{topic.name} {number}", "topic": topic.name, "ranges": ranges_to_dicts(ranges)})
        log.info("%s: %d records to archive, %d partitions up to date", topic.name, plan.rows, len(plan.idle))
    return [] if dry_run else groups


def append_group(
    settings: Settings,
    source: RecordSource,
    group: Mapping[str, Any],
    *,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Append one group's ranges to its table; returns the report as plain values."""
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
    log.info("%s: %d rows in %d commits", group["name"], report.rows, report.batches)
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
