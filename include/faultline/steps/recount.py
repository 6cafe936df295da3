"""Recounting: the hours of an interval counted again from the archive, and compared with what was counted live.

Nothing is changed: the counts have been judged, and a count that was put right behind the rules' back would be one that
no alert was decided by. What to do about a difference is for people; ``would_fire`` says what the rules make of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faultline.adapters.database import Database, LiveCounts
from faultline.adapters.delta import TableMissing
from faultline.adapters.delta_search import SearchedTopic
from faultline.alerting.recount import Difference, differences
from faultline.alerting.windows import floor
from faultline.archive.compact import closed_before
from faultline.durations import format_duration
from faultline.errors import PermanentError, TransientError
from faultline.model import Interval, TopicPartition
from faultline.settings import Settings
from faultline.steps.archived_counts import count_hours, find_hours
from faultline.steps.forms import form_time, plain_utc
from faultline.steps.report import write_report
from faultline.steps.search import open_topics
from faultline.steps.topics import archived_topics

log = logging.getLogger(__name__)

LONGEST = timedelta(days=7)
# A log is read by people and what a task returns is kept in Airflow's database.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount has found. ``interval`` is the part of what was asked for whose counts are still kept.

    ``late`` are records that came too late to be counted live, ``uncounted`` archived ones not counted live yet.
    """

    interval: Interval
    archived: int = 0
    live: int = 0
    late: int = 0
    uncounted: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def missing(self) -> int:
        """Records that the live counts should have and do not."""
        return sum(each.missing for each in self.differences)

    @property
    def surplus(self) -> int:
        """Records that the live counts have and should not."""
        return sum(each.surplus for each in self.differences)

    def to_summary(self) -> dict[str, Any]:
        """For Airflow's XCom; of many differences the first."""
        return {
            "since": self.interval.start.isoformat(),
            "until": self.interval.end.isoformat(),
            "archived": self.archived,
            "live": self.live,
            "missing": self.missing,
            "surplus": self.surplus,
            "late": self.late,
            "uncounted": self.uncounted,
            "different": len(self.differences),
            "differences": [
                {
                    "topic": each.topic,
                    "service": each.service,
                    "bucket": each.bucket_start.isoformat(),
                    "live": each.live,
                    "archived": each.archived,
                }
                for each in self.differences[:_MOST]
            ],
        }


def recount_interval(
    settings: Settings,
    since: str | None,
    until: str | None,
    run: tuple[datetime | None, datetime | None],
    *,
    now: datetime,
) -> Interval | None:
    """The hours to recount: those that a form asks for, else those that were closed in the run's interval, if any.

    An hour is closed ``archive_lateness`` after its end, and none is taken before that. PermanentError when a form asks
    for none that is.
    """
    start, end = _asked(since, run[0], settings), _asked(until, run[1], settings)
    if start is None or end is None:
        raise PermanentError("this run has no interval of its own: give since and until")
    end = min(end, _hour(closed_before(now, settings.archive_lateness)))
    if start >= end and not (since or until):
        log.info("No hour was closed from %s to %s", run[0], run[1])
        return None
    if start >= end:
        late = format_duration(settings.archive_lateness)
        raise PermanentError(f"no hour from {start:%Y-%m-%dT%H:%M} on is closed; that takes {late} after its end")
    if end - start > LONGEST:
        raise PermanentError(f"more than {format_duration(LONGEST)} at once: take a shorter time")
    return Interval(start, end)


def recount(
    settings: Settings,
    interval: Interval,
    *,
    now: datetime,
    topics: Sequence[str] = (),
    checkpoint: Callable[[str], None] = lambda step: None,
) -> Recount:
    """Count again and compare, record by record of the buckets; reports in the log.

    TransientError while records that are counted live are not archived yet.
    """
    bucket = settings.count_bucket
    kept_from = floor(now - settings.count_retention, bucket) + bucket
    end = floor(interval.end, bucket)
    kept = Interval(min(max(floor(interval.start, bucket), kept_from), end), end)
    names = [each.name for each in archived_topics(settings, topics) if each.count]
    with Database(settings.database_url) as database:
        live = database.live_counts(names, kept.start, kept.end)
    tables = _tables(settings, names)
    _check_archived(tables, live.reached)
    checkpoint("live counts read")
    found = _compare(settings, tables, live, kept, checkpoint)
    _report(found, interval, settings)
    return found


