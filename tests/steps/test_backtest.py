"""Backtests over an archive: as live, on the same stream; and what they say when there is nothing to read."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.alerting.alerts import LEASE, Evaluation
from faultline.alerting.rules import Rules, load_rules
from faultline.errors import PermanentError
from faultline.model import Interval, Transition, utc_now
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.backtest import plan_backtest, replay, run_backtest
from faultline.steps.counts import count_topic
from faultline.steps.evaluator import Evaluator
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import load_topics
from tests.archive.search.brute import append

BUCKET = timedelta(seconds=10)
SECONDS = 420
START = NOON - timedelta(seconds=SECONDS // 2)  # over the end of an hour

RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"', 'level="ERROR"'], query_key: [tenant], num_events: 4, timeframe: 30s}
  - {alert: CartFailed, matchers: ['service="cart"', level=ERROR], query_key: [tenant], num_events: 4, timeframe: 30s}
  - {alert: Share, type: percentage_match, matchers: ['service="mail"'], match_bucket_filter: ['level="ERROR"'],
     max_percentage: 40, timeframe: 1m}
  - {alert: Silent, type: flatline, matchers: ['service="web"'], threshold: 1, timeframe: 1m}
  - {alert: NewError, type: new_term, matchers: ['level="ERROR"'], fields: [fingerprint], timeframe: 30s}
chains: [{name: db, path: [DbDown, CartFailed], equal: [tenant], hold: 20s, recovery_grace: 30s}]
route: {receiver: ops, group_wait: 10s}
receivers: [{name: ops}]
"""


def failing(service: str, start: int, end: int, every: int = 3, **fields: str) -> list[tuple[int, dict[str, str]]]:
    record = {"service": service, "level": "ERROR", "message": f"{service} failed", **fields}
    return [(second, record) for second in range(start, end, every)]


# An outage of db with its effect, an effect alone, one that outlives its cause, a silence, a rising share of errors.
STREAM = sorted(
    [
        *failing("web", 0, 100, level="INFO"),
        *failing("web", 260, SECONDS, level="INFO"),
        *failing("db", 30, 100, tenant="a"),
        *failing("cart", 26, 170, tenant="a"),
        *failing("cart", 60, 90, tenant="b"),
        *failing("mail", 0, 300, 7, level="INFO"),
        *failing("mail", 200, 260, 4),
    ],
    key=lambda each: each[0],
)


@pytest.fixture
def rules() -> Rules:
    return load_rules(RULES)


@pytest.fixture
def settings(kafka: str, tmp_path: Path) -> Settings:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {name}, count_labels: [tenant]}}]")
    return Settings(
        kafka_bootstrap_servers=kafka,
        archive_url=str(tmp_path / "archive"),
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        topics_file=tmp_path / "topics.yaml",
    )


@pytest.fixture
def source(settings: Settings) -> Iterator[KafkaSource]:
    with KafkaSource(settings.kafka_bootstrap_servers, {}) as opened:
        yield opened


def topic_of(settings: Settings) -> str:
    return load_topics(settings.topics_file.read_text()).topics[0].name


