"""The archive lane's first task: what there is to append, and up to when all of it is archived."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from faultline.adapters.delta import TopicTable
from faultline.archive.complete import complete_until
from faultline.archive.losses import STOPPED
from faultline.archive.plan import ArchivePlan, close_to_loss, plan_archive, ranges_to_dicts
from faultline.archive.table import Loss
from faultline.errors import LostRange, PermanentError
from faultline.model import OffsetRange, TopicPartition, utc_now
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.generations import note_new_generation
from faultline.steps.meta import say_close_to_loss, tell_of_losses
from faultline.steps.patience import patiently
from faultline.steps.report import write_report
from faultline.steps.topics import archived_topics
from faultline.topicfile import TopicConfig

log = logging.getLogger(__name__)

# Clocks differ by less; a record dated later than this is dated wrongly.
_CLOCK_SKEW = timedelta(minutes=5)
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def plan_topic(
    settings: Settings, source: RecordSource, topic: TopicConfig, *, until: datetime, now: datetime, dry_run: bool
) -> ArchivePlan:
    """What to append to one topic's table: from its stored positions up to the broker's offsets at ``until``.

    Creates a table that is missing, so that no two appends race to create it. Says aloud, except in a dry run, when the
    topic was created again, and when Kafka is about to delete what is not archived.
    """
    partitions = source.partitions(topic.name)
    table = TopicTable.open_or_create(settings.archive_url, topic.name, timeout=settings.archive_timeout)
    version, positions, marks = table.version, table.positions(partitions), source.watermarks(partitions)
    if not dry_run and table.version > 0 and all(at is None for at in positions.values()):
        note_new_generation(settings, table, partitions, at=now)
    for span in close_to_loss(positions, marks):
        say_close_to_loss(settings, span, span.start - marks[span.partition].start, at=now, tell=not dry_run)
    ends = offsets_until(source, marks, until=until, now=now)
    return plan_archive(
        topic.name,
        positions,
        marks,
        ends,
        group_size=settings.archive_group_partitions,
        record_losses=topic.lost_records == "record_gap",
        version=version,
    )


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
    table = TopicTable.open(settings.archive_url, topic, timeout=settings.archive_timeout)
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
    plans, groups, faults = [], [], []
    for topic in archived_topics(settings, topics):
        try:
            plan = patiently(
                partial(plan_topic, settings, source, topic, until=until, now=clock(), dry_run=dry_run),
                settings.archive_patience,
            )
        except PermanentError as error:
            log.error("%s: %s", topic.name, error)
            if isinstance(error, LostRange) and not dry_run:
                tell_of_losses(settings, [Loss(span, STOPPED, clock()) for span in error.ranges])
            faults.append({"name": f"{topic.name} cannot be planned", "topic": topic.name, "fault": str(error)})
            continue
        plans.append(plan)
        for number, ranges in plan.groups.items():
            spans = ranges_to_dicts(ranges)
            groups.append(
                {"name": f"{topic.name} {number}", "topic": topic.name, "ranges": spans, "version": plan.version}
            )
    _report(plans, until, dry_run)
    return faults if dry_run else groups + faults


def _report(plans: Sequence[ArchivePlan], until: datetime, dry_run: bool) -> None:
    verb = "would be archived" if dry_run else "to archive"
    write_report(
        log,
        f"{sum(plan.rows for plan in plans):,} offsets {verb}, up to {until:%Y-%m-%d %H:%M:%S} UTC",
        ("Topic", "Group", "Offsets", "Ranges"),
        [
            (plan.topic, number, sum(map(len, ranges)), ", ".join(map(_span, ranges)))
            for plan in plans
            for number, ranges in plan.groups.items()
        ]
        + [(plan.topic, "-", 0, f"{len(plan.idle)} partitions up to date") for plan in plans if plan.idle],
    )


def _span(span: OffsetRange) -> str:
    return f"{span.partition.partition}:[{span.start}, {span.end})"
