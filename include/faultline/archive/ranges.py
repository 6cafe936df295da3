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


def union(ranges: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
    """The same offsets in as few ranges as can be, in order."""
    joined: list[OffsetRange] = []
    for span in sorted(span for span in ranges if len(span)):
        if joined and joined[-1].partition == span.partition and span.start <= joined[-1].end:
            joined[-1] = OffsetRange(span.partition, joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def subtract(ranges: Iterable[OffsetRange], gaps: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
    """The offsets of the ranges that are in none of the gaps; all of one partition."""
    left: list[OffsetRange] = []
    holes = union(gaps)
    at = 0
    for span in union(ranges):
        start = span.start
        while at < len(holes) and holes[at].end <= start:
            at += 1
        inside = at
        while inside < len(holes) and holes[inside].start < span.end:
            if holes[inside].start > start:
                left.append(OffsetRange(span.partition, start, holes[inside].start))
            start = holes[inside].end
            inside += 1
        if start < span.end:
            left.append(OffsetRange(span.partition, start, span.end))
    return tuple(left)


def contains(ranges: Sequence[OffsetRange], offsets: Offsets) -> npt.NDArray[np.bool_]:
    """Which of the offsets are in the ranges; the ranges are as ``union`` gives them."""
    if not ranges:
        return np.zeros(len(offsets), np.bool_)
    starts = np.array([span.start for span in ranges], np.int64)
    ends = np.array([span.end for span in ranges], np.int64)
    place = np.searchsorted(starts, offsets, "right") - 1
    return (place >= 0) & (offsets < ends[place])


def to_ranges(partition: TopicPartition, offsets: Offsets) -> tuple[OffsetRange, ...]:
    """Ascending, distinct offsets as ranges."""
    if not len(offsets):
        return ()
    breaks = np.flatnonzero(np.diff(offsets) != 1)
    starts = offsets[np.concatenate(([0], breaks + 1))]
    ends = offsets[np.concatenate((breaks, [len(offsets) - 1]))] + 1
    return tuple(OffsetRange(partition, start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True))


def missing(span: OffsetRange, offsets: Offsets) -> tuple[OffsetRange, ...]:
    """What of the range is not among the offsets; ValueError unless they are ascending, distinct, and inside it.

    A commit says by this which offsets its rows have, so it must not be fooled by an offset that is there twice.
    """
    if len(offsets) and (offsets[0] < span.start or offsets[-1] >= span.end or np.any(np.diff(offsets) <= 0)):
        raise ValueError(f"offsets of {span} are not ascending, distinct, and inside it")
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
