"""Sort rows by (service, timestamp) in bounded memory: sorted runs on a temporary file, then one merge of all runs.

The usual external merge sort (Knuth, The Art of Computer Programming 3, 5.4), a portion of rows at a time instead of a
row. A null service sorts as an empty one. Temporary files have no name, so a killed process leaves none.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_PORTION = 4096  # rows; the merge holds one portion of every run
_Key = tuple[str, int]


def sort_rows(rows: pa.Table) -> pa.Table:
    """The rows by (service, timestamp), equal ones by partition and offset."""
    _, ranks = _ranks(rows)
    offsets, partitions = rows["kafka_offset"].to_numpy(), rows["kafka_partition"].to_numpy()
    order = np.lexsort((offsets, partitions, _times(rows), ranks))
    return rows.take(pa.array(order))


def sorted_rows(portions: Iterable[pa.Table], *, memory: int) -> Iterator[pa.Table]:
    """All rows of the portions in order, in portions of any size; takes about ``memory`` bytes, or one input portion.

    Raises OSError when the folder for temporary files is full.
    """
    with tempfile.TemporaryFile(prefix="faultline-sort-") as spilled:
        runs: list[list[tuple[int, int]]] = []
        last: pa.Table | None = None
        for run in map(sort_rows, _runs(portions, memory // 4)):
            if last is not None:
                runs.append(_spill(last, spilled))
            last = run
        if last is None:
            return
        if not runs:
            yield last
            return
        runs.append(_spill(last, spilled))
        last = None
        yield from _merged([_read(spilled, run) for run in runs])


def _runs(portions: Iterable[pa.Table], limit: int) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    size = 0
    for portion in portions:
        if held and size + portion.nbytes > limit:
            yield pa.concat_tables(held).combine_chunks()
            held, size = [], 0
        held.append(portion)
        size += portion.nbytes
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _spill(run: pa.Table, file: Any) -> list[tuple[int, int]]:
    """Write a run behind what the file has; where each portion lies: (position, bytes)."""
    places = []
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    for batch in run.to_batches(max_chunksize=_PORTION):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, run.schema, options=options) as writer:
            writer.write_batch(batch)
        places.append((file.tell(), file.write(sink.getvalue())))
    return places


def _read(file: Any, places: list[tuple[int, int]]) -> Iterator[pa.Table]:
    for position, size in places:
        file.seek(position)
        yield pa.ipc.open_stream(file.read(size)).read_all()


@dataclass(slots=True)
class _Head:
    """What of a run has been read and not yet given out."""

    run: Iterator[pa.Table]
    rows: pa.Table | None = None
    last: _Key = ("", 0)
    _services: list[str] = field(default_factory=list)
    _ranks: Any = None
    _times: Any = None

    def fill(self) -> bool:
        """Read the next portion; False at the run's end."""
        self.rows = next(self.run, None)
        if self.rows is None:
            return False
        self._services, self._ranks = _ranks(self.rows)
        self._times = _times(self.rows)
        self.last = (self._services[self._ranks[-1]], int(self._times[-1]))
        return True

    def take(self, bound: _Key) -> pa.Table:
        """The rows up to and with ``bound``; ``rows`` keeps the others, or is None when there are none."""
        assert self.rows is not None
        service, time = bound
        start = np.searchsorted(self._ranks, bisect_left(self._services, service))
        end = np.searchsorted(self._ranks, bisect_right(self._services, service))
        cut = int(start + np.searchsorted(self._times[start:end], time, side="right"))
        taken, rest = self.rows.slice(0, cut), self.rows.slice(cut)
        self.rows = rest if len(rest) else None
        self._ranks, self._times = self._ranks[cut:], self._times[cut:]
        return taken


def _merged(runs: list[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    heads = [head for head in map(_Head, runs) if head.fill()]
    while heads:
        # Behind the smallest of the last keys no run has unread rows that belong before it.
        bound = min(head.last for head in heads)
        taken = [rows for head in heads if len(rows := head.take(bound))]
        yield sort_rows(pa.concat_tables(taken).combine_chunks()) if len(taken) > 1 else taken[0]
        heads = [head for head in heads if head.rows is not None or head.fill()]


def _ranks(rows: pa.Table) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The distinct services in order, and each row's place among them."""
    encoded = pc.fill_null(rows["service"], "").combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    services = sorted(names)
    place = {name: number for number, name in enumerate(services)}
    return services, np.array([place[name] for name in names], np.int64)[encoded.indices.to_numpy()]


def _times(rows: pa.Table) -> npt.NDArray[np.int64]:
    times: npt.NDArray[np.int64] = rows["timestamp"].cast(pa.int64()).to_numpy()
    return times
