"""Holes, overlaps and gaps of offset ranges, against the plain definition by sets."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.ranges import missing, tile, to_ranges
from faultline.model import OffsetRange, TopicPartition

PART = TopicPartition("app", "id", 0)

pairs = st.tuples(st.integers(0, 30), st.integers(0, 8))
lists_of_ranges = st.lists(pairs.map(lambda pair: OffsetRange(PART, pair[0], pair[0] + pair[1])))


def offsets_of(*ranges: OffsetRange) -> set[int]:
    return {offset for span in ranges for offset in range(span.start, span.end)}


@given(lists_of_ranges)
def test_holes_and_duplicates_are_what_sets_say(ranges: list[OffsetRange]) -> None:
    tiling = tile(ranges)
    counts = Counter(offset for span in ranges for offset in range(span.start, span.end))
    between = set(range(min(counts, default=0), max(counts, default=0)))
    assert offsets_of(*tiling.holes) == between - set(counts)
    assert offsets_of(*tiling.duplicates) == {offset for offset, count in counts.items() if count > 1}


@given(st.sets(st.integers(0, 50)))
def test_ranges_of_offsets_are_exactly_them_and_as_few_as_can_be(offsets: set[int]) -> None:
    ranges = to_ranges(PART, np.array(sorted(offsets), np.int64))
    assert offsets_of(*ranges) == offsets
    assert all(left.end < right.start for left, right in pairwise(ranges))


@given(st.integers(0, 9), st.integers(0, 20), st.data())
def test_missing_is_the_rest_of_the_range(start: int, length: int, data: st.DataObject) -> None:
    span = OffsetRange(PART, start, start + length)
    there = data.draw(st.sets(st.sampled_from(range(start, start + length))) if length else st.just(set[int]()))
    assert offsets_of(*missing(span, np.array(sorted(there), np.int64))) == offsets_of(span) - there
