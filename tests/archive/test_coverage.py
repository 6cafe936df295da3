"""Which offsets have rows: as sets say, in blocks that cost a bit an offset at most."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.coverage import OffsetSet, RowCoverage, expect
from faultline.model import OffsetRange, TopicPartition

PART = TopicPartition("app", "id", 0)
# Around the edge between two blocks.
EDGE = 1 << 16
offsets = st.lists(st.integers(EDGE - 6, EDGE + 6), max_size=8)


def of(*ranges: OffsetRange) -> set[int]:
    return {offset for span in ranges for offset in range(span.start, span.end)}


@given(st.lists(offsets, max_size=4))
def test_a_set_of_offsets_is_a_set(portions: list[list[int]]) -> None:
    found, expected = OffsetSet(PART), set[int]()
    for portion in portions:
        again = found.add(np.unique(np.array(portion, np.int64)))
        assert set(again.tolist()) == expected & set(portion)
        expected |= set(portion)
    span = OffsetRange(PART, EDGE - 8, EDGE + 8)
    assert of(*found.absent(span)) == of(span) - expected


def test_a_full_block_costs_nothing_and_is_still_full() -> None:
    found = OffsetSet(PART)
    found.add(np.arange(3 * EDGE, dtype=np.int64))
    assert not found._blocks
    assert found.add(np.array([5], np.int64)).tolist() == [5]
    assert found.absent(OffsetRange(PART, 0, 3 * EDGE + 2)) == (OffsetRange(PART, 3 * EDGE, 3 * EDGE + 2),)


def test_a_hundred_million_offsets_take_a_bit_each() -> None:
    """Every other offset, which is the worst case: no block is ever full."""
    found = OffsetSet(PART)
    for start in range(0, 100_000_000, 10_000_000):
        found.add(np.arange(start, start + 10_000_000, 2, dtype=np.int64))
    assert sum(block.nbytes for block in found._blocks.values()) <= 100_000_000 / 8 + EDGE


def rows_in(coverage: RowCoverage, *portions: list[int]) -> RowCoverage:
    for portion in portions:
        coverage.add(np.array(portion, np.int64))
    return coverage


def test_rows_are_missing_twice_or_strays() -> None:
    coverage = rows_in(
        expect(PART, [OffsetRange(PART, 0, 10)], [], [], OffsetRange(PART, 0, 10)), [0, 1, 1, 12], [2, 0]
    )
    assert coverage.missing == (OffsetRange(PART, 3, 10),)
    assert coverage.duplicates == (OffsetRange(PART, 0, 2),)
    assert coverage.strays == (OffsetRange(PART, 12, 13),)
    assert coverage.rows == 6


def test_a_row_of_what_the_log_vouches_for_is_one_too_many_and_one_in_a_gap_is_a_stray() -> None:
    span = OffsetRange(PART, 0, 10)
    gap, vouched = OffsetRange(PART, 3, 5), OffsetRange(PART, 0, 6)
    coverage = rows_in(expect(PART, [span], [gap], [vouched], span), [1, 4, 6, 7, 8, 9])
    assert coverage.missing == ()
    assert coverage.duplicates == (OffsetRange(PART, 1, 2),)
    assert coverage.strays == (OffsetRange(PART, 4, 5),)
    assert coverage.rows == 4 + 1 + 4


def test_rows_that_are_not_asked_for_may_be_there_or_not() -> None:
    coverage = rows_in(expect(PART, [OffsetRange(PART, 5, 8)], [], [], OffsetRange(PART, 0, 8)), [1, 5, 6, 7])
    assert (coverage.missing, coverage.duplicates, coverage.strays, coverage.rows) == ((), (), (), 3)
