"""Which hours of counts are told of as settled: each once, when nothing that happened in it is counted any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Evaluation
from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.settled import settled_counts

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
P0 = TopicPartition("app-logs", "id", 0)
SETTINGS = Settings(allowed_lateness=MINUTE, count_retention=timedelta(days=1))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Seven records before noon and five after it are counted."""
    with Database(database_url) as opened:
        opened.migrate()
        times = [(NOON - MINUTE, 7), (NOON, 5)]
        counts = [ErrorCount(at, Labels({"topic": P0.topic}), number, at, at) for at, number in times]
        opened.record_counts([OffsetRange(P0, 0, 12)], counts)
        yield opened


@pytest.fixture
def told(database: Database) -> Callable[..., Any]:
    """What there is to tell once the rules are evaluated up to a time."""

    def ask(watermark: datetime, last: datetime | None = None) -> Any:
        made = Evaluation(watermark, watermark, "0" * 16, (), (), (), ())
        database.record_evaluation(database.acquire_lease(LEASE, "test"), made)
        return settled_counts(SETTINGS, database, last, at=watermark + MINUTE)

    return ask


def test_nothing_is_settled_before_the_first_evaluation(database: Database) -> None:
    assert settled_counts(SETTINGS, database, None, at=NOON + HOUR) is None


def test_an_hour_is_settled_when_its_late_records_are_no_longer_counted(told: Callable[..., Any]) -> None:
    assert told(NOON + MINUTE / 2, NOON - HOUR) is None
    assert told(NOON + MINUTE, NOON - HOUR) == {
        "until": "2026-11-22T12:00:00+00:00",
        "hours": ["2026-11-22T11"],
        "rows": 7,
        "offsets": [{"topic": "app-logs", "topic_id": "id", "partition": 0, "end": 12}],
    }


def test_an_hour_is_told_of_once(told: Callable[..., Any]) -> None:
    assert told(NOON + 59 * MINUTE, NOON) is None


def test_who_has_told_nothing_begins_with_the_last_hour(told: Callable[..., Any]) -> None:
    assert told(NOON + 5 * MINUTE)["hours"] == ["2026-11-22T11"]


def test_hours_that_no_run_has_told_of_come_together(told: Callable[..., Any]) -> None:
    found = told(NOON + 2 * HOUR + MINUTE, NOON - HOUR)
    assert (found["hours"], found["rows"]) == (["2026-11-22T11", "2026-11-22T12", "2026-11-22T13"], 12)


def test_hours_whose_counts_are_forgotten_are_left_out(told: Callable[..., Any]) -> None:
    found = told(NOON + timedelta(days=1, hours=1), NOON - timedelta(days=7))
    assert found["hours"][0] == "2026-11-22T14"
