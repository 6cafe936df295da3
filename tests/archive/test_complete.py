"""Up to when a topic is complete: the latest time that every partition has reached."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.archive.complete import complete_until
from faultline.model import OffsetRange, TopicPartition
from faultline.testing.records import NOON

P0, P1 = (TopicPartition("app", "id", number) for number in (0, 1))
ONE, TWO = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
# Of both partitions, 10 offsets were received before one o'clock, 20 before two.
ENDS = {NOON: {P0: 0, P1: 0}, ONE: {P0: 10, P1: 10}, TWO: {P0: 20, P1: 20}}

CASES = {
    "everything": ((20, 20), TWO),
    "more than asked for": ((25, 20), TWO),
    "the slower partition decides": ((20, 19), ONE),
    "exactly the hour": ((10, 10), ONE),
    "one offset is missing": ((9, 20), NOON),
    "never archived": ((None, 20), NOON),
}


@pytest.mark.parametrize(("positions", "expected"), CASES.values(), ids=CASES)
def test_two_partitions(positions: tuple[int | None, int | None], expected: object) -> None:
    marks = {part: OffsetRange(part, 0, 30) for part in (P0, P1)}
    assert complete_until(dict(zip((P0, P1), positions, strict=True)), marks, ENDS) == expected


def test_an_idle_partition_holds_no_time_back() -> None:
    ends = {NOON: {P0: 7}, TWO: {P0: 7}}
    assert complete_until({P0: 7}, {P0: OffsetRange(P0, 7, 7)}, ends) == TWO
    assert complete_until({P0: None}, {P0: OffsetRange(P0, 7, 7)}, ends) == TWO


def test_a_range_that_kafka_deleted_before_it_was_archived_is_not_complete() -> None:
    assert complete_until({P0: 4}, {P0: OffsetRange(P0, 6, 9)}, {NOON: {P0: 6}}) is None
