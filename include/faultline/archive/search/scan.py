"""A search over tables: files that statistics cannot rule out, small columns first, the rest only where those match."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.search.files import ArchiveFile, OpenFile, RowGroup, SearchedTable
from faultline.archive.search.match import keep, own_fields
from faultline.archive.search.ordered import Piece, in_order, opened
from faultline.archive.search.prune import Statistics, may_match, uncertain
from faultline.archive.search.query import TEXT_COLUMNS, And, Query, columns, within
from faultline.errors import FaultlineError
from faultline.model import Interval
from faultline.records.schema import EVENT_SCHEMA
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig

ORDER_COLUMNS = ("timestamp", "kafka_topic_id", "kafka_partition", "kafka_offset")
ALL_COLUMNS = tuple(EVENT_SCHEMA.names)

Positions = npt.NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_POSITION = "position of the row"


class SearchStopped(FaultlineError):
    """Whoever started the search wants no more of it."""


@dataclass(slots=True)
class Progress:
    """How far a search is; whoever started it may look, or stop it, at any time."""

    files: int = 0  # of the snapshot
    left: int = 0  # to be opened still
    opened: int = 0
    rows: int = 0  # looked at
    size: int = 0  # compressed bytes of the parts looked at
    found: int = 0
    at: datetime | None = None  # event time reached
    hours: int = 0  # with a file that may have a match
    hours_read: int = 0  # of them, from end to end
    stopped: bool = False

    def stop(self) -> None:
        """Have the search raise SearchStopped before it reads on."""
        self.stopped = True


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for, when, and which columns to give back (those of the order besides, and ``topic``)."""

    query: Query
    interval: Interval | None = None
    columns: tuple[str, ...] = ALL_COLUMNS
    newest_first: bool = True
    limit: int | None = None

    @property
    def whole(self) -> Query:
        """The query with the interval in it."""
        return self.query if self.interval is None else And((within(self.interval), self.query))


def search(tables: Sequence[SearchedTable], wanted: Search, progress: Progress | None = None) -> Iterator[pa.Table]:
    """Matching rows of all tables in order of event time, a table at a time, as soon as they are certain.

    Columns: ``topic``, then those wanted. Holds in memory what matches within one hour; with a limit, so many rows.
    """
    scan = _Scan(wanted, progress or Progress())
    pieces = [piece for table in tables for piece in scan.pieces(table)]
    for rows in in_order(pieces, newest_first=wanted.newest_first, limit=wanted.limit):
        scan.progress.found += len(rows)
        yield rows


def matching(tables: Sequence[SearchedTable], wanted: Search, progress: Progress | None = None) -> Iterator[pa.Table]:
    """As ``search``, in no order and without a limit: for counting."""
    scan = _Scan(replace(wanted, limit=None), progress or Progress())
    for found, _ in opened([piece for table in tables for piece in scan.pieces(table)]):
        for rows in found:
            scan.progress.found += len(rows)
            yield rows


