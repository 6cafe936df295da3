"""The past a page at a time: what went on in a span, what was kept back in it, what became of its messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from faultline.adapters.database import Database
from faultline.adapters.database.schema import _config
from faultline.adapters.database.stored import ALERT, to_json
from faultline.alerting.alerts import Alert, Suppression
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Outcome
from faultline.model import AlertKey, AlertState, Interval, Labels, NotificationKind
from tests.contracts.values import NOON, SECOND, alert, evaluation, notification

HOUR = timedelta(hours=1)
FIRST = range(11)


def episode(rule: str, begins: float, ends: float | None, **labels: str) -> Alert:
    """An episode from so many hours after noon; with an end it is over."""
    over = {} if ends is None else {"state": AlertState.RESOLVED, "ends_at": NOON + ends * HOUR}
    known = Labels(environment="prod", **labels)
    return replace(alert(rule=rule), key=AlertKey(rule, known), labels=known, starts_at=NOON + begins * HOUR, **over)


def record(database: Database, *alerts: Alert, **more: object) -> None:
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, replace(evaluation(alerts=alerts), **{"suppressions": (), **more}))


def between(begins: float, ends: float) -> Interval:
    return Interval(NOON + begins * HOUR, NOON + ends * HOUR)


@pytest.mark.parametrize(
    ("span", "rules"),
    [
        (between(0, 5), ["Later", "Short", "Long", "Old"]),
        (between(1.5, 1.8), ["Long", "Old"]),
        (between(2, 2.5), ["Short", "Long", "Old"]),
        (between(3.5, 4), ["Later", "Long"]),
        (between(-9, -8), []),
    ],
)
def test_an_episode_is_in_every_span_it_goes_on_in(database: Database, span: Interval, rules: list[str]) -> None:
    alerts = [episode("Old", -1, 3), episode("Long", 1, None), episode("Short", 2, 2.1), episode("Later", 3.2, 3.6)]
    record(database, *alerts)
    record(database, forgotten=tuple(each.episode for each in alerts))
    assert [each.rule for each in database.outlines_between(span, 10)] == rules
    assert len(database.outlines_between(span, 1)) == min(len(rules), 1)


def test_an_outline_says_when_the_episode_was_over(database: Database) -> None:
    corrected = replace(alert(AlertState.INACTIVE), last_seen=NOON + SECOND)
    record(database, episode("Over", 0, 1), episode("Live", 0, None), corrected)
    found = {each.rule: each.over_at for each in database.outlines_between(between(0, 1), 10)}
    assert found == {"Over": NOON + HOUR, "Live": None, "DbDown": NOON + SECOND}


def test_the_ledger_of_a_span_is_found_by_rule_and_by_text(database: Database) -> None:
    one, other = episode("Payments", 0, None, host="db-1"), episode("Cart_100%", 0, None, host='数据 "库"')
    rows = [
        Suppression(one.episode, 1, one.key, (), "", NOON, NOON + HOUR),
        Suppression(one.episode, 2, one.key, (), "", NOON + 2 * HOUR),
        Suppression(other.episode, 1, other.key, (), "", NOON + HOUR, NOON + HOUR),
    ]
    record(database, one, other, suppressions=tuple(rows))

    def found(span: Interval, text: str = "", rule: str = "", page: range = FIRST) -> list[tuple[str, int]]:
        ledger = database.ledger_between(span, text, rule, page)
        return [(each.suppression.alert.rule, each.suppression.sequence) for each in ledger]

    everything = [("Payments", 2), ("Cart_100%", 1), ("Payments", 1)]
    assert found(between(0, 3)) == everything
    assert found(between(0, 3), page=range(1, 2)) == everything[1:2]
    assert found(between(1.5, 1.6)) == []
    assert found(between(0, 3), rule="Payments") == [everything[0], everything[2]]
    for text_of_one in ("DB-1", "payments"):
        assert found(between(0, 3), text_of_one) == [everything[0], everything[2]]
    for text_of_other in ("数据", '"库"', "_100%", "cart"):
        assert found(between(0, 3), text_of_other) == [everything[1]]
    assert found(between(0, 3), "x_x") == []
    [row] = database.ledger_between(between(0, 3), "cart", "", FIRST)
    assert (row.labels["host"], row.severity) == ('数据 "库"', "")


def test_messages_of_a_span_are_found_by_state_by_rule_and_by_what_the_provider_said(database: Database) -> None:
    known = alert()
    record(database, known)
    about = notification(episode=known.episode)
    later = replace(notification(NotificationKind.UPDATE, sequence=2, episode=known.episode), created_at=NOON + HOUR)
    for each in (about, later, notification(NotificationKind.META, episode="faultline")):
        database.enqueue(each, ["ops/webhook/1"])
    [leased] = database.lease_due(NOON, HOUR, 1)
    refused = Delivery(DeliveryStatus.PERMANENT, "404", "channel_not_found")
    database.record_delivery(leased, Outcome(OutboxState.DEAD, refused), NOON + SECOND)

    def found(span: Interval, text: str = "", rule: str = "", *states: OutboxState, page: range = FIRST) -> list[str]:
        messages = database.messages_between(span, text, rule, states, page)
        return [each.message.kind for each in messages]

    assert found(between(0, 2)) == ["update", "meta", "firing"]
    assert found(between(0, 2), page=range(1, 2)) == ["meta"]
    assert found(between(0, 1)) == ["meta", "firing"]
    assert found(between(0, 2), "", "DbDown") == ["update", "firing"]
    assert found(between(0, 2), "", "", OutboxState.DEAD) == ["firing"]
    assert found(between(0, 2), "Channel_Not") == ["firing"]
    assert found(between(0, 2), "webhook") == ["update", "meta", "firing"]
    update, meta, _ = database.messages_between(between(0, 2), "", "", (), FIRST)
    assert (update.rule, update.labels, update.known) == ("DbDown", {"environment": "prod"}, True)
    assert (meta.rule, meta.labels, meta.known) == ("", {}, False)


def test_alerts_of_an_older_version_get_the_time_they_were_over(database_url: str) -> None:
    over, live = episode("Over", 0, 1), episode("Live", 0, None)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0011")
        names = "episode, alert_id, rule, state, live, starts_at, body, severity, labels, records"
        values = ":episode, 'a', :rule, :state, true, '2026-11-22 12:00:00', :body, '', '{}', 1"
        for each in (over, live):
            row = {"episode": each.episode, "rule": each.key.rule, "state": each.state, "body": to_json(ALERT, each)}
            connection.execute(text(f"INSERT INTO alerts ({names}) VALUES ({values})"), row)
    engine.dispose()
    with Database(database_url) as database:
        database.migrate()
        found = {each.rule: each.over_at for each in database.live_outlines(10)}
    assert found == {"Over": NOON + HOUR, "Live": None}
