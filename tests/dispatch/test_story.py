"""Why nobody was told, or who was: a table of histories and the sentence that each comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from faultline.alerting.alerts import Alert, Cause, MuteReason, Suppression, SuppressionOutcome
from faultline.alerting.rules import load_rules
from faultline.dispatch.conclusion import conclude
from faultline.dispatch.delivery import OutboxState, Sent
from faultline.dispatch.story import History, Measured, counted_in, measure, ran_at, time_line
from faultline.model import AlertKey, AlertState, Labels, NotificationKind, Transition
from tests.contracts.values import BUCKET, KEY, NOON, SECOND, alert, count, notification

ROOT = AlertKey("Network", Labels(environment="prod"))
CAUSE = Cause(ROOT, "e0", ("Network", "DbDown"))
SILENCE = "silenced until 13:00"


def sent(state: OutboxState, target: str = "ops/slack/1", kind: NotificationKind = NotificationKind.FIRING) -> Sent:
    refused = state in (OutboxState.RETRY, OutboxState.DEAD)
    finished = NOON + SECOND if state in (OutboxState.DELIVERED, OutboxState.DEAD) else None
    answer = ("500", "no room") if refused else (None, None)
    return Sent(notification(kind), target, state, 2, NOON + 30 * SECOND, finished, *answer)


def step(target: AlertState, reason: str = "over 20 in 5m") -> Transition:
    return Transition("e1", KEY, AlertState.INACTIVE, target, NOON, reason)


def row(reason: MuteReason = MuteReason.CHAIN, causes: tuple[Cause, ...] = (CAUSE,)) -> Suppression:
    return Suppression("e1", 1, KEY, causes, "0" * 16, NOON, reason=reason)


HISTORIES = {
    "delivered": (
        History(alert(), sent=(sent(OutboxState.DELIVERED), sent(OutboxState.DELIVERED, "ops/console/1"))),
        "Told: ops/slack/1, ops/console/1.",
    ),
    "corrected": (
        History(replace(alert(AlertState.RESOLVED), corrected=True), sent=(sent(OutboxState.DELIVERED),)),
        "Told: ops/slack/1; then corrected: with records that came late it was no alert.",
    ),
    "one channel given up": (
        History(alert(), sent=(sent(OutboxState.DELIVERED, "ops/console/1"), sent(OutboxState.DEAD))),
        "Told: ops/console/1. Given up for ops/slack/1: 500 no room.",
    ),
    "all given up": (
        History(alert(), sent=(sent(OutboxState.DEAD),)),
        "Nobody was told. Given up for ops/slack/1: 500 no room.",
    ),
    "waits": (
        History(alert(), sent=(sent(OutboxState.RETRY), sent(OutboxState.DEAD, "ops/wecom/1"))),
        "Nobody has been told yet: its message waits to be sent to ops/slack/1. Given up for ops/wecom/1: 500 no room.",
    ),
    "told in one message with others": (
        History(alert(), sent=(replace(sent(OutboxState.FOLDED), finished_at=NOON),)),
        "Told: ops/slack/1.",
    ),
    "to be told in one message with others": (
        History(alert(), sent=(replace(sent(OutboxState.FOLDED), finished_at=None),)),
        "Nobody has been told yet: its message waits to be sent to ops/slack/1.",
    ),
    "over before it was sent": (
        History(alert(AlertState.RESOLVED), sent=(sent(OutboxState.SUPERSEDED),)),
        "Nobody was told: it began and ended before a message could be sent.",
    ),
    "held": (
        History(alert(AlertState.HELD), (step(AlertState.HELD, "waits 30s for a cause"),)),
        "Nobody has been told yet: it is held (waits 30s for a cause).",
    ),
    "firing, no message": (
        History(alert(), (step(AlertState.FIRING),)),
        "Nobody has been told yet: its route's group_wait is not over, or its receiver has no channels.",
    ),
    "fired, no message": (
        History(alert(AlertState.RESOLVED), (step(AlertState.FIRING), step(AlertState.RESOLVED))),
        "Nobody was told: it was firing, but no message was made; its receiver has no channels.",
    ),
    "too old": (
        History(alert(AlertState.EXPIRED), (step(AlertState.EXPIRED, "would have fired"),)),
        "Nobody was told: it is expired (would have fired).",
    ),
    "acknowledged before it was sent": (
        History(alert(AlertState.ACKED), (step(AlertState.ACKED, "acknowledged by alice"),)),
        "Nobody has been told yet: its route's group_wait is not over, or its receiver has no channels.",
    ),
    "silenced": (
        History(alert(AlertState.SUPPRESSED), (step(AlertState.SUPPRESSED, SILENCE),), (row(MuteReason.SILENCE, ()),)),
        "Nobody was told: it is kept back by a silence.",
    ),
    "suppressed, in its root's message": (
        History(alert(AlertState.SUPPRESSED), suppressions=(row(),), named=(sent(OutboxState.DELIVERED),)),
        'Nobody was told of it by itself: it is explained by Network{environment="prod"}; '
        "a message about its cause names it, sent to ops/slack/1.",
    ),
    "suppressed, root not told": (
        History(alert(AlertState.RESOLVED), suppressions=(row(),), named=(sent(OutboxState.DEAD),)),
        'Nobody was told of it by itself: it was explained by Network{environment="prod"}; '
        "no message that was delivered names it.",
    ),
}


@pytest.mark.parametrize(("history", "sentence"), HISTORIES.values(), ids=HISTORIES)
def test_the_answer_is_a_sentence(history: History, sentence: str) -> None:
    assert conclude(history) == sentence


def test_the_time_line_is_in_order_and_says_what_each_message_came_to() -> None:
    ended = replace(row(), count=1234, ends_at=NOON + SECOND, outcome=SuppressionOutcome.EXPIRED)
    late = replace(step(AlertState.FIRING), at=NOON + SECOND)
    events = time_line(History(alert(), (step(AlertState.SUPPRESSED), late), (ended,), (sent(OutboxState.RETRY),)))
    assert [(event.at, event.what) for event in events] == [
        (NOON, "inactive → suppressed"),
        (NOON, "kept back by a chain"),
        (NOON, "firing message to ops/slack/1"),
        (NOON + SECOND, "inactive → firing"),
        (NOON + SECOND, "no longer kept back: expired"),
    ]
    assert events[1].details == ('by Network{environment="prod"}, along Network → DbDown', "rules version " + "0" * 16)
    retried = "retry, 2 attempts, again from 2026-11-22 12:00:30"
    assert events[2].details == ("threshold crossed", retried, "the provider said: 500 no room")
    assert events[4].details == ("1,234 records by then",)


def test_of_the_same_time_a_message_comes_after_the_step_it_tells_of_and_before_the_next() -> None:
    fired, acked = step(AlertState.FIRING), step(AlertState.ACKED, "acknowledged by alice")
    told = sent(OutboxState.DELIVERED, kind=NotificationKind.UPDATE)
    summary = replace(told.notification.alert, state=AlertState.ACKED)
    update = replace(told, notification=replace(told.notification, alert=summary))
    events = time_line(History(alert(AlertState.ACKED), (fired, acked), sent=(sent(OutboxState.DELIVERED), update)))
    assert [event.what for event in events] == [
        "inactive → firing",
        "firing message to ops/slack/1",
        "inactive → acked",
        "update message to ops/slack/1",
    ]


def test_a_step_that_took_late_records_says_so() -> None:
    [event] = time_line(History(alert(), (replace(step(AlertState.FIRING), late=True),)))
    assert event.what == "inactive → firing (late)"
    assert event.details == ("over 20 in 5m", "records that came late are counted in")


@pytest.mark.parametrize(
    ("options", "windows"),
    [
        ("num_events: 3", [("2", False), ("4", True), ("2", False)]),
        (
            "type: percentage_match, match_bucket_filter: ['level=ERROR'], max_percentage: 60",
            [("100% of 2", True), ("50% of 4", False)],
        ),
        (
            "type: cardinality, cardinality_field: level, max_cardinality: 1",
            [("1 value", False), ("2 values", True), ("1 value", False)],
        ),
        (
            "type: spike, spike_height: 2, spike_type: up, alert_on_new_data: true",
            [("2 after 0", True), ("4 after 0", True), ("2 after 2", False)],
        ),
    ],
    ids=["frequency", "percentage", "cardinality", "spike"],
)
def test_windows_are_said_in_the_rule_s_own_terms(options: str, windows: list[tuple[str, bool]]) -> None:
    rules = load_rules(f"""
