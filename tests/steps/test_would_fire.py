"""Rules replayed over an archived hour: what would have been sent, beside what was; sent only when forced."""

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
from faultline.alerting.rules import load_rules
from faultline.alerting.silences import Silence
from faultline.model import ErrorCount, Interval, Labels, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.evaluator import Evaluator
from faultline.steps.would_fire import would_fire
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import load_topics
from tests.archive.search.brute import append
from tests.contracts.values import BUCKET

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
THE_HOUR, NEXT = Interval(NOON, NOON + HOUR), Interval(NOON + HOUR, NOON + 2 * HOUR)
LATER = NOON + 3 * HOUR
TOPICS = "topics: [{name: app-logs}]"
RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m}
  - {alert: CartFailed, matchers: ['service="cart"'], num_events: 5, timeframe: 1m}
chains: [{name: db, path: [DbDown, CartFailed]}]
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""
OUTAGES = (("db", -20, 3), ("db", 10, 5), ("cart", 10, 4), ("cart", 58, 5), ("db", 170, 60))


def failing(service: str, minute: int, minutes: int) -> Iterator[tuple[datetime, bytes]]:
    """Every three seconds."""
    for second in range(0, 60 * minutes, 3):
        at = NOON + timedelta(minutes=minute, seconds=second)
        yield at, json.dumps({"@timestamp": at.isoformat(), "service": service, "level": "ERROR"}).encode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An archive of outages in three hours; the last one goes on to its end."""
    (tmp_path / "topics.yaml").write_text(TOPICS)
    (tmp_path / "rules.yaml").write_text(RULES)
    records = sorted(each for outage in OUTAGES for each in failing(*outage) if each[0] < LATER)
    append(str(tmp_path / "archive"), raw_table([value for _, value in records]), "app-logs")
    return Settings(
        archive_url=str(tmp_path / "archive"),
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        topics_file=tmp_path / "topics.yaml",
        rules_file=tmp_path / "rules.yaml",
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        opened.migrate()
        yield opened


def run(settings: Settings, interval: Interval = THE_HOUR, **more: Any) -> dict[str, Any]:
    return would_fire(settings, interval, now=LATER, **more)


def pages(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(page["alert"], page["live"]) for page in found["pages"]]


def outbox(database: Database) -> list[str]:
    rows = [row.notification for row in database.recent_notifications()]
    ordered = sorted(rows, key=lambda sent: (sent.alert.starts_at, sent.kind))
    return [f"{sent.kind} {sent.alert.alert}" for sent in ordered]


def live(settings: Settings, database: Database, until: datetime) -> None:
    """The database outage as it is counted and evaluated live, from the beginning of the hour on."""
    rules, topics = load_rules(RULES), load_topics(TOPICS)
    lease, evaluator = database.acquire_lease(LEASE, "test"), Evaluator(settings, database, LEASE)
    partition, offset, at = TopicPartition("app-logs", "generation-1", 0), 0, NOON
    times = [time for time, _ in failing("db", 10, 5)]
    while at < until:
        at += BUCKET
        number = sum(at - BUCKET <= time < at for time in times)
        counts = [count_of(at - BUCKET, number)] if number else []
        ranges = [OffsetRange(partition, offset, offset + number)]
        database.record_counts(ranges, counts, {partition: at})
        database.record_evaluation(lease, evaluator.decide(rules, topics, at=at))
        offset += number


def count_of(start: datetime, number: int) -> ErrorCount:
    labels = Labels(topic="app-logs", service="db", level="ERROR")
    return ErrorCount(start, labels, number, start, start + timedelta(seconds=9))


def test_it_lists_the_pages_of_the_interval_and_sends_nothing(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        found = run(settings)
    assert pages(found) == [("DbDown", "not seen"), ("CartFailed", "not seen")]
    assert (found["would_have_fired"], found["not_sent_live"], found["sent"]) == (2, 2, 0)
    assert outbox(database) == []
    assert "would have sent 2 pages; not sent live: 2" in caplog.text
    assert "2026-11-22 12:10:20  DbDown      ops       not seen" in caplog.text


def test_an_interval_in_which_nothing_happened_has_no_pages(settings: Settings, database: Database) -> None:
    assert run(settings, NEXT)["would_have_fired"] == 0
    before_everything = Interval(NOON - 9 * HOUR, NOON - 8 * HOUR)
    assert run(settings, before_everything)["would_have_fired"] == 0


def test_silence_that_lasts_to_the_end_of_the_interval_is_silence(settings: Settings, database: Database) -> None:
    flatline = "- {alert: Silent, type: flatline, threshold: 1, timeframe: 30m}"
    settings.rules_file.write_text(RULES.replace("  rules:\n", f"  rules:\n  {flatline}\n"))
    assert ("Silent", "not seen") in pages(run(settings, NEXT))


def test_an_alert_that_was_sent_live_is_said_to_be(settings: Settings, database: Database) -> None:
    live(settings, database, NOON + 14 * MINUTE)
    assert pages(run(settings)) == [("DbDown", "sent"), ("CartFailed", "not seen")]


def test_an_alert_that_was_silenced_live_would_not_have_been_sent_either(
    settings: Settings, database: Database
) -> None:
    silence = Silence(matchers=('alertname="DbDown"',), starts_at=NOON, ends_at=NOON + HOUR)
    database.add_silence(silence)
    assert pages(run(settings)) == [("CartFailed", "not seen")]


def test_forced_it_sends_what_nobody_was_told_of_once(settings: Settings, database: Database) -> None:
    assert run(settings, force=True)["sent"] == 2
    assert outbox(database) == ["resolved DbDown", "resolved CartFailed"]
    run(settings, force=True)
    assert outbox(database) == ["resolved DbDown", "resolved CartFailed"]
    message = database.recent_notifications()[0].notification
    assert message.reason.startswith("found by a recount of the archive: ")


def test_forced_it_does_not_send_again_what_was_sent_live(settings: Settings, database: Database) -> None:
    live(settings, database, NOON + 14 * MINUTE)
    assert run(settings, force=True)["sent"] == 1
    assert outbox(database) == ["firing DbDown", "resolved CartFailed"]


def test_forced_it_pages_for_what_goes_on_and_sends_its_end_when_it_is_over(
    settings: Settings, database: Database
) -> None:
    last = Interval(NOON + 2 * HOUR, LATER)
    assert run(settings, last, force=True)["sent"] == 1
    assert outbox(database) == ["firing DbDown"]
    more = [value for at, value in failing("db", 170, 20) if at >= LATER]
    quiet = json.dumps({"@timestamp": (LATER + HOUR).isoformat(), "service": "web"}).encode()
    append(settings.archive_url, raw_table([*more, quiet], at=LATER, start=1000), "app-logs")
    found = would_fire(settings, last, now=LATER + 2 * HOUR, force=True)
    assert pages(found) == [("DbDown", "not seen")]
    assert outbox(database) == ["firing DbDown", "resolved DbDown"]
