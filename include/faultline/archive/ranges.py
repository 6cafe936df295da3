"""Arithmetic on offset ranges: what tiles, what is missing, what is there twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultline.model import OffsetRange, TopicPartition

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How ranges of one partition lie beside each other, from the first start to the last end."""

    holes: tuple[OffsetRange, ...]
    duplicates: tuple[OffsetRange, ...]


def tile(ranges: Iterable[OffsetRange]) -> Tiling:
    """Holes between, and overlaps of, the ranges of one partition, in any order."""
    holes: list[OffsetRange] = []
    duplicates: list[OffsetRange] = []
    reached: int | None = None
    for span in sorted(span for span in ranges if len(span)):
        if reached is not None and span.start > reached:
            holes.append(OffsetRange(span.partition, reached, span.start))
        if reached is not None and span.start < reached:
            duplicates.append(OffsetRange(span.partition, span.start, min(span.end, reached)))
        reached = max(span.end, reached or 0)
    return Tiling(tuple(holes), tuple(duplicates))


def to_ranges(partition: TopicPartition, offsets: Offsets) -> tuple[OffsetRange, ...]:
    """Ascending, distinct offsets as ranges."""
    if not len(offsets):
        return ()
    breaks = np.flatnonzero(np.diff(offsets) != 1)
    starts = offsets[np.concatenate(([0], breaks + 1))]
    ends = offsets[np.concatenate((breaks, [len(offsets) - 1]))] + 1
    return tuple(OffsetRange(partition, start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True))


def missing(span: OffsetRange, offsets: Offsets) -> tuple[OffsetRange, ...]:
    """What of the range is not among the offsets; they are ascending, distinct, and inside it."""
    if len(offsets) == len(span):
        return ()
    absent = np.ones(len(span), np.bool_)
    absent[offsets - span.start] = False
    return to_ranges(span.partition, np.flatnonzero(absent) + span.start)


def group_ranges(ranges: Sequence[OffsetRange], size: int) -> dict[int, tuple[OffsetRange, ...]]:
    """Groups of at most ``size`` partitions, by number. A partition's own number alone decides its group."""
    groups: dict[int, list[OffsetRange]] = {}
    for span in sorted(ranges):
        groups.setdefault(span.partition.partition // size, []).append(span)
    return {number: tuple(groups[number]) for number in sorted(groups)}
