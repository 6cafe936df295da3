"""How a lane's lag is judged, and what the lags of partitions come to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.page.lags import Level, TopicLag, topic_lag
from faultline.settings import Settings
from faultline.steps.kafka_state import kafka_state
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NOW = NOON + HOUR
SETTINGS = Settings(allowed_lateness=30 * SECOND, stalled_after=10 * MINUTE)


def source_of(*ages: timedelta, partitions: int = 1) -> MemorySource:
    """Records of these ages in partition 0."""
    memory = MemorySource()
    memory.create("app", partitions)
    for age in ages:
        memory.produce("app", b"{}", at=NOW - age)
    return memory


def lag_of(source: MemorySource, counted: int | None = None, archived: int | None = None) -> TopicLag:
    kafka = kafka_state(source, ["app"], now=NOW)
    [part, *_] = kafka.partitions("app")
    return topic_lag("app", kafka, SETTINGS, counted={part: counted}, archived={part: archived})


@pytest.mark.parametrize(
    ("age", "level"),
    [(0 * SECOND, Level.GOOD), (20 * SECOND, Level.GOOD), (2 * MINUTE, Level.WATCH), (HOUR, Level.BAD)],
    ids=str,
)
def test_counting_may_be_as_late_as_records_may_and_is_wrong_when_operators_are_told(
    age: timedelta, level: Level
) -> None:
    lag = lag_of(source_of(2 * HOUR, age), counted=1).counting
    assert lag is not None
    assert (lag.level, lag.records) == (level, 1)


@pytest.mark.parametrize(("age", "level"), [(20 * MINUTE, Level.GOOD), (3 * HOUR, Level.WATCH)], ids=str)
def test_the_archive_may_be_an_hour_behind(age: timedelta, level: Level) -> None:
    lag = lag_of(source_of(5 * HOUR, age), archived=1).archive
    assert lag is not None
    assert (lag.level, lag.lost) == (level, False)


@pytest.mark.parametrize(("position", "lost"), [(3, True), (6, True), (8, False)], ids=["deleted", "close", "far"])
def test_what_kafka_deletes_before_it_is_archived_is_wrong_at_any_age(position: int, lost: bool) -> None:
    source = source_of(*[MINUTE] * 10)
    source.delete_records("app", 0, 5)
    lag = lag_of(source, archived=position).archive
    assert lag is not None
    assert (lag.lost, lag.level) == (lost, Level.BAD if lost else Level.GOOD)


def test_a_lane_that_has_not_begun_lacks_all_there_is() -> None:
    [each] = lag_of(source_of(MINUTE, SECOND)).partitions
    assert each.counting is not None
    assert each.archive is not None
    assert (each.counting.begun, each.counting.records, each.counting.level) == (False, 2, Level.WATCH)
    assert (each.archive.begun, each.archive.records, each.archive.level) == (False, 2, Level.GOOD)


def test_what_is_not_known_of_a_lane_is_not_told() -> None:
    kafka = kafka_state(source_of(MINUTE), ["app"], now=NOW)
    lag = topic_lag("app", kafka, SETTINGS, counted={}, archived={})
    assert (lag.counting, lag.archive, lag.partitions[0].counting) == (None, None, None)


def test_behind_a_record_of_the_future_the_age_is_not_known_and_somebody_should_look() -> None:
    lag = lag_of(source_of(MINUTE, -HOUR, MINUTE), counted=2, archived=2)
    assert [(each.age, each.level) for each in (lag.counting, lag.archive) if each] == [(None, Level.WATCH)] * 2


def test_a_topic_is_as_late_as_its_latest_partition_and_lacks_what_all_of_them_lack() -> None:
    source = source_of(HOUR, 3 * HOUR, partitions=3)
    source.produce("app", b"{}", partition=1, at=NOW - SECOND)
    kafka = kafka_state(source, ["app"], now=NOW)
    parts = kafka.partitions("app")
    lag = topic_lag("app", kafka, SETTINGS, counted=dict.fromkeys(parts, 0), archived={})
    assert lag.counting is not None
    assert (lag.counting.records, lag.counting.level) == (3, Level.BAD)
    assert lag.counting.age is not None
    assert lag.counting.age > HOUR / 2
    assert [each.partition for each in lag.partitions] == [0, 1, 2]
