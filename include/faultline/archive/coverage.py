"""Which offsets of a table have a row: one byte per offset, so every row is looked at once and none is sorted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.ranges import Offsets, to_ranges
from faultline.model import OffsetRange, TopicPartition


@dataclass(slots=True)
class RowCoverage:
    """The rows of one partition of one generation, against the range ``expected`` to have them."""

    expected: OffsetRange
    rows: int = 0
    _seen: npt.NDArray[np.bool_] = field(init=False)
    _twice: list[Offsets] = field(default_factory=list)
    _stray: list[Offsets] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen = np.zeros(len(self.expected), np.bool_)

    def add(self, offsets: Offsets) -> None:
        """Note rows, in any order and any portions."""
        self.rows += len(offsets)
        distinct, counts = np.unique(offsets, return_counts=True)
        inside = (distinct >= self.expected.start) & (distinct < self.expected.end)
        self._stray.append(distinct[~inside])
        distinct, counts = distinct[inside], counts[inside]
        places = distinct - self.expected.start
        self._twice.append(distinct[(counts > 1) | self._seen[places]])
        self._seen[places] = True

    def missing(self, explained: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
        """Offsets expected, neither there nor explained."""
        absent = ~self._seen
        for gap in explained:
            absent[max(gap.start - self.expected.start, 0) : max(gap.end - self.expected.start, 0)] = False
        return to_ranges(self.expected.partition, np.flatnonzero(absent) + self.expected.start)

    @property
    def duplicates(self) -> tuple[OffsetRange, ...]:
        """Offsets that have more than one row."""
        return self._ranges(self._twice)

    @property
    def strays(self) -> tuple[OffsetRange, ...]:
        """Offsets that have a row where none is expected."""
        return self._ranges(self._stray)

    def _ranges(self, portions: list[Offsets]) -> tuple[OffsetRange, ...]:
        if not portions:
            return ()
        return to_ranges(self.expected.partition, np.unique(np.concatenate(portions)))


def cover(
    topic: str, batches: Iterable[pa.RecordBatch], expected: Mapping[TopicPartition, OffsetRange]
) -> dict[TopicPartition, RowCoverage]:
    """Coverage per partition from batches of (kafka_topic_id, kafka_partition, kafka_offset)."""
    found = {part: RowCoverage(span) for part, span in expected.items()}
    for batch in batches:
        for part, offsets in _by_partition(topic, batch):
            if part not in found:
                found[part] = RowCoverage(OffsetRange(part, 0, 0))
            found[part].add(offsets)
    return found


def _by_partition(topic: str, batch: pa.RecordBatch) -> Iterable[tuple[TopicPartition, Offsets]]:
    columns = pa.table(batch)
    ids, numbers, offsets = (columns[name] for name in ("kafka_topic_id", "kafka_partition", "kafka_offset"))
    for topic_id in pc.unique(ids).to_pylist():
        of_topic = pc.equal(ids, topic_id)
        for number in pc.unique(numbers.filter(of_topic)).to_pylist():
            chosen = pc.and_(of_topic, pc.equal(numbers, number))
            yield TopicPartition(topic, topic_id, number), offsets.filter(chosen).to_numpy()
