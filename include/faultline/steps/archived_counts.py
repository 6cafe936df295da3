"""The archive counted once more, hour by hour, by the counter that live records go through.

A record is counted as it was decoded when it was archived. Its count labels are read from its bytes, so that those are
there that ``topics.yaml`` names only now. Holds a few batches of records and the counts of some files.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from faultline.adapters.delta_search import SearchedTopic
from faultline.alerting.backtest import Stretch
from faultline.alerting.counts import LABEL_COLUMNS, count_events
from faultline.archive.search.files import ArchiveFile
from faultline.archive.search.match import keep
from faultline.archive.search.prune import may_match
from faultline.archive.search.query import within
from faultline.model import ErrorCount, Interval
from faultline.records.decode import read_fields
from faultline.records.schema import LABEL_PREFIX
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig

# Files counted at once: the storage answers one while another is decoded.
_AHEAD = 2
_HOUR = timedelta(hours=1)
_COLUMNS = ("timestamp", *LABEL_COLUMNS, "fingerprint", "message", "parse_error", *RAW_SCHEMA.names)

# Told of each batch: the start of its hour, and how many rows were looked at.
Progress = Callable[[datetime, int], None]
Choice = Callable[[pa.Table], pa.Table]


def _every(rows: pa.Table) -> pa.Table:
    return rows


@dataclass(frozen=True, slots=True)
class Portion:
    """A file, and the topic it belongs to."""

    topic: SearchedTopic
    file: ArchiveFile


@dataclass(frozen=True)
class ArchivedHours:
    """The files that may have records of an interval, by the start of their hour, in its order."""

    interval: Interval
    portions: Mapping[datetime, Sequence[Portion]]

    @property
    def rows(self) -> int:
        """How many rows these files have."""
        return sum(each.file.statistics.rows for some in self.portions.values() for each in some)

    @property
    def covered(self) -> Interval | None:
        """From the first record to behind the last, within the interval; None without records."""
        ends = [_ends(each.file) for some in self.portions.values() for each in some]
        if not ends:
            return None
        first, last = min(first for first, _ in ends), max(last for _, last in ends)
        return Interval(max(first, self.interval.start), min(last, self.interval.end))

    def cut(self, interval: Interval) -> ArchivedHours:
        """Those of them that may have records of an interval inside this one."""
        chosen = within(interval)
        found = {
            hour: [each for each in some if may_match(chosen, each.file.statistics)]
            for hour, some in self.portions.items()
            if hour < interval.end and hour + _HOUR > interval.start
        }
        return ArchivedHours(interval, {hour: some for hour, some in found.items() if some})


def find_hours(topics: Sequence[SearchedTopic], interval: Interval) -> ArchivedHours:
    """What the topics' tables have of an interval."""
    portions: defaultdict[datetime, list[Portion]] = defaultdict(list)
    for topic in topics:
        for file in topic.files():
            portions[file.hour.start].append(Portion(topic, file))
    return ArchivedHours(interval, dict(sorted(portions.items()))).cut(interval)


def count_hours(
    archived: ArchivedHours,
    bucket: timedelta,
    *,
    progress: Progress = lambda hour, rows: None,
    choose: Choice = _every,
) -> Iterator[Stretch]:
    """Every hour of the interval, also one without records, with what is counted in it; ``choose`` leaves rows out."""
    waiting = deque(each for some in archived.portions.values() for each in some)
    running: deque[Future[list[ErrorCount]]] = deque()
    over = threading.Event()
    work = _Work(archived.interval, bucket, progress, choose, over)
    pool = ThreadPoolExecutor(_AHEAD, "count")
    try:
        for span in hours(archived.interval):
            counts: list[ErrorCount] = []
            for _ in archived.portions.get(_hour(span.start), ()):
                while waiting and len(running) < _AHEAD:
                    running.append(pool.submit(work.count, waiting.popleft()))
                counts += running.popleft().result()
            yield Stretch(span, counts)
    finally:
        over.set()
        pool.shutdown(cancel_futures=True)


def hours(interval: Interval) -> Iterator[Interval]:
    """The hours of an interval, in order; the first and the last may be cut."""
    start = interval.start
    while start < interval.end:
        end = min(_hour(start) + _HOUR, interval.end)
        yield Interval(start, end)
        start = end


@dataclass(frozen=True)
class _Work:
    interval: Interval
    bucket: timedelta
    progress: Progress
    choose: Choice
    over: threading.Event

    def count(self, portion: Portion) -> list[ErrorCount]:
        """The counts of one file, batch by batch."""
        topic, wanted = portion.topic.topic, within(self.interval)
        counts: list[ErrorCount] = []
        opened = portion.topic.open(portion.file)
        for group in opened.groups:
            if not may_match(wanted, group.statistics):
                self.progress(portion.file.hour.start, group.statistics.rows)
                continue
            for rows in opened.read(group, _COLUMNS):
                if self.over.is_set():
                    return counts
                counts += count_rows(self.choose(keep(wanted, rows, topic)), topic, self.bucket)
                self.progress(portion.file.hour.start, len(rows))
        return counts


def count_rows(rows: pa.Table, topic: TopicConfig, bucket: timedelta) -> list[ErrorCount]:
    """The counts of archived rows."""
    if topic.count_labels:
        for name, column in read_fields(rows, topic, topic.count_labels).items():
            rows = rows.append_column(LABEL_PREFIX + name, column)
    return count_events(rows, topic, bucket=bucket)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _ends(file: ArchiveFile) -> tuple[datetime, datetime]:
    known = file.statistics
    return known.lowest.get("timestamp", file.hour.start), known.highest.get("timestamp", file.hour.end)
