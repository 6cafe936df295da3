"""Counting closed hours again: what differs, what is not comparable yet, and which hours those are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.errors import PermanentError, TransientError
from faultline.model import Interval, LateCount, OffsetRange
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.counts import count_topic
from faultline.steps.recount import Recount, recount, recount_interval
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON
from faultline.topicfile import load_topics
from tests.contracts.values import evaluation

HOUR = timedelta(hours=1)
TOPICS = "topics: [{name: app-logs, count_labels: [tenant]}]"
[TOPIC] = load_topics(TOPICS).topics
THE_HOUR = Interval(NOON, NOON + HOUR)
LATER = NOON + 2 * HOUR


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "topics.yaml").write_text(TOPICS)
    return Settings(
        archive_url=str(tmp_path / "archive"),
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        topics_file=tmp_path / "topics.yaml",
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    memory.create("app-logs", partitions=2)
    return memory


def log_records(source: MemorySource, minutes: range, service: str = "db", **more: str) -> None:
    for minute in minutes:
        at = NOON + timedelta(minutes=minute)
        fields = {"service": service, "level": "ERROR", "message": f"call {minute} failed", "tenant": f"t{minute % 3}"}
        record = json.dumps({"@timestamp": at.isoformat(), **fields, **more})
        source.produce("app-logs", record.encode(), partition=minute % 2, at=at)


def count(settings: Settings, source: MemorySource, database: Database) -> None:
    count_topic(settings, source, database, TOPIC, at=LATER)


def archive(settings: Settings, source: MemorySource) -> None:
    for group in plan_archive_run(settings, source, until=LATER, clock=lambda: LATER):
        append_group(settings, source, group)


def compare(settings: Settings, interval: Interval = THE_HOUR, now: datetime = LATER, **more: Any) -> Recount:
    return recount(settings, interval, now=now, **more)


def test_what_both_lanes_have_seen_is_counted_the_same(
    settings: Settings, source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log_records(source, range(-30, 90))
    source.produce("app-logs", b"not json", at=NOON + HOUR / 2)
    count(settings.model_copy(update={"count_batch_rows": 7}), source, database)
    archive(settings, source)
    with caplog.at_level(logging.INFO):
        found = compare(settings)
    assert (found.archived, found.live, found.differences, found.uncounted) == (61, 61, (), 0)
    assert "61 records, counted live exactly as archived" in caplog.text


def test_a_recount_changes_nothing(settings: Settings, source: MemorySource, database: Database) -> None:
    log_records(source, range(60))
    count(settings, source, database)
    archive(settings, source)
    before = (database.live_counts(["app-logs"], NOON, LATER), database.batch_mark())
    assert compare(settings) == compare(settings)
    assert (database.live_counts(["app-logs"], NOON, LATER), database.batch_mark()) == before


def test_records_that_live_counting_has_skipped_are_listed_by_service_and_bucket(
    settings: Settings, source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log_records(source, range(0, 10, 2))
    log_records(source, range(10, 14, 2), service="web")
    archive(settings, source)
    partition = source.partitions("app-logs")[0]
    database.record_counts([OffsetRange(partition, 0, 4)], [])
    count(settings, source, database)
    with caplog.at_level(logging.INFO):
        found = compare(settings)
    minutes = [timedelta(minutes=each) for each in (0, 2, 4, 6)]
    assert [(each.service, each.bucket_start - NOON, each.live, each.archived) for each in found.differences] == [
        ("db", minute, 0, 1) for minute in minutes
    ]
    assert (found.missing, found.surplus) == (4, 0)
    assert "7 records archived, 3 counted live; 4 missing there, 0 too many, in 4 buckets of services" in caplog.text
    assert "app-logs  db       2026-11-22 12:06:00     0        1        1         0" in caplog.text
    summary = found.to_summary()
    assert (summary["missing"], summary["different"]) == (4, 4)
    assert summary["differences"][0] == {
        "topic": "app-logs",
        "service": "db",
        "bucket": "2026-11-22T12:00:00+00:00",
        "live": 0,
        "archived": 1,
    }


def test_records_that_came_too_late_are_named_as_that(
    settings: Settings, source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log_records(source, range(40))
    count(settings, source, database)
    database.record_evaluation(database.acquire_lease(LEASE, "test"), evaluation(at=LATER))
    log_records(source, range(5))
    count(settings, source, database)
    archive(settings, source)
    with caplog.at_level(logging.INFO):
        found = compare(settings)
    assert database.late_dropped() == [LateCount("app-logs", NOON, 5)]
    assert (found.missing, found.late) == (5, 5)
    assert "Of the missing ones 5 at most came too late to be counted live" in caplog.text


def test_records_that_are_not_counted_live_yet_are_no_difference(
    settings: Settings, source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log_records(source, range(20))
    count(settings, source, database)
    log_records(source, range(20, 30))
    archive(settings, source)
    found = compare(settings)
    assert (found.archived, found.live, found.differences, found.uncounted) == (20, 20, (), 10)
    assert "10 archived records" in caplog.text


def test_what_is_counted_and_not_archived_yet_is_waited_for(
    settings: Settings, source: MemorySource, database: Database
) -> None:
    log_records(source, range(20))
    count(settings, source, database)
    with pytest.raises(TransientError, match=r"app-logs/0 is counted up to offset 10 and archived up to 0"):
        compare(settings)
    archive(settings, source)
    assert compare(settings).differences == ()
    log_records(source, range(70, 75))  # of another hour
    count(settings, source, database)
    assert compare(settings).differences == ()


def test_hours_whose_counts_are_forgotten_are_not_compared(
    settings: Settings, source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log_records(source, range(60))
    archive(settings, source)
    count(settings, source, database)
    kept = NOON + timedelta(minutes=30)
    database.prune(kept)
    found = compare(settings, now=kept + settings.count_retention)
    assert (found.interval.start, found.differences) == (kept + timedelta(seconds=10), ())
    assert "Not compared before 2026-11-22 12:30:10: counts are kept for 8d" in caplog.text
    assert compare(settings, now=LATER + settings.count_retention).archived == 0


def test_a_topic_created_again_is_compared_in_both_generations(
    settings: Settings, source: MemorySource, database: Database
) -> None:
    for start in (0, 20):
        source.create("app-logs", partitions=2)
        log_records(source, range(start, start + 20))
        count(settings, source, database)
        archive(settings, source)
    found = compare(settings)
    assert (found.archived, found.live, found.differences) == (40, 40, ())


def test_without_counts_and_without_an_archive_there_is_no_difference(settings: Settings, database: Database) -> None:
    assert compare(settings) == Recount(THE_HOUR)


def test_topics_can_be_chosen_and_a_misspelt_one_is_said(settings: Settings, database: Database) -> None:
    assert compare(settings, topics=["app-logs"]).differences == ()
    with pytest.raises(PermanentError, match="not an archived topic"):
        compare(settings, topics=["app-log"])


@pytest.mark.parametrize(
    ("since", "until", "run", "found"),
    [
        (None, None, (11.5, 12.5), (11, 12)),
        (None, None, (12.5, 13.5), (12, 13)),
        (None, None, (12 + 1 / 6, 13 + 1 / 6), (12, 13)),
        (None, None, (9.5, 13.5), (9, 13)),
        ("2026-11-22T10:00", "2026-11-22T12:00", (None, None), (10, 12)),
        ("2026-11-22T10:20+00:00", "2026-11-22T12:59", (11.5, 12.5), (10, 12)),
        ("2026-11-22T10:00", None, (11.5, 12.5), (10, 12)),
        ("2026-11-22T10:00", "2026-11-22T23:00", (None, None), (10, 13)),
    ],
    ids=[
        "closed by half past",
        "the next run takes the next hour",
        "closed at the very end",
        "a longer interval",
        "a form",
        "whole hours",
        "half a form",
        "none that is open",
    ],
)
def test_which_hours(
    since: str | None, until: str | None, run: tuple[float | None, float | None], found: tuple[int, int]
) -> None:
    day = NOON - 12 * HOUR
    begin, end = (None if each is None else day + each * HOUR for each in run)
    now = day + 13.5 * HOUR
    assert recount_interval(Settings(), since, until, (begin, end), now=now) == Interval(
        day + found[0] * HOUR, day + found[1] * HOUR
    )


def test_an_interval_in_which_no_hour_is_closed_has_nothing_to_recount() -> None:
    run = (NOON + HOUR / 2, NOON + HOUR)
    assert recount_interval(Settings(), None, None, run, now=NOON + 1.5 * HOUR) is None


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (None, None, "no interval of its own"),
        ("soon", "2026-11-22T12:00", "not a time"),
        ("2026-11-22T13:00", "2026-11-22T14:00", "no hour from 2026-11-22T13:00 on is closed; that takes 10m"),
        ("2026-11-01T13:00", "2026-11-22T12:00", "more than 7d at once"),
    ],
)
def test_what_is_no_interval_is_said(since: str | None, until: str | None, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        recount_interval(Settings(), since, until, (None, None), now=NOON + HOUR)
