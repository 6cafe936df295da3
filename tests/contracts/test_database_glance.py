"""Alerts as lists show them: outlines say what the alerts say, and only what is asked for is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alembic import command
from sqlalchemy import create_engine, text

from faultline.adapters.database import Database, Outline
from faultline.adapters.database.schema import _config
from faultline.adapters.database.stored import ALERT, to_json
from faultline.alerting.alerts import Alert, Cause, MuteReason, Sample, Suppression
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Outcome
from faultline.model import AlertKey, AlertState, Labels, NotificationKind
from tests.contracts.values import NOON, SECOND, alert, evaluation, notification

HOUR = timedelta(hours=1)
ROOT = alert()


def effect(rule: str = "CheckoutFailed", **more: object) -> Alert:
    """An alert that ROOT explains."""
    cause = Cause(ROOT.key, ROOT.episode, ("DbDown", rule))
    labels = Labels(environment="prod", severity="warning")
    changed: dict[str, object] = {"labels": labels, "causes": (cause,), "starts_at": NOON + SECOND, **more}
    return replace(alert(AlertState.SUPPRESSED, rule=rule, number=7), **changed)


def record(database: Database, *alerts: Alert, **more: object) -> None:
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, replace(evaluation(alerts=alerts), **{"suppressions": (), **more}))


def test_an_outline_says_what_the_alert_says(database: Database) -> None:
    below = effect(severity="critical")
    record(database, ROOT, below)
    assert database.live_outlines(10) == [
        Outline(
            below.episode,
            "CheckoutFailed",
            AlertState.SUPPRESSED,
            NOON + SECOND,
            ROOT.episode,
            "critical",
            {"environment": "prod", "severity": "warning"},
            7,
        ),
        Outline(ROOT.episode, "DbDown", AlertState.FIRING, NOON, None, "", {"environment": "prod"}, 20),
    ]
    assert len(database.live_outlines(1)) == 1


def test_an_outline_changes_with_its_alert(database: Database) -> None:
    record(database, ROOT)
    record(database, replace(ROOT, state=AlertState.ACKED, count=99))
    [outline] = database.live_outlines(10)
    assert (outline.state, outline.records) == (AlertState.ACKED, 99)


def test_what_is_forgotten_is_outlined_only_by_its_time(database: Database) -> None:
    record(database, ROOT)
    record(database, forgotten=(ROOT.episode,))
    assert database.live_outlines(10) == []
    assert [each.episode for each in database.outlines_since(NOON, 10)] == [ROOT.episode]
    assert database.outlines_since(NOON + SECOND, 10) == []


def test_only_the_alerts_that_are_asked_for_are_read_whole(database: Database) -> None:
    record(database, ROOT, effect())
    assert database.alerts_of([ROOT.episode, "none"]) == {ROOT.episode: ROOT}
    assert database.alerts_of([]) == {}


def test_messages_are_listed_newest_first_with_what_became_of_them(database: Database) -> None:
    first, second = notification(), notification(NotificationKind.UPDATE, sequence=2)
    for each in (first, second, notification(episode="e2")):
        database.enqueue(each, ["ops/webhook/1"])
    [leased, *_] = database.lease_due(NOON, HOUR, 1)
    delivered = Delivery(DeliveryStatus.DELIVERED, "200", "ok")
    database.record_delivery(leased, Outcome(OutboxState.DELIVERED, delivered), NOON + SECOND)
    update, page = database.messages_of(["e1"], 10)
    assert (update.kind, update.state, update.finished_at) == (NotificationKind.UPDATE, OutboxState.QUEUED, None)
    assert (page.state, page.finished_at, page.answer) == (OutboxState.DELIVERED, NOON + SECOND, "200 ok")
    assert len(database.messages_of(["e1", "e2"], 2)) == 2
    assert database.last_notifications(["e1", "none"]) == {"e1": second}


def test_what_was_silenced_is_told_from_what_a_cause_explained(database: Database) -> None:
    below = effect(labels=Labels(team="shop"))
    hostile = (Sample('"reason":"silence"'),)
    rows = [
        Suppression(below.episode, 1, below.key, below.causes, "", NOON - HOUR, NOON - HOUR, samples=hostile),
        Suppression(below.episode, 2, below.key, (), "", NOON - HOUR, NOON - HOUR, reason=MuteReason.SILENCE),
        Suppression(below.episode, 3, below.key, (), "", NOON - HOUR, reason=MuteReason.SILENCE),
        Suppression(below.episode, 4, below.key, (), "", NOON, NOON + SECOND, reason=MuteReason.SILENCE),
    ]
    record(database, below, suppressions=tuple(rows))
    found = database.silenced_since(NOON, 10)
    assert [each.suppression.sequence for each in found] == [4, 3]
    assert [each.labels for each in found] == [{"team": "shop"}] * 2
    assert [each.suppression.sequence for each in database.silenced_since(NOON - 2 * HOUR, 10)] == [4, 3, 2]


def test_alerts_of_an_older_version_get_their_outlines(database_url: str) -> None:
    below = effect(key=AlertKey("CheckoutFailed", Labels(environment="产\x00")))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0005")
        names = "episode, alert_id, rule, state, live, starts_at, body"
        row = text(f"INSERT INTO alerts ({names}) VALUES (:episode, 'a', 'r', 'firing', true, '2026-11-22', :body)")
        for each in (ROOT, below):
            connection.execute(row, {"episode": each.episode, "body": to_json(ALERT, each)})
    engine.dispose()
    with Database(database_url) as database:
        database.migrate()
        outlines = {each.episode: each for each in database.live_outlines(10)}
    assert outlines[ROOT.episode].root is None
    found = outlines[below.episode]
    assert (found.root, found.severity, found.records) == (ROOT.episode, "warning", 7)
    assert found.labels == dict(below.labels)
