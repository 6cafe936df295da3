"""How far behind a position is, in records and in time, out of what Kafka can be asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.errors import TransientError
from faultline.model import TopicPartition
from faultline.steps.kafka_state import AGES, KafkaState, Timeline, kafka_state
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOW = NOON + HOUR


def source_of(*ages: timedelta) -> MemorySource:
    """A topic with a record of each of these ages, in this order."""
    memory = MemorySource()
    memory.create("app")
    for age in ages:
        memory.produce("app", b"{}", at=NOW - age)
    return memory


def only(source: MemorySource) -> Timeline:
    state = kafka_state(source, ["app"], now=NOW)
    [part] = state.partitions("app")
    return state.timelines[part]


EVEN = [n * SECOND for n in range(3600, 0, -1)]  # one each second for an hour


@pytest.mark.parametrize(("position", "behind"), [(0, 3600), (3000, 600), (3590, 10), (3600, 0), (None, 3600)])
def test_records_behind_are_counted_from_the_position_on(position: int | None, behind: int) -> None:
    assert only(source_of(*EVEN)).behind(position) == behind


@pytest.mark.parametrize("position", [0, 1, 1799, 2345, 3000, 3489, 3540, 3585, 3597, 3599])
def test_the_age_of_the_next_record_is_right_where_records_come_evenly(position: int) -> None:
    age = only(source_of(*EVEN)).age(position)
    assert age is not None
    assert abs(age - EVEN[position]) <= SECOND


def test_who_is_at_the_end_is_not_behind_however_old_the_last_record_is() -> None:
    assert only(source_of(5 * HOUR)).age(1) == timedelta(0)


def test_the_age_is_off_by_two_thirds_at_most() -> None:
    """In bursts the share of the records between two times says little; their ends still hold."""
    ages = [3 * HOUR] * 50 + [90 * SECOND] * 3 + [3 * SECOND] * 40
    timeline = only(source_of(*ages))
    for position, age in enumerate(ages):
        told = timeline.age(position)
        assert told is not None
        assert age / 1.7 <= told <= 1.7 * age


def test_what_is_older_than_every_age_is_at_least_as_old() -> None:
    assert only(source_of(30 * AGES[-1], SECOND)).age(0) == AGES[-1]


def test_what_kafka_has_deleted_is_behind_from_its_first_record_on() -> None:
    source = source_of(*EVEN)
    source.delete_records("app", 0, 3000)
    timeline = only(source)
    assert (timeline.behind(5), timeline.behind(None)) == (600, 600)
    assert timeline.age(5) == timeline.age(3000)


def test_behind_a_record_of_the_future_no_age_can_be_told() -> None:
    timeline = only(source_of(HOUR, -HOUR, SECOND))
    assert timeline.age(2) is None
    assert timeline.age(0) is not None


def test_the_rate_is_that_of_the_last_minute() -> None:
    assert only(source_of(*EVEN)).per_second == pytest.approx(1, rel=0.02)


def test_a_topic_that_kafka_does_not_have_is_named_and_the_others_are_told() -> None:
    state = kafka_state(source_of(SECOND), ["gone", "app"], now=NOW)
    assert state.missing == ("gone",)
    assert state.partitions("app") == (TopicPartition("app", "generation-1", 0),)
    assert kafka_state(source_of(), [], now=NOW) == KafkaState()


def test_kafka_that_does_not_answer_is_a_transient_error() -> None:
    source = source_of(SECOND)
    source.unreachable = True
    with pytest.raises(TransientError):
        kafka_state(source, ["app"], now=NOW)
