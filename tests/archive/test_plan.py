"""What a run appends: pure arithmetic on positions and marks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.plan import ArchivePlan, close_to_loss, plan_archive, ranges_from_dicts, ranges_to_dicts
from faultline.errors import LostRange, PermanentError
from faultline.model import OffsetRange, TopicPartition

P0, P1 = (TopicPartition("app", "id", number) for number in (0, 1))


def plan_one(position: int | None, low: int, high: int, until: int) -> tuple[int, int] | None:
    plan = plan_archive("app", {P0: position}, {P0: OffsetRange(P0, low, high)}, {P0: until}, group_size=8)
    return next(((span.start, span.end) for span in plan.ranges), None)


def numbers_of(plan: ArchivePlan) -> dict[int, list[int]]:
    return {number: [span.partition.partition for span in group] for number, group in plan.groups.items()}


CASES = {
    "from the position to the run's end": ((10, 0, 100, 50), (10, 50)),
    "a run that ends now": ((10, 0, 100, 100), (10, 100)),
    "never archived: from the low mark": ((None, 7, 100, 50), (7, 50)),
    "nothing new": ((50, 0, 100, 50), None),
    "a backfill of what is archived": ((80, 0, 100, 50), None),
    "an empty partition": ((None, 0, 0, 0), None),
    "emptied by retention, all archived": ((9, 9, 9, 9), None),
    "position exactly at the low mark": ((7, 7, 9, 9), (7, 9)),
    "never archived, and the run ends before the low mark": ((None, 60, 100, 50), None),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_a_partition(given: tuple[int | None, int, int, int], expected: tuple[int, int] | None) -> None:
    assert plan_one(*given) == expected


def test_every_lost_range_is_named_exactly() -> None:
    marks = {P0: OffsetRange(P0, 10, 20), P1: OffsetRange(P1, 5, 20)}
    with pytest.raises(LostRange) as caught:
        plan_archive("app", {P0: 4, P1: 2}, marks, {P0: 20, P1: 20}, group_size=8)
    assert caught.value.ranges == (OffsetRange(P0, 4, 10), OffsetRange(P1, 2, 5))


def test_where_losses_are_recorded_the_plan_begins_at_the_position() -> None:
    marks = {P0: OffsetRange(P0, 10, 20)}
    plan = plan_archive("app", {P0: 4}, marks, {P0: 20}, group_size=8, record_losses=True)
    assert plan.ranges == (OffsetRange(P0, 4, 20),)


CLOSE = {
    "nearer the low mark": (14, 10, 20, True),
    "in the middle": (15, 10, 20, False),
    "at the low mark, all that is left is new": (10, 10, 20, True),
    "up to date": (20, 10, 20, False),
    "Kafka has deleted nothing yet": (1, 0, 20, False),
    "never archived": (None, 10, 20, False),
}


@pytest.mark.parametrize(("position", "low", "high", "close"), CLOSE.values(), ids=CLOSE)
def test_what_kafka_is_about_to_delete_is_named(position: int | None, low: int, high: int, close: bool) -> None:
    found = close_to_loss({P0: position}, {P0: OffsetRange(P0, low, high)})
    assert found == ((OffsetRange(P0, position or 0, high),) if close else ())


def test_a_broker_that_forgot_what_it_acknowledged_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="archived up to 30"):
        plan_one(30, 0, 20, 20)


def test_a_topic_created_again_starts_at_its_low_mark() -> None:
    again = TopicPartition("app", "other id", 0)
    plan = plan_archive("app", {again: None}, {again: OffsetRange(again, 0, 3)}, {again: 3}, group_size=8)
    assert plan.ranges == (OffsetRange(again, 0, 3),)


def test_an_idle_partition_never_moves_another_to_another_group() -> None:
    parts = [TopicPartition("app", "id", number) for number in range(10)]
    marks = {part: OffsetRange(part, 0, 5) for part in parts}
    until = dict.fromkeys(parts, 5)
    busy = plan_archive("app", dict.fromkeys(parts), marks, until, group_size=4)
    assert numbers_of(busy) == {0: [0, 1, 2, 3], 1: [4, 5, 6, 7], 2: [8, 9]}
    positions = {part: 5 if part.partition in (1, 4, 5, 6, 7) else None for part in parts}
    calm = plan_archive("app", positions, marks, until, group_size=4)
    assert numbers_of(calm) == {0: [0, 2, 3], 2: [8, 9]}
    assert [part.partition for part in calm.idle] == [1, 4, 5, 6, 7]


spans = st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(0, 5)).map(
    lambda case: OffsetRange(TopicPartition("app", "id", case[0]), case[1], case[1] + case[2])
)


@given(st.lists(spans, unique_by=lambda span: span.partition), st.integers(1, 5))
def test_the_ranges_of_a_plan_survive_json(ranges: list[OffsetRange], size: int) -> None:
    marks = {span.partition: span for span in ranges}
    plan = plan_archive(
        "app", dict.fromkeys(marks), marks, {part: span.end for part, span in marks.items()}, group_size=size
    )
    assert ranges_from_dicts(json.loads(json.dumps(ranges_to_dicts(plan.ranges)))) == plan.ranges
    assert sorted([*plan.idle, *(span.partition for span in plan.ranges)]) == sorted(marks)
    assert all(len(group) <= size for group in plan.groups.values())
