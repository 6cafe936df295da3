"""A search over tables: files that statistics cannot rule out, small columns first, the rest only where those match."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from faultline.archive.search.files import ArchiveFile, OpenFile, RowGroup, SearchedTable
from faultline.archive.search.match import keep, own_fields
from faultline.archive.search.ordered import Piece, in_order, opened
from faultline.archive.search.prune import Statistics, may_match, uncertain
from faultline.archive.search.query import TEXT_COLUMNS, And, Query, columns, within
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


@dataclass(slots=True)
class Progress:
    """How far a search is; whoever started it may look at any time."""

    files: int = 0  # of the snapshot
    left: int = 0  # to be opened still
    opened: int = 0
    rows: int = 0  # looked at
    size: int = 0  # compressed bytes of the parts looked at
    found: int = 0
    at: datetime | None = None  # event time reached


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
    scan = _Scan(wanted, progress or Progress())
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

    def pieces(self, table: SearchedTable) -> Iterator[Piece]:
        """The files that may have a match."""
        files = table.files()
        self.progress.files += len(files)
        for file in files:
            if may_match(self._query, file.statistics):
                self.progress.left += 1
                yield Piece(self._edge(file.statistics, file.hour), partial(self._open, table, file))

    def _edge(self, statistics: Statistics, hour: Interval) -> int:
        edge: datetime = (
            statistics.highest.get("timestamp", hour.end)
            if self._wanted.newest_first
            else statistics.lowest.get("timestamp", hour.start)
        )
        return (edge - _EPOCH) // _MICROSECOND

    def _open(self, table: SearchedTable, file: ArchiveFile) -> Iterator[Piece]:
        opened_file = table.open(file)
        with self._lock:
            self.progress.opened += 1
            self.progress.left -= 1
            self.progress.at = file.hour.start
        for group in opened_file.groups:
            if may_match(self._query, group.statistics):
                edge = self._edge(group.statistics, file.hour)
                yield Piece(edge, partial(self._read, table.topic, opened_file, group))

    def _read(self, topic: TopicConfig, file: OpenFile, group: RowGroup) -> Iterator[pa.Table]:
        """The matching rows of a part of a file."""
        with self._lock:
            self.progress.rows += group.statistics.rows
            self.progress.size += group.size
        rows = self._matching(topic, file, group)
        if len(rows):
            missing = [name for name in self._output if name not in rows.column_names]
            for name, column in _take(file, group, missing, rows[_POSITION].to_numpy()).items():
                rows = rows.append_column(name, column)
            yield rows.select(self._output).add_column(0, "topic", pa.repeat(pa.scalar(topic.name), len(rows)))

    def _matching(self, topic: TopicConfig, file: OpenFile, group: RowGroup) -> pa.Table:
        """Positions of the matching rows, and the columns that had to be read to know."""
        rows = pa.table({_POSITION: pa.array(np.arange(group.statistics.rows))})
        for part in _stages(uncertain(self._query, group.statistics)):
            names = [name for name in _columns(part) if name not in rows.column_names]
            for name, column in _take(file, group, names, rows[_POSITION].to_numpy()).items():
                rows = rows.append_column(name, column)
            rows = keep(part, rows, topic)
            if not len(rows):
                break
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
