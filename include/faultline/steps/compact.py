"""Compaction: what there is to do for the tables, and the merges. Marks and cleaning are beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from faultline.adapters.delta import TableMissing
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.compact import DataFile, Merge, closed_before, plan_expiry, plan_merges, small_files
from faultline.archive.hours import Hour
from faultline.archive.rewrite import Merged, merge_files
from faultline.settings import Settings
from faultline.steps.forms import form_time
from faultline.steps.patience import patiently
from faultline.steps.report import some, write_report
from faultline.steps.topics import archived_topics
from faultline.topicfile import TopicConfig

log = logging.getLogger(__name__)

Checkpoint = Callable[[str], None]


def _silent(step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class CompactionPlan:
    """What there is to do for one topic; ``small`` counts the files of less than half the target size."""

    topic: str
    merges: tuple[Merge, ...]
    expired: tuple[Hour, ...]
    files: int
    small: int

    @property
    def hours(self) -> tuple[Hour, ...]:
        """With something to merge."""
        return tuple(sorted({merge.hour for merge in self.merges}))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "topic": self.topic,
            "hours": [str(hour) for hour in self.hours],
            "files": sum(len(merge.files) for merge in self.merges),
            "outputs": sum(merge.outputs for merge in self.merges),
            "rows": sum(merge.rows for merge in self.merges),
            "bytes": sum(merge.size for merge in self.merges),
            "expired": [str(hour) for hour in self.expired],
            "small_files": self.small,
        }


def compaction_window(
    settings: Settings,
    *,
    since: str | None,
    until: str | None,
    interval: tuple[datetime | None, datetime | None],
    run_type: str,
) -> dict[str, datetime | None]:
    """The hours that a run of compact_archive takes: ``since`` and ``until``, as its form says, or by its interval.

    A backfill run takes the hours that were closed in its interval, a scheduled one all that were by its end.
    """
    begin, end = interval
    window = {"since": form_time(since), "until": form_time(until)}
    if run_type == "backfill" and begin is not None:
        window["since"] = window["since"] or _first_hour_closed_after(begin, settings.archive_lateness)
    if run_type != "manual" and end is not None:
        window["until"] = window["until"] or closed_before(end, settings.archive_lateness)
    return window


def _first_hour_closed_after(time: datetime, lateness: timedelta) -> datetime:
    """The start of the first hour that ends, and is closed, later than ``time``."""
    return closed_before(time, lateness).replace(minute=0, second=0, microsecond=0)


def plan_compaction(
    settings: Settings,
    *,
    now: datetime,
    topics: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    target_mib: int | None = None,
) -> list[CompactionPlan]:
    """What there is to do at ``now`` for each topic that has a table; merges of hours in ``[since, until)`` only."""
    plans = []
    for topic in archived_topics(settings, topics):
        try:
            table = TopicUpkeep.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        except TableMissing:
            log.info("%s: nothing is archived yet", topic.name)
            continue
        plan = plan_topic(settings, table.data_files(), topic, now=now, since=since, until=until, target_mib=target_mib)
        plans.append(plan)
    write_report(
        log,
        f"{sum(len(merge.files) for plan in plans for merge in plan.merges):,} files to merge",
        ("Topic", "Files", "Small", "To merge", "Become", "Hours", "To expire"),
        [
            (
                plan.topic,
                plan.files,
                plan.small,
                sum(len(merge.files) for merge in plan.merges),
                sum(merge.outputs for merge in plan.merges),
                some(plan.hours),
                some(plan.expired),
            )
            for plan in plans
        ],
    )
    return plans


def merge_topic(
    settings: Settings,
    topic: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    target_mib: int | None = None,
    checkpoint: Checkpoint = _silent,
    progress: Callable[[int], None] = lambda size: None,
) -> dict[str, Any]:
    """Merge the small files of hours that are over; what was done, as plain values. ``progress`` is told each's bytes.

    What passes is waited out for ``archive_patience``. RowsDiffer, with the hour, when a merge would change a row.
    """
    (config,) = archived_topics(settings, [topic])
    table = TopicUpkeep.open(settings.archive_url, topic, timeout=settings.archive_timeout)
    plan = plan_topic(settings, table.data_files(), config, now=now, since=since, until=until, target_mib=target_mib)
    done: list[Merged] = []
    for merge in plan.merges:
        work = partial(merge_files, table, merge, memory=settings.compact_memory_bytes, checkpoint=checkpoint)
        if (merged := patiently(work, settings.archive_patience)) is not None:
            done.append(merged)
        progress(merge.size)
    write_report(
        log,
        f"{topic}: {sum(len(merged.merge.files) for merged in done):,} files merged",
        ("Hour", "Files", "Became", "Rows", "Bytes before", "Bytes after"),
        [
            (
                merged.merge.hour,
                len(merged.merge.files),
                merged.outputs,
                merged.merge.rows,
                merged.merge.size,
                merged.size,
            )
            for merged in done
        ],
    )
    return {
        "topic": topic,
        "hours": sorted({str(merged.merge.hour) for merged in done}),
        "files": sum(len(merged.merge.files) for merged in done),
        "outputs": sum(merged.outputs for merged in done),
        "rows": sum(merged.merge.rows for merged in done),
        "bytes_before": sum(merged.merge.size for merged in done),
        "bytes_after": sum(merged.size for merged in done),
    }


def plan_topic(
    settings: Settings,
    files: Sequence[DataFile],
    topic: TopicConfig,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    target_mib: int | None = None,
) -> CompactionPlan:
    """What there is to do for a topic whose table has these files."""
    target = (target_mib or settings.compact_target_mib) * 2**20
    expired = plan_expiry(files, retention=topic.retention, now=now)
    closed = closed_before(now, settings.archive_lateness)
    gone = set(expired)
    kept = [file for file in files if file.hour not in gone]
    merges = plan_merges(kept, target=target, since=since, until=min(until or closed, closed))
    return CompactionPlan(topic.name, merges, expired, len(files), small_files(files, target=target))
