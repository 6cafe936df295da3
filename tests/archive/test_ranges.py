"""Holes, overlaps and gaps of offset ranges, against the plain definition by sets."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.ranges import contains, missing, subtract, tile, to_ranges, union
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


@pytest.mark.parametrize(
    "offsets", [[0, 0], [1, 0], [0, 5], [3, 3, 4]], ids=["twice", "unordered", "beyond", "as many"]
)
def test_missing_is_not_fooled(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        missing(OffsetRange(PART, 0, 3), np.array(offsets, np.int64))


@given(lists_of_ranges)
def test_a_union_has_the_same_offsets_in_as_few_ranges_as_can_be(ranges: list[OffsetRange]) -> None:
    joined = union(ranges)
    assert offsets_of(*joined) == offsets_of(*ranges)
    assert all(left.end < right.start for left, right in pairwise(joined))


@given(lists_of_ranges, lists_of_ranges)
def test_a_difference_is_what_sets_say(ranges: list[OffsetRange], gaps: list[OffsetRange]) -> None:
    assert offsets_of(*subtract(ranges, gaps)) == offsets_of(*ranges) - offsets_of(*gaps)


@given(lists_of_ranges, st.sets(st.integers(0, 40)))
def test_what_is_contained_is_what_sets_say(ranges: list[OffsetRange], offsets: set[int]) -> None:
    asked = np.array(sorted(offsets), np.int64)
    assert set(asked[contains(union(ranges), asked)].tolist()) == offsets & offsets_of(*ranges)
