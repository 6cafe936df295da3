"""Episodes are found again, with everything recorded of them. On SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultline.adapters.database import Database, RuleVersion
from faultline.alerting.alerts import Alert, Cause, Evaluation, Suppression
from faultline.dispatch.delivery import OutboxState
from faultline.model import AlertKey, AlertState, Labels, Notification, Transition
from tests.contracts.values import NOON, SECOND, alert, notification

HOUR = 3600 * SECOND
PROD, TEST = Labels(environment="prod"), Labels(environment="test", host="a\x00b")
EFFECT = AlertKey("CheckoutFailed", PROD)


def episode(hour: int, labels: Labels = PROD, rule: str = "DbDown", *, over: bool = True) -> Alert:
    start = NOON + hour * HOUR
    ends_at = start + 60 * SECOND if over else None
    state = AlertState.RESOLVED if over else AlertState.FIRING
    return replace(alert(state, rule=rule), key=AlertKey(rule, labels), labels=labels, starts_at=start, ends_at=ends_at)


OLD, OTHER, NEW = episode(0), episode(1, TEST), episode(2, over=False)


@pytest.fixture
def past(database: Database) -> Database:
    record(database, OLD, OTHER, NEW, episode(3, rule="DbErrors"))
    return database


def record(database: Database, *alerts: Alert) -> None:
    database.record_evaluation(
        database.acquire_lease("alerts", "test"), Evaluation(NOON, NOON, "0" * 16, alerts, (), (), ())
    )


def test_the_newest_episode_of_a_rule_comes_first(past: Database) -> None:
    assert past.episodes("DbDown", {}) == [NEW, OTHER, OLD]
    assert past.episodes("DbDown", {}, limit=1) == [NEW]
    assert past.episodes("Db", {}) == []
    assert past.rules_with_alerts() == ["DbDown", "DbErrors"]


def test_labels_choose_among_a_rule_s_alerts(past: Database) -> None:
    assert past.episodes("DbDown", {"environment": "prod"}) == [NEW, OLD]
    assert past.episodes("DbDown", {"host": "a\x00b"}) == [OTHER]
    assert past.episodes("DbDown", {"environment": "prod", "host": ""}) == []


def test_a_time_chooses_the_episode_that_ran_then(past: Database) -> None:
    assert past.episodes("DbDown", {}, NOON + 30 * SECOND) == [OLD]
    assert past.episodes("DbDown", {}, NOON + 61 * SECOND) == []
    assert past.episodes("DbDown", {}, NOON + 9 * HOUR) == [NEW]


def test_an_episode_is_found_by_the_start_of_its_id_taken_literally(past: Database) -> None:
    assert past.episodes_by_id(OTHER.episode) == [OTHER]
    assert past.episodes_by_id(OLD.key.id) == [NEW, OLD]
    assert past.episodes_by_id("%") == past.episodes_by_id("_") == []


def test_a_history_has_what_happened_to_the_episode_and_where_its_cause_s_messages_name_it(database: Database) -> None:
    effect = replace(episode(0, rule="CheckoutFailed"), key=EFFECT)
    cause = Cause(OLD.key, OLD.episode, ("DbDown", "CheckoutFailed"))
    row = Suppression(effect.episode, 1, EFFECT, (cause,), "0" * 16, NOON, count=3)
    held = Transition(effect.episode, EFFECT, AlertState.INACTIVE, AlertState.HELD, NOON, "waits \x00")
    freed = Transition(effect.episode, EFFECT, AlertState.HELD, AlertState.FIRING, NOON, "no cause in sight")
    elsewhere = replace(held, episode=OLD.episode)

    def message(episode: str, sequence: int, *, names: bool) -> Notification:
        told = notification(episode=episode, sequence=sequence)
        return told if names else replace(told, suppressed=())

    messages = (
        message(OLD.episode, 1, names=True),
        message(OLD.episode, 2, names=False),
        message(effect.episode, 1, names=False),
        message("unrelated", 1, names=True),
    )
    recorded = Evaluation(NOON, NOON, "0" * 16, (OLD, effect), (held, elsewhere, freed), messages, (row,))
    database.record_evaluation(database.acquire_lease("alerts", "test"), recorded)
    found = database.history(effect)
    assert (found.alert, found.transitions, found.suppressions) == (effect, (held, freed), (row,))
    assert [(each.notification, each.state, each.attempts) for each in found.sent] == [
        (messages[2], OutboxState.QUEUED, 0)
    ]
    assert [each.notification for each in found.named] == [messages[0]]


def test_a_version_of_the_rules_that_was_in_force_once_is_found_by_its_hash(database: Database) -> None:
    database.record_rules("rules.yaml", "old", "hash-1", (), NOON)
    database.record_rules("rules.yaml", "new", "hash-2", (), NOON + SECOND)
    assert database.rules_version("hash-1") == RuleVersion("rules.yaml", "old", "hash-1", NOON)
    assert database.rules_version("hash-3") is None
