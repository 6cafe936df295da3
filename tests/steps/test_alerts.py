"""The alerting task on a real database, with a clock that the test moves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faultline.adapters.database import Counted, Database
from faultline.alerting.alerts import MuteReason
from faultline.alerting.silences import Silence
from faultline.dispatch.delivery import Delivery, DeliveryStatus, Leased, OutboxState, Outcome
from faultline.errors import Superseded, TransientError
from faultline.model import Ack, AlertState, ErrorCount, Labels, NotificationKind, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch, begin_watch
from faultline.steps.evaluator import current_partitions
from faultline.steps.last_good import configured_topics, in_force

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PARTITION = TopicPartition("app-logs", "id-1", 0)
TOPICS = "topics: [{name: app-logs}]"
RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m}
route: {receiver: nobody}
receivers: [{name: nobody, console_configs: [{}]}]
"""


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text(TOPICS)
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        rules_file=tmp_path / "rules.yaml",
        topics_file=tmp_path / "topics.yaml",
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        opened.migrate()
        yield opened


def count(database: Database, number: int, start: int = 0, at: datetime = START) -> None:
    """Record that so many errors of the service db were logged just now."""
    labels = Labels(service="db", level="ERROR", topic="app-logs")
    error = ErrorCount(START, labels, number, first_ts=START, last_ts=START, sample="refused")
    database.record_counts([OffsetRange(PARTITION, start, start + number)], [error], {PARTITION: at})


def test_a_threshold_that_is_crossed_fires_once_and_is_sent_once(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        states = [(step.alert.rule, step.target) for _ in range(3) for step in watch.evaluate().transitions]
    assert states[-1] == ("DbDown", AlertState.FIRING)
    assert [alert.state for alert in database.alerts()] == [AlertState.FIRING]
    assert database.outbox_summary()[OutboxState.DELIVERED] == 1


def test_a_successor_goes_on_where_the_last_run_stopped(settings: Settings, database: Database, clock: Clock) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        watch.evaluate()
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        assert watch.evaluate().notifications == ()
    assert database.outbox_summary()[OutboxState.DELIVERED] == 1


def test_an_orphan_beside_its_successor_records_and_sends_nothing(
    settings: Settings, database: Database, clock: Clock
) -> None:
    with AlertWatch(settings, database, "orphan", clock=clock) as orphan:
        orphan.evaluate()
        with AlertWatch(settings, database, "successor", clock=clock) as successor:
            count(database, 5)
            with pytest.raises(Superseded, match="orphan"):
                orphan.evaluate()
            assert sum(database.outbox_summary().values()) == 0
            assert len(successor.evaluate().notifications) == 1


def test_a_watch_begins_as_soon_as_the_database_answers(settings: Settings, database: Database) -> None:
    path = settings.database_url.removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            other.execute("ROLLBACK")

    with (
        Database(settings.database_url, lock_wait=timedelta(milliseconds=1)) as impatient,
        begin_watch(lambda: False, settings, impatient, "patient", sleep=sleep) as watch,
    ):
        assert len(slept) == 2
        assert watch.evaluate() is not None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError):
            begin_watch(lambda: True, settings, impatient, "out of time")
    other.close()


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ("groups: [", ":1: not YAML"),
        (RULES.replace("num_events", "num_event"), ":5: unknown field 'num_event'; did you mean 'num_events'?"),
        (None, ":0: cannot be read"),
    ],
    ids=["syntax", "unknown field", "gone"],
)
def test_broken_rules_leave_the_last_good_ones_in_force_and_say_where(
    settings: Settings, database: Database, clock: Clock, broken: str | None, fault: str
) -> None:
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        watch.evaluate()
        settings.rules_file.unlink() if broken is None else settings.rules_file.write_text(broken)
        count(database, 5)
        assert len(watch.evaluate().notifications) == 1
    assert any(fault in str(found) for found in database.rule_faults())
    with AlertWatch(settings, database, "after a restart", clock=clock) as watch:
        watch.evaluate()
        assert [alert.state for alert in database.alerts()] == [AlertState.FIRING]
        settings.rules_file.write_text(RULES)
        watch.evaluate()
    assert database.rule_faults() == []