class _Scan:
    """Pieces of a search are opened by several threads."""

    def __init__(self, wanted: Search, progress: Progress) -> None:
        self.progress = progress
        self._lock = threading.Lock()
        self._wanted = wanted
        self._query = wanted.whole
        self._output = list(dict.fromkeys((*ORDER_COLUMNS, *wanted.columns)))
        self._unread: Counter[datetime] = Counter()  # pieces of each hour

    def pieces(self, table: SearchedTable) -> Iterator[Piece]:
        """The files that may have a match."""
        files = table.files()
        self.progress.files += len(files)
        for file in files:
            if may_match(self._query, file.statistics):
                self.progress.left += 1
                self._unread[file.hour.start] += 1
                self.progress.hours = len(self._unread)
                yield Piece(self._edge(file.statistics, file.hour), partial(self._open, table, file))

    def _edge(self, statistics: Statistics, hour: Interval) -> int:
        edge: datetime = (
            statistics.highest.get("timestamp", hour.end)
            if self._wanted.newest_first
            else statistics.lowest.get("timestamp", hour.start)
        )
        return (edge - _EPOCH) // _MICROSECOND

    def _open(self, table: SearchedTable, file: ArchiveFile) -> list[Piece]:
        self._go_on()
        opened_file = table.open(file)
        groups = [group for group in opened_file.groups if may_match(self._query, group.statistics)]
        with self._lock:
            self.progress.opened += 1
            self.progress.left -= 1
            self.progress.at = file.hour.start
            self._count_read(file.hour, more=len(groups))
        return [
            Piece(
                self._edge(group.statistics, file.hour),
                partial(self._read, table.topic, file.hour, opened_file, group),
            )
            for group in groups
        ]

    def _read(self, topic: TopicConfig, hour: Interval, file: OpenFile, group: RowGroup) -> list[pa.Table]:
        """The matching rows of a part of a file, of more than the limit those that come first."""
        self._go_on()
        rows = self._firsts(file, group, self._matching(topic, file, group))
        rows = _with(file, group, rows, self._output)
        with self._lock:
            self.progress.rows += group.statistics.rows
            self.progress.size += group.size
            self._count_read(hour)
        if not len(rows):
            return []
        return [rows.select(self._output).add_column(0, "topic", pa.repeat(pa.scalar(topic.name), len(rows)))]

    def _go_on(self) -> None:
        if self.progress.stopped:
            raise SearchStopped("the search was stopped")

    def _count_read(self, hour: Interval, more: int = 0) -> None:
        """A piece of the hour has been read, and gave ``more``."""
        self._unread[hour.start] += more - 1
        self.progress.hours_read += not self._unread[hour.start]

    def _firsts(self, file: OpenFile, group: RowGroup, rows: pa.Table) -> pa.Table:
        limit = self._wanted.limit
        if limit is None or len(rows) <= limit:
            return rows
        rows = _with(file, group, rows, ORDER_COLUMNS)
        order = "descending" if self._wanted.newest_first else "ascending"
        first = pc.select_k_unstable(rows, limit, [(name, order) for name in ORDER_COLUMNS])
        return rows.take(pc.array_take(first, pc.sort_indices(first)))

    def _matching(self, topic: TopicConfig, file: OpenFile, group: RowGroup) -> pa.Table:
        """Positions of the matching rows, and the columns that had to be read to know."""
        rows = pa.table({_POSITION: pa.array(np.arange(group.statistics.rows))})
        for part in _stages(uncertain(self._query, group.statistics)):
            rows = keep(part, _with(file, group, rows, _columns(part)), topic)
            if not len(rows):
                break
        return rows


def _with(file: OpenFile, group: RowGroup, rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """The rows with these columns, too."""
    missing = [name for name in names if name not in rows.column_names] if len(rows) else []
    for name, column in _take(file, group, missing, rows[_POSITION].to_numpy()).items():
        rows = rows.append_column(name, column)
    return rows


def _take(file: OpenFile, group: RowGroup, names: Sequence[str], positions: Positions) -> dict[str, pa.ChunkedArray]:
    """The columns at these positions of a part, which are ascending."""
    if not names:
        return {}
    taken, start = list[pa.Table](), 0
    for rows in file.read(group, names):
        first, last = np.searchsorted(positions, (start, start + len(rows)))
        whole = last - first == len(rows)
        taken.append(rows if whole else rows.take(pa.array(positions[first:last] - start)))
        start += len(rows)
    found = pa.concat_tables(taken)
    return {name: found[name] for name in names}


def _stages(parts: Iterable[Query]) -> list[Query]:
    """First what small columns answer, then the rest."""
    small: list[Query] = []
    rest: list[Query] = []
    for part in parts:
        (rest if columns(part) & set(TEXT_COLUMNS) else small).append(part)
    return [And(tuple(stage)) for stage in (small, rest) if stage]


def _columns(query: Query) -> list[str]:
    """What has to be read to answer; for a record's own fields all that it was decoded from."""
    return sorted({*columns(query), *(RAW_SCHEMA.names if own_fields(query) else ())})
