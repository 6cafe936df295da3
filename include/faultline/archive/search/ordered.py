"""Rows of many files in order of event time, given out as soon as nothing earlier in the order can come.

A piece (a file, or a part of one) knows its edge: the newest event time it may have, or the oldest when the oldest come
first. Pieces are opened in the order of their edges; rows that lie beyond every edge left are final.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Pieces opened at once: the storage answers one while another is decoded.
_AHEAD = 4
_KEYS = ("topic", "kafka_topic_id", "kafka_partition", "kafka_offset")


@dataclass(frozen=True, slots=True)
class Piece:
    """Opening it gives smaller pieces of it, or its rows; ``edge`` is in µs since the epoch."""

    edge: int
    open: Callable[[], Iterable[Piece | pa.Table]]


def in_order(pieces: Iterable[Piece], *, newest_first: bool = True, limit: int | None = None) -> Iterator[pa.Table]:
    """All rows, or the first ``limit``, in order; a table at a time.

    Ordered by ``timestamp``; among equals by topic, topic id, partition and offset. Opens few pieces it does not need.
    """
    waiting, left = _Waiting(newest_first), limit
    if left == 0:
        return
    for tables, edge in opened(pieces, newest_first=newest_first):
        for rows in tables:
            waiting.add(rows)
        if left is not None:
            waiting.cut(left)
        for rows in waiting.beyond(edge):
            final = rows if left is None else rows.slice(0, left)
            yield final
            left = None if left is None else left - len(final)
            if left == 0:
                return


def opened(pieces: Iterable[Piece], *, newest_first: bool = True) -> Iterator[tuple[list[pa.Table], int | None]]:
    """The rows of each piece, and the edge of all that is still to come, None in the end; some are opened ahead."""
    queue = _Queue(-1 if newest_first else 1)
    for piece in pieces:
        queue.push(piece)
    pool = ThreadPoolExecutor(_AHEAD, "search")
    running: deque[tuple[Piece, Future[list[Piece | pa.Table]]]] = deque()
    try:
        while queue.edge is not None or running:
            while queue.edge is not None and len(running) < _AHEAD:
                piece = queue.pop()
                running.append((piece, pool.submit(_contents, piece)))
            tables: list[pa.Table] = []
            for part in running.popleft()[1].result():
                queue.push(part) if isinstance(part, Piece) else tables.append(part)
            yield tables, queue.first_of(piece.edge for piece, _ in running)
    finally:
        pool.shutdown(cancel_futures=True)


def _contents(piece: Piece) -> list[Piece | pa.Table]:
    return list(piece.open())


@dataclass(slots=True)
class _Queue:
    sign: int
    _heap: list[tuple[int, int, Piece]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def push(self, piece: Piece) -> None:
        heapq.heappush(self._heap, (self.sign * piece.edge, next(self._count), piece))

    def pop(self) -> Piece:
        return heapq.heappop(self._heap)[2]

    @property
    def edge(self) -> int | None:
        """The next piece's, None when there is no more."""
        return self._heap[0][2].edge if self._heap else None

    def first_of(self, edges: Iterable[int]) -> int | None:
        """The first edge of the next piece's and these."""
        here = [] if self.edge is None else [self.edge]
        return min((*here, *edges), key=lambda edge: self.sign * edge, default=None)


@dataclass(slots=True)
class _Waiting:
    """Rows that are not final yet."""

    newest_first: bool
    _tables: list[pa.Table] = field(default_factory=list)
    _first: int | None = None  # the time of the row that comes first

    def add(self, rows: pa.Table) -> None:
        if len(rows):
            self._tables.append(rows)
            times = pc.min_max(rows["timestamp"].cast(pa.int64()))
            mine = times["max" if self.newest_first else "min"].as_py()
            pick = max if self.newest_first else min
            self._first = mine if self._first is None else pick(self._first, mine)

    def cut(self, limit: int) -> None:
        """Forget what cannot be among the first ``limit``; now and then is enough."""
        if sum(map(len, self._tables)) > 2 * limit + 1000:
            self._tables = [self._sorted(pa.concat_tables(self._tables)).slice(0, limit)]

    def beyond(self, edge: int | None) -> Iterator[pa.Table]:
        """The rows that come before every row of a piece with this edge, sorted, at most one table."""
        if self._first is None or (edge is not None and not self._precedes(self._first, edge)):
            return
        rows = self._sorted(pa.concat_tables(self._tables))
        final = len(rows) if edge is None else self._final(rows, edge)
        rest = rows.slice(final)
        self._tables, self._first = [], None
        self.add(rest)
        yield rows.slice(0, final)

    def _precedes(self, time: int, edge: int) -> bool:
        return time > edge if self.newest_first else time < edge

    def _final(self, rows: pa.Table, edge: int) -> int:
        times = rows["timestamp"].cast(pa.int64()).to_numpy()
        return int(np.searchsorted(-times, -edge) if self.newest_first else np.searchsorted(times, edge))

    def _sorted(self, rows: pa.Table) -> pa.Table:
        order = "descending" if self.newest_first else "ascending"
        return rows.take(pc.sort_indices(rows, [(name, order) for name in ("timestamp", *_KEYS)]))