def test_the_operators_hear_once_of_each_broken_version(settings: Settings, database: Database, clock: Clock) -> None:
    for broken in ("groups: [", "groups: [", "groups: {"):
        with AlertWatch(settings, database, "restarted", clock=clock) as watch:
            watch.evaluate()
            settings.rules_file.write_text(broken)
            watch.evaluate()
            watch.evaluate()
    told = [each.notification.alert for each in database.recent_notifications()]
    assert [alert.alert.rule for alert in told] == ["ConfigurationFaulty"] * 2
    assert {alert.labels["source"] for alert in told} == {str(settings.rules_file)}


def test_a_group_with_an_interval_of_its_own_is_evaluated_when_it_begins_also_after_a_restart(
    settings: Settings, database: Database, clock: Clock
) -> None:
    settings.rules_file.write_text(RULES.replace("- name: shop", "- name: shop\n  evaluation_interval: 1m"))
    told = {}
    for runs in ((0, 30), (40, 59, 60), (61,)):
        with AlertWatch(settings, database, "test", clock=clock) as watch:
            for seconds in runs:
                clock.now = START + timedelta(seconds=seconds)
                told[seconds] = len(watch.evaluate().notifications)
                if not seconds:
                    count(database, 5)
    assert told == {0: 0, 30: 0, 40: 0, 59: 0, 60: 1, 61: 0}


def test_broken_topics_leave_the_last_good_ones_in_force(settings: Settings, database: Database, clock: Clock) -> None:
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        watch.evaluate()
        settings.topics_file.write_text("topics: [{name: app-logs, forma: json}]")
        count(database, 5)
        assert len(watch.evaluate().notifications) == 1
    assert "topics.yaml:1: unknown field 'forma'; did you mean 'format'?" in str(database.rule_faults()[0])
    with AlertWatch(settings, database, "after a restart", clock=clock) as watch:
        watch.evaluate()
        assert [alert.state for alert in database.alerts()] == [AlertState.FIRING]
    assert [topic.name for topic in in_force(configured_topics(settings), database).topics] == ["app-logs"]