def live(settings: Settings, source: KafkaSource, rules: Rules) -> Iterator[Evaluation]:
    """The stream as it comes: after each bucket what came in it is counted and the rules are evaluated."""
    topics = load_topics(settings.topics_file.read_text())
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    with Database(settings.database_url) as database:
        database.migrate()
        lease, evaluator = database.acquire_lease(LEASE, "test"), Evaluator(settings, database, LEASE)
        waiting = list(reversed(STREAM))
        for number in range(SECONDS // 10):
            at = START + (number + 1) * BUCKET
            while waiting and START + timedelta(seconds=waiting[-1][0]) < at:
                produce(producer, topics.topics[0].name, *waiting.pop())
            producer.flush()
            count_topic(settings, source, database, topics.topics[0], at=at)
            evaluation = evaluator.decide(rules, topics, at=at)
            database.record_evaluation(lease, evaluation)
            yield evaluation


def produce(producer: Producer, topic: str, second: int, fields: dict[str, str]) -> None:
    at = START + timedelta(seconds=second)
    record = json.dumps({"@timestamp": at.isoformat(), **fields})
    producer.produce(topic, record.encode(), timestamp=int(at.timestamp() * 1000))


def archive(settings: Settings, source: KafkaSource) -> None:
    for group in plan_archive_run(settings, source, until=utc_now()):
        append_group(settings, source, group)


def period(start: datetime = START, end: datetime = START + timedelta(seconds=SECONDS)) -> Interval:
    return Interval(start, end)


def log(evaluations: list[Evaluation]) -> list[Transition]:
    return [step for each in evaluations for step in each.transitions]


def keys(evaluations: list[Evaluation]) -> list[str]:
    return [sent.key for each in evaluations for sent in each.notifications]


def test_a_backtest_decides_what_was_decided_live(settings: Settings, source: KafkaSource, rules: Rules) -> None:
    lived = list(live(settings, source, rules))
    archive(settings, source)
    plan = plan_backtest(settings, [rules], period())
    again = [each for [each] in replay(settings, [rules], plan)]
    assert {step.target for step in log(lived)} >= {"held", "firing", "suppressed", "recovering", "resolved"}
    assert {sent.kind for each in lived for sent in each.notifications} >= {"firing", "persists", "resolved"}
    assert {step.alert.rule for step in log(lived)} == set(rules.rules)
    assert log(again) == log(lived)
    assert keys(again) == keys(lived)
    assert [each.suppressions for each in again] == [each.suppressions for each in lived]


@pytest.fixture
def archived(tmp_path: Path) -> Settings:
    """An archive of an hour of one record a minute, in a folder."""
    values = [
        json.dumps({"@timestamp": (NOON + timedelta(minutes=number)).isoformat(), "service": "db"}).encode()
        for number in range(60)
    ]
    append(str(tmp_path / "archive"), raw_table(values), "app-logs")
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}, {name: later}]")
    return Settings(archive_url=str(tmp_path / "archive"), topics_file=tmp_path / "topics.yaml")


def one_rule(**options: object) -> Rules:
    rule = {"alert": "Db", "matchers": ['service="db"'], "num_events": 1, "timeframe": "1m", **options}
    return load_rules(
        json.dumps(
            {"groups": [{"name": "g", "rules": [rule]}], "route": {"receiver": "r"}, "receivers": [{"name": "r"}]}
        )
    )


def test_what_is_asked_for_is_cut_to_what_the_archive_has(archived: Settings) -> None:
    plan = plan_backtest(archived, [one_rule()], period(NOON - timedelta(days=2), NOON + timedelta(days=2)))
    assert plan.period == Interval(NOON, NOON + timedelta(minutes=59, seconds=10))
    assert plan.rows == 60


def test_it_reads_before_the_period_what_the_rules_look_back_to(archived: Settings) -> None:
    late = period(NOON + timedelta(minutes=50), NOON + timedelta(hours=1))
    plan = plan_backtest(archived, [one_rule(timeframe="10m")], late)
    assert plan.period.start == late.start
    assert plan.evaluated.interval.start < NOON + timedelta(minutes=40)
    assert plan.learned.interval.end == plan.evaluated.interval.start
    [log] = run_backtest(archived, [one_rule(timeframe="10m")], plan)
    assert [(each.told, each.pages) for each in log.episodes.values()] == [(True, 0)]


def test_rules_over_a_topic_that_is_not_in_the_archive_are_named(archived: Settings) -> None:
    rules = [one_rule(topics=["app-logs", "later"]), one_rule(topics=["elsewhere"])]
    plan = plan_backtest(archived, rules, period())
    assert plan.notes == (
        "Not read, so that rules over it see nothing: elsewhere",
        "Not read, so that rules over it see nothing: later",
    )


@pytest.mark.parametrize(
    ("rule", "interval", "topics", "said"),
    [
        (
            {},
            period(NOON - timedelta(days=9), NOON),
            (),
            "no records from 2026-11-13 12:00:00 to 2026-11-22 12:00:00 UTC",
        ),
        ({}, period(NOON - timedelta(days=9), NOON), (), "it has 2026-11-22 12:00:00 to 2026-11-22 12:59:00"),
        ({"topics": ["later"]}, period(), (), "none of the topics that the rules read (later)"),
        ({}, period(), ("later",), "there is no table at"),
        ({}, period(), ("laterr",), "not an archived topic of"),
    ],
    ids=["empty period", "and what there is", "topic without a table", "named, without a table", "misspelt"],
)
def test_nothing_to_read_is_said(
    archived: Settings, rule: dict[str, object], interval: Interval, topics: tuple[str, ...], said: str
) -> None:
    with pytest.raises(PermanentError, match=re.escape(said)):
        plan_backtest(archived, [one_rule(**rule)], interval, topics)
