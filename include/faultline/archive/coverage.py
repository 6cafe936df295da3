"""Which offsets of a table have a row: a bit for each that has to be looked for, so no row is sorted or kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.ranges import Offsets, contains, subtract, to_ranges, union
from faultline.model import OffsetRange, TopicPartition

_BLOCK = 1 << 16
_FOLD = 1 << 20

Bits = npt.NDArray[np.uint8]


@dataclass(slots=True)
class OffsetSet:
    """Offsets, a bit each, in blocks of 65,536; a block that is full costs nothing."""

    partition: TopicPartition
    _blocks: dict[int, Bits] = field(default_factory=dict)
    _full: set[int] = field(default_factory=set)

    def add(self, offsets: Offsets) -> Offsets:
        """Add distinct, ascending offsets; those that were there before."""
        if not len(offsets):
            return offsets
        before = []
        for portion in np.split(offsets, np.flatnonzero(np.diff(offsets // _BLOCK)) + 1):
            number, places = int(portion[0]) // _BLOCK, portion % _BLOCK
            bits = self._unpacked(number)
            before.append(portion[bits[places] == 1])
            bits[places] = 1
            self._pack(number, bits)
        return np.concatenate(before)

    def absent(self, span: OffsetRange) -> tuple[OffsetRange, ...]:
        """What of the range is not in the set."""
        gaps: list[OffsetRange] = []
        for number in range(span.start // _BLOCK, -(-span.end // _BLOCK)):
            start, end = max(span.start, number * _BLOCK), min(span.end, (number + 1) * _BLOCK)
            if number in self._blocks:
                bits = self._unpacked(number)[start - number * _BLOCK : end - number * _BLOCK]
                gaps += to_ranges(span.partition, np.flatnonzero(bits == 0) + start)
            elif number not in self._full:
                gaps.append(OffsetRange(span.partition, start, end))
        return union(gaps)

    def _unpacked(self, number: int) -> Bits:
        if number in self._full:
            return np.ones(_BLOCK, np.uint8)
        packed = self._blocks.get(number)
        return np.zeros(_BLOCK, np.uint8) if packed is None else np.unpackbits(packed)

    def _pack(self, number: int, bits: Bits) -> None:
        if bits.all():
            self._full.add(number)
            self._blocks.pop(number, None)
        else:
            self._blocks[number] = np.packbits(bits)


@dataclass(slots=True)
class RowCoverage:
    """The rows of one partition of one generation.

    ``expected`` are to be found among the rows that are read, ``vouched`` have theirs in files that need not be read,
    ``unasked`` may have one or not. Each as ``union`` gives them.
    """

    partition: TopicPartition
    expected: tuple[OffsetRange, ...] = ()
    vouched: tuple[OffsetRange, ...] = ()
    unasked: tuple[OffsetRange, ...] = ()
    _read: int = 0
    _seen: OffsetSet = field(init=False)
    _waiting: list[Offsets] = field(default_factory=list)
    _unfolded: int = 0
    _twice: list[OffsetRange] = field(default_factory=list)
    _stray: list[OffsetRange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen = OffsetSet(self.partition)

    def add(self, offsets: Offsets) -> None:
        """Note rows, in any order and any portions."""
        self._waiting.append(offsets)
        self._unfolded += len(offsets)
        if self._unfolded >= _FOLD:
            self._fold()

    @property
    def rows(self) -> int:
        """Rows, those that were read and are asked for, and those that are vouched for."""
        self._fold()
        return self._read + sum(map(len, self.vouched))

    @property
    def missing(self) -> tuple[OffsetRange, ...]:
        """Offsets expected and not there."""
        self._fold()
        return union(gap for span in self.expected for gap in self._seen.absent(span))

    @property
    def duplicates(self) -> tuple[OffsetRange, ...]:
        """Offsets that have more than one row."""
        self._fold()
        return union(self._twice)

    @property
    def strays(self) -> tuple[OffsetRange, ...]:
        """Offsets that have a row where there should be none."""
        self._fold()
        return union(self._stray)

    def _fold(self) -> None:
        if not self._waiting:
            return
        offsets, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
        self._waiting, self._unfolded = [], 0
        expected, vouched = contains(self.expected, offsets), contains(self.vouched, offsets)
        stray = ~(expected | vouched | contains(self.unasked, offsets))
        self._read += int(counts[expected | stray].sum())
        again = self._seen.add(offsets[expected])
        self._note(self._twice, again)
        self._note(self._twice, offsets[expected & (counts > 1)])
        self._note(self._twice, offsets[vouched])
        self._note(self._stray, offsets[stray])

    def _note(self, found: list[OffsetRange], offsets: Offsets) -> None:
        found += to_ranges(self.partition, offsets)


def expect(
    partition: TopicPartition,
    asked: Iterable[OffsetRange],
    without_row: Iterable[OffsetRange],
    vouched: Iterable[OffsetRange],
    archived: OffsetRange,
) -> RowCoverage:
    """What to look for of one partition: all that is asked, but for what has no row and what is vouched for."""
    gaps = union(without_row)
    asked, vouched = union(asked), subtract(vouched, gaps)
    expected = subtract(subtract(asked, gaps), vouched)
    return RowCoverage(partition, expected, vouched, subtract([archived], [*asked, *gaps, *vouched]))


def split(topic: str, rows: pa.Table) -> Iterator[tuple[TopicPartition, pa.Table]]:
    """The rows of each partition."""
    ids, numbers = rows["kafka_topic_id"], rows["kafka_partition"]
    for topic_id in pc.unique(ids).to_pylist():
        of_topic = pc.equal(ids, topic_id)
        for number in pc.unique(numbers.filter(of_topic)).to_pylist():
            chosen = pc.and_(of_topic, pc.equal(numbers, number))
            yield TopicPartition(topic, topic_id, number), rows.filter(chosen)