def test_a_good_version_that_an_upgrade_refuses_is_no_crash(
    settings: Settings, database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    database.record_rules(str(settings.rules_file), "rules: of old", "0", (), START)
    settings.rules_file.unlink()
    with AlertWatch(settings, database, "upgraded", clock=clock) as watch:
        assert watch.evaluate() is None
    assert "there is no good version: no rule is evaluated" in caplog.text


def silence(*matchers: str, minutes: int = 10, at: datetime = START) -> Silence:
    ends_at = at + timedelta(minutes=minutes)
    return Silence(matchers=matchers, starts_at=at, ends_at=ends_at, created_by="alice", comment="known")


def test_a_silence_that_is_set_while_we_run_holds_from_the_next_evaluation_on_and_for_a_successor(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        number = database.add_silence(silence('alertname="DbDown"'))
        assert [(step.target, step.reason) for step in watch.evaluate().transitions] == [
            (AlertState.SUPPRESSED, "silenced by alice: known")
        ]
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        assert watch.evaluate().transitions == ()
        database.expire_silences([number], clock.now)
        told = watch.evaluate()
    assert [step.target for step in told.transitions] == [AlertState.FIRING]
    assert [sent.kind for sent in told.notifications] == [NotificationKind.FIRING]


def test_a_silence_from_the_database_ends_at_its_time_and_is_beside_those_of_the_file(
    settings: Settings, database: Database, clock: Clock
) -> None:
    forever = "{matchers: ['environment=\"test\"'], starts_at: 2026-01-01T00:00:00Z, ends_at: 2027-01-01T00:00:00Z}"
    settings.rules_file.write_text(f"{RULES}silences: [{forever}]")
    count(database, 5)
    database.add_silence(silence('alertname="DbDown"', minutes=1))
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        assert watch.evaluate().notifications == ()
        clock.now = START + timedelta(seconds=59)
        assert watch.evaluate().notifications == ()
        clock.now = START + timedelta(seconds=60)
        assert len(watch.evaluate().notifications) == 1


def test_who_was_told_before_the_silence_gets_the_resolve_in_it(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        watch.evaluate()
        database.add_silence(silence('alertname="DbDown"', minutes=60))
        clock.now = START + timedelta(minutes=30)
        database.record_counts([OffsetRange(PARTITION, 5, 5)], [], {PARTITION: clock.now})
        assert [sent.kind for sent in watch.evaluate().notifications] == [NotificationKind.RESOLVED]


def test_what_was_told_of_and_then_silenced_is_in_the_ledger_with_the_silences_that_kept_it_quiet(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        [fired] = watch.evaluate().changed
        assert database.history(fired).suppressions == ()
        number = database.add_silence(silence('alertname="DbDown"', minutes=2))
        clock.now = START + timedelta(seconds=10)
        assert watch.evaluate().notifications == ()
        [row] = database.history(fired).suppressions
        assert (row.reason, row.told, row.ends_at) == (MuteReason.SILENCE, True, None)
        assert list(map(str, row.silences)) == [f"silence {number} by alice: known"]
    clock.now = START + timedelta(minutes=2)
    count(database, 5, start=5, at=clock.now)
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        watch.evaluate()
        [row] = database.history(fired).suppressions
    assert (row.starts_at, row.ends_at) == (START + timedelta(seconds=10), clock.now)


def test_a_silence_of_the_file_is_named_as_that(settings: Settings, database: Database, clock: Clock) -> None:
    of_the_file = {"matchers": ["alertname=DbDown"], "starts_at": "2026-01-01T00:00:00Z"}
    written = json.dumps({**of_the_file, "ends_at": "2027-01-01T00:00:00Z"})
    settings.rules_file.write_text(f"{RULES}silences: [{written}]")
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        [row] = watch.evaluate().suppressions
    assert (row.told, list(map(str, row.silences))) == (False, ["a silence of the rules file: alertname=DbDown"])


def test_an_acknowledgement_is_heard_once_by_the_next_evaluation_and_known_to_a_successor(
    settings: Settings, database: Database, clock: Clock
) -> None:
    settings.rules_file.write_text(RULES.replace("{receiver: nobody}", "{receiver: nobody, repeat_interval: 10s}"))
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        [fired] = watch.evaluate().changed
        for _ in range(3):  # nothing moves any more, in the middle of a bucket
            watch.evaluate()
        database.add_ack(Ack(fired.episode, "alice", START, "on it"))
        told = watch.evaluate()
        assert [(sent.kind, sent.reason) for sent in told.notifications] == [
            (NotificationKind.UPDATE, "acknowledged by alice: on it")
        ]
        assert [(step.target, step.reason) for step in database.history(fired).transitions] == [
            (AlertState.FIRING, "over 5 in 1m"),
            (AlertState.ACKED, "acknowledged by alice: on it"),
        ]
    clock.now = START + timedelta(seconds=20)
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        assert watch.evaluate().notifications == ()
        clock.now = START + timedelta(minutes=30)
        database.record_counts([OffsetRange(PARTITION, 5, 5)], [], {PARTITION: clock.now})
        [over] = watch.evaluate().notifications
    assert (over.kind, over.alert.ack) == (NotificationKind.RESOLVED, Ack(fired.episode, "alice", START, "on it"))


def test_an_acknowledgement_that_could_not_be_recorded_is_heard_again(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as first:
        [fired] = first.evaluate().changed
        database.add_ack(Ack(fired.episode, "alice", START))
        with AlertWatch(settings, database, "second", clock=clock) as second:
            with pytest.raises(Superseded):
                first.evaluate()
            assert [step.target for step in second.evaluate().transitions] == [AlertState.ACKED]


def test_without_any_good_rules_nothing_is_evaluated_and_the_fault_is_kept(
    settings: Settings, database: Database, clock: Clock
) -> None:
    settings.rules_file.write_text("rules: here")
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        assert watch.evaluate() is None
    assert any("rules.yaml:1: unknown field 'rules'" in str(found) for found in database.rule_faults())


def test_a_topic_counted_for_the_first_time_does_not_bring_old_episodes_back_to_life(
    settings: Settings, database: Database, clock: Clock
) -> None:
    settings.topics_file.write_text("topics: [{name: app-logs}, {name: new}]")
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        watch.evaluate()
        count(database, 5)
        watch.evaluate()
        for minutes in (30, 60):
            clock.now = START + timedelta(minutes=minutes)
            database.record_counts([OffsetRange(PARTITION, 5, 5)], [], {PARTITION: clock.now})
            watch.evaluate()
        backlog = OffsetRange(TopicPartition("new", "id-2", 0), 0, 100)
        database.record_counts([backlog], [], {backlog.partition: START - timedelta(hours=1)})
        evaluation = watch.evaluate()
    assert evaluation.transitions == ()
    assert evaluation.watermark == clock.now - settings.allowed_lateness


def test_a_late_record_that_is_counted_while_nobody_evaluates_is_evaluated_by_the_successor(
    settings: Settings, database: Database, clock: Clock
) -> None:
    count(database, 4, at=START + timedelta(minutes=1))
    clock.now = START + timedelta(minutes=1)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        assert watch.evaluate().transitions == ()
    count(database, 1, start=4, at=START + timedelta(minutes=1, seconds=25))
    clock.now = START + timedelta(minutes=1, seconds=25)
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        [step] = watch.evaluate().transitions
        assert (step.target, step.late) == (AlertState.FIRING, True)
        assert watch.evaluate().transitions == ()
    with AlertWatch(settings, database, "third", clock=clock) as watch:
        assert watch.evaluate().transitions == ()
    [sent] = database.recent_notifications()
    assert sent.notification.alert.late


def test_a_page_is_repeated_an_interval_after_it_was_delivered_and_never_before(
    settings: Settings, database: Database, clock: Clock
) -> None:
    away = RULES.replace("{receiver: nobody}", "{receiver: nobody, repeat_interval: 10s}")
    settings.rules_file.write_text(
        away.replace("console_configs: [{}]", 'webhook_configs: [{url: "http://127.0.0.1:1"}]')
    )
    count(database, 5)
    with AlertWatch(settings, database, "first", clock=clock) as watch:
        assert len(watch.evaluate().notifications) == 1
        clock.now = START + timedelta(seconds=30)
        assert watch.evaluate().notifications == ()
    [page] = database.recent_notifications()
    came = Outcome(OutboxState.DELIVERED, Delivery(DeliveryStatus.DELIVERED))
    database.record_delivery(Leased(page.notification, page.target, page.attempts), came, clock.now)
    with AlertWatch(settings, database, "second", clock=clock) as watch:
        for seconds, sent in ((31, 0), (39, 0), (40, 1), (50, 0)):
            clock.now = START + timedelta(seconds=seconds)
            assert len(watch.evaluate().notifications) == sent


def test_a_generation_that_is_gone_does_not_hold_the_watermark_back() -> None:
    old, new, other = (TopicPartition("app-logs", each, 0) for each in ("old", "new", "never"))
    elsewhere = TopicPartition("not-configured", "x", 0)
    counted = [
        Counted(old, 10, START),
        Counted(new, 3, START + timedelta(minutes=5)),
        Counted(other, 0, None),
        Counted(elsewhere, 1, START),
    ]
    assert current_partitions(counted, ["app-logs"]) == [new]
