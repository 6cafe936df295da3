"""A search over tables: files that statistics cannot rule out, small columns first, the rest only where those match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from faultline.archive.search.files import ArchiveFile, OpenFile, RowGroup, SearchedTable
from faultline.archive.search.match import keep, own_fields
from faultline.archive.search.ordered import Piece, in_order
from faultline.archive.search.prune import Statistics, may_match
from faultline.archive.search.query import TEXT_COLUMNS, And, Query, columns, conjuncts, within
from faultline.model import Interval
from faultline.records.schema import EVENT_SCHEMA
from faultline.records.source import RAW_SCHEMA

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
    scan.progress.left = len(pieces)
    for rows in in_order(pieces, newest_first=wanted.newest_first, limit=wanted.limit):
        scan.progress.found += len(rows)
        yield rows


def matching(tables: Sequence[SearchedTable], wanted: Search, progress: Progress | None = None) -> Iterator[pa.Table]:
    """As ``search``, in no order and without a limit: for counting."""
    scan = _Scan(wanted, progress or Progress())
    pending = [piece for table in tables for piece in scan.pieces(table)]
    scan.progress.left = len(pending)
    while pending:
        for part in pending.pop().open():
            if isinstance(part, Piece):
                pending.append(part)
            else:
                scan.progress.found += len(part)
                yield part


class _Scan:
    def __init__(self, wanted: Search, progress: Progress) -> None:
        self.progress = progress
        self._wanted = wanted
        self._query = wanted.whole
        self._first, self._rest = _stages(self._query)
        self._output = list(dict.fromkeys((*ORDER_COLUMNS, *wanted.columns)))
        raw = RAW_SCHEMA.names if own_fields(self._rest) else []
        self._needed = list(dict.fromkeys((*self._output, *sorted(columns(self._rest)), *raw)))

    def pieces(self, table: SearchedTable) -> Iterator[Piece]:
        """The files that may have a match."""
        files = table.files()
        self.progress.files += len(files)
        for file in files:
            if may_match(self._query, file.statistics):
                yield Piece(self._edge(file.statistics, file.hour), partial(self._open, table, file))

    def _edge(self, statistics: Statistics, hour: Interval) -> int:
        edge: datetime = (
            statistics.highest.get("timestamp", hour.end)
            if self._wanted.newest_first
            else statistics.lowest.get("timestamp", hour.start)
        )
        return (edge - _EPOCH) // _MICROSECOND

    def _open(self, table: SearchedTable, file: ArchiveFile) -> Iterator[Piece]:
        opened = table.open(file)
        self.progress.opened += 1
        self.progress.left -= 1
        self.progress.at = file.hour.start
        for group in opened.groups:
            if may_match(self._query, group.statistics):
                edge = self._edge(group.statistics, file.hour)
                yield Piece(edge, partial(self._read, table, opened, group))

    def _read(self, table: SearchedTable, file: OpenFile, group: RowGroup) -> Iterator[pa.Table]:
        """The matching rows of a part of a file."""
        self.progress.rows += group.statistics.rows
        self.progress.size += group.size
        hits = self._hits(table, file, group)
        if hits is not None and not len(hits):
            return
        start = 0
        for rows in file.read(group, self._needed):
            end = start + len(rows)
            chosen = rows if hits is None else rows.take(_within(hits, start, end))
            start = end
            if len(found := keep(self._rest, chosen, table.topic)):
                topic = pa.repeat(pa.scalar(table.topic.name), len(found))
                yield found.select(self._output).add_column(0, "topic", topic)

    def _hits(self, table: SearchedTable, file: OpenFile, group: RowGroup) -> Positions | None:
        """Positions of the rows that the small columns do not rule out; None for all of them."""
        small = sorted(columns(self._first))
        if not small:
            return None
        rows = pa.concat_tables(file.read(group, small))
        rows = rows.append_column(_POSITION, pa.array(np.arange(len(rows))))
        hits: Positions = keep(self._first, rows, table.topic)[_POSITION].to_numpy()
        return hits


def _within(hits: Positions, start: int, end: int) -> pa.Array:
    return pa.array(hits[np.searchsorted(hits, start) : np.searchsorted(hits, end)] - start)


def _stages(query: Query) -> tuple[Query, Query]:
    """The query as two that must both be true: what small columns answer, and the rest."""
    small: list[Query] = []
    rest: list[Query] = []
    for part in conjuncts(query):
        (rest if columns(part) & set(TEXT_COLUMNS) else small).append(part)
    return And(tuple(small)), And(tuple(rest))