groups: [{{name: g, rules: [{{alert: DbDown, query_key: [environment], timeframe: 20s, {options}}}]}}]
route: {{receiver: ops}}
receivers: [{{name: ops}}]
""")
    rows = [
        count(2, bucket=0, level="ERROR", environment="prod"),
        count(2, bucket=1, level="FATAL", environment="prod"),
        count(9, bucket=1, level="FATAL", environment="test"),
    ]
    rule = rules.rules["DbDown"]
    closed = NOON + 3 * BUCKET
    going_on = replace(alert(), cleared_at=None)
    span = counted_in(going_on, rule, BUCKET, NOON + 2 * BUCKET)
    watched = datetime.min.replace(tzinfo=NOON.tzinfo)
    found = measure(History(going_on), rule, rows, span, bucket=BUCKET, closed=closed, watched=watched)
    expected = zip((2, 2, 0), windows, strict=False)
    assert found == tuple(
        Measured(NOON + number * BUCKET, records, *window) for number, (records, window) in enumerate(expected)
    )


@pytest.mark.parametrize(
    ("episode", "second", "ran"),
    [
        (alert(), -1, False),
        (alert(), 9999, True),
        (replace(alert(AlertState.RESOLVED), ends_at=NOON + 60 * SECOND), 60, True),
        (replace(alert(AlertState.RESOLVED), ends_at=NOON + 60 * SECOND), 61, False),
        (replace(alert(AlertState.INACTIVE), last_seen=NOON + 5 * SECOND), 6, False),
    ],
    ids=["not yet", "goes on", "its end", "over", "never matured"],
)
def test_an_episode_ran_from_its_start_to_its_end(episode: Alert, second: int, ran: bool) -> None:
    assert ran_at(episode, NOON + second * SECOND) is ran