def _compare(
    settings: Settings,
    tables: Sequence[SearchedTopic],
    live: LiveCounts,
    interval: Interval,
    checkpoint: Callable[[str], None],
) -> Recount:
    counted = _CountedLive(live.positions)
    archived = [
        count
        for stretch in count_hours(
            find_hours(tables, interval),
            settings.count_bucket,
            progress=lambda hour, rows: checkpoint("counted"),
            choose=counted,
        )
        for count in stretch.counts
    ]
    return Recount(
        interval,
        archived=sum(each.count for each in archived),
        live=sum(each.count for each in live.counts),
        late=sum(each.count for each in live.late),
        uncounted=counted.left_out,
        differences=tuple(differences(live.counts, archived)),
    )


class _CountedLive:
    """Chooses the archived rows that are counted live; ``left_out`` is how many are not. Called by several threads."""

    def __init__(self, positions: Mapping[TopicPartition, int]) -> None:
        self.left_out = 0
        self._positions = {(each.topic_id, each.partition): end for each, end in positions.items()}
        self._lock = threading.Lock()

    def __call__(self, rows: pa.Table) -> pa.Table:
        offsets, numbers = rows["kafka_offset"].to_numpy(), rows["kafka_partition"].to_numpy()
        counted = np.zeros(len(rows), dtype=bool)
        for topic_id in pc.unique(rows["kafka_topic_id"]).to_pylist():
            generation = pc.equal(rows["kafka_topic_id"], topic_id).to_numpy()
            for number in np.unique(numbers[generation]):
                end = self._positions.get((topic_id, int(number)), 0)
                counted |= generation & (numbers == number) & (offsets < end)
        with self._lock:
            self.left_out += len(rows) - int(counted.sum())
        return rows.filter(pa.array(counted))


def _tables(settings: Settings, names: Sequence[str]) -> list[SearchedTopic]:
    """Those of the topics that have one; newer than the live counts, so that it has what these have."""
    try:
        return [each for each in open_topics(settings) if each.topic.name in names]
    except TableMissing:
        return []


def _check_archived(tables: Sequence[SearchedTopic], reached: Mapping[TopicPartition, int]) -> None:
    by_name = {each.topic.name: each.table for each in tables}
    for partition, end in sorted(reached.items()):
        table = by_name.get(partition.topic)
        archived = (table.positions([partition])[partition] if table else None) or 0
        if archived < end:
            raise TransientError(
                f"{partition} is counted up to offset {end} and archived up to {archived}: archive_logs comes first"
            )


def _report(found: Recount, asked: Interval, settings: Settings) -> None:
    if found.interval.start > asked.start:
        kept = format_duration(settings.count_retention)
        log.warning("Not compared before %s: counts are kept for %s", _time(found.interval.start), kept)
    span = f"{_time(found.interval.start)} to {_time(found.interval.end)} UTC"
    if found.uncounted:
        log.warning("%s archived records of %s are not counted live yet", f"{found.uncounted:,}", span)
    if not found.differences:
        log.info("%s: %s records, counted live exactly as archived", span, f"{found.archived:,}")
        return
    rows = [
        (each.topic, each.service, _time(each.bucket_start), each.live, each.archived, each.missing, each.surplus)
        for each in found.differences[:_MOST]
    ]
    sentence = (
        f"{span}: {found.archived:,} records archived, {found.live:,} counted live; {found.missing:,} missing there, "
        f"{found.surplus:,} too many, in {len(found.differences):,} buckets of services"
    )
    columns = ("Topic", "Service", "Bucket (UTC)", "Live", "Archive", "Missing", "Too many")
    write_report(log, sentence, columns, rows)
    if len(found.differences) > _MOST:
        log.info("… %s more", f"{len(found.differences) - _MOST:,}")
    if found.late:
        log.info("Of the missing ones %s at most came too late to be counted live", f"{found.late:,}")


def _asked(text: str | None, run: datetime | None, settings: Settings) -> datetime | None:
    """The start of the hour that a text names, or up to which hours were closed at a time of the run."""
    asked = form_time(text or None) or (closed_before(run, settings.archive_lateness) if run else None)
    return _hour(asked) if asked else None


def _hour(time: datetime) -> datetime:
    return plain_utc(time).replace(minute=0, second=0, microsecond=0)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
