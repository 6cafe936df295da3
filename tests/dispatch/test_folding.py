"""Messages that wait for a channel's turn become one: none is lost, none overtakes, and the simulator says the same."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given

from faultline.adapters.database import Database
from faultline.alerting.rules import load_rules
from faultline.alerting.simulation import _Mail, limits_of
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Receiver
from faultline.dispatch.folding import fold
from faultline.dispatch.http import encode
from faultline.dispatch.messages import render
from faultline.dispatch.outbox import dispatch_due
from faultline.dispatch.receivers import dingtalk, feishu, folds_of, rates_of, slack, webhook, wecom
from faultline.dispatch.style import Style
from faultline.dispatch.text import size
from faultline.model import AlertKey, AlertState, Labels, Notification, NotificationKind
from faultline.testing.receivers import RecordingReceiver
from tests.contracts.values import NOON, SECOND, evaluation, notification
from tests.dispatch.providers import DINGTALK, FEISHU, SLACK, WECOM, Provider
from tests.dispatch.test_payloads import anything, hostile, strings, structure

FIRING, UPDATE, RESOLVED = NotificationKind.FIRING, NotificationKind.UPDATE, NotificationKind.RESOLVED
BUSY = Delivery(DeliveryStatus.TRANSIENT, "503", "busy")
REFUSED = Delivery(DeliveryStatus.PERMANENT, "400", "no such room")


def page(number: int, kind: NotificationKind = FIRING, *, severity: str = "warning", sequence: int = 1) -> Notification:
    base = notification(kind, episode=f"e{number:02}", sequence=sequence)
    alert = replace(base.alert, alert=AlertKey("DbDown", Labels(host=f"h{number}")), labels={"severity": severity})
    return replace(base, alert=alert)


def queue(database: Database, *notifications: Notification) -> None:
    database.record_evaluation(database.acquire_lease("alerts", "test"), evaluation(*notifications))


def dispatch(database: Database, *channels: Receiver, second: float = 0, rate: int = 2, above: int = 3) -> None:
    at = NOON + second * SECOND
    dispatch_due(
        database, {"ops": channels}, clock=lambda: at, rng=random.Random(1), rates={"ops": rate}, folds={"ops": above}
    )


def told(sent: Sequence[Notification]) -> list[list[str]]:
    """The episodes each message is about, in order."""
    return [[each.episode for each in message.folded] or [message.episode] for message in sent]


def test_what_waits_when_the_turns_are_used_up_is_told_in_one_message_at_the_next(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    assert told(ops.sent) == [["e00"], ["e01"]]
    assert database.outbox_summary()[OutboxState.FOLDED] == 5
    dispatch(database, ops, second=59)
    assert len(ops.sent) == 2
    dispatch(database, ops, second=60)
    assert told(ops.sent)[2:] == [["e02", "e03", "e04", "e05", "e06"]]


def test_a_few_wait_for_their_turn_and_are_told_one_by_one(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(page(number) for number in range(5)))
    for second in (0, 60, 120):
        dispatch(database, ops, second=second)
    assert told(ops.sent) == [["e00"], ["e01"], ["e02"], ["e03"], ["e04"]]


def test_a_channel_where_each_is_an_incident_is_told_one_by_one() -> None:
    rules = load_rules(
        "{groups: [], route: {receiver: ops}, receivers: [{name: ops, "
        "pagerduty_configs: [{routing_key_env: K, max_per_minute: 9}], webhook_configs: [{url_env: U}], "
        "slack_configs: [{api_url_env: S, fold_above: 3}], wecom_configs: [{url_env: W}]}]}"
    )
    assert folds_of(rules) == {"ops/slack/1": 3, "ops/wecom/1": 10}
    assert rates_of(rules)["ops/pagerduty/1"] == 9


def test_the_end_of_a_folded_alert_is_told_after_the_message_that_told_of_it(database: Database) -> None:
    ops = RecordingReceiver(answers=[Delivery(DeliveryStatus.DELIVERED)] * 2 + [BUSY, BUSY])
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    queue(database, page(4, RESOLVED))
    for second in range(60, 600, 60):
        dispatch(database, ops, second=second)
    assert told(ops.sent) == [["e00"], ["e01"], ["e02", "e03", "e04", "e05", "e06"], ["e04"]]
    assert ops.sent[-1].kind is RESOLVED


def test_one_message_of_many_does_not_overtake_an_earlier_one(database: Database) -> None:
    ops = RecordingReceiver(answers=[Delivery(DeliveryStatus.DELIVERED)] * 2 + [BUSY, BUSY])
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    queue(database, *(page(number, RESOLVED) for number in range(2, 7)), page(8))
    for second in range(30, 400, 30):
        dispatch(database, ops, second=second)
    first, second_one = [message for message in ops.sent if message.folded]
    assert [each.kind for each in first.folded] == [FIRING] * 5
    assert {each.kind for each in second_one.folded} == {FIRING, RESOLVED}


def test_an_alert_that_was_told_in_one_message_is_not_taken_for_untold(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    queue(database, *(page(number, RESOLVED) for number in range(2, 7)))
    assert database.outbox_summary()[OutboxState.SUPERSEDED] == 0
    for second in (60, 120, 180, 240):
        dispatch(database, ops, second=second)
    kinds = [[each.kind for each in message.folded] for message in ops.sent if message.folded]
    assert kinds[0] == [FIRING] * 5
    assert sum(map(len, kinds[1:])) + sum(each.kind is RESOLVED for each in ops.sent if not each.folded) == 5


def test_what_failed_before_is_folded_with_what_is_new_in_the_order_of_its_episode(database: Database) -> None:
    ops = RecordingReceiver(answers=[BUSY])
    queue(database, page(0))
    dispatch(database, ops, rate=1)
    queue(database, page(0, UPDATE), *(page(number) for number in range(1, 5)))
    dispatch(database, ops, second=1, rate=1)
    dispatch(database, ops, second=60, rate=1)
    [message] = ops.sent
    assert [(each.episode, each.kind) for each in message.folded[:2]] == [("e00", FIRING), ("e00", UPDATE)]
    assert "4 alerts" not in render(message).title
    assert "5 alerts in one message: 5 going on, 0 over" in render(message).title


def test_what_is_given_up_in_one_message_is_given_up_for_each_and_can_be_sent_again(database: Database) -> None:
    ops = RecordingReceiver(answers=[Delivery(DeliveryStatus.DELIVERED)] * 2 + [REFUSED])
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    dispatch(database, ops, second=60)
    dead = database.recent_notifications(20, [OutboxState.DEAD])
    assert {row.provider_message for row in dead} == {"no such room"}
    assert len(dead) == 6
    assert database.requeue_dead(NOON + 120 * SECOND) == 5
    for second in (120, 180, 240):
        dispatch(database, ops, second=second)
    assert sorted(chain.from_iterable(told(ops.sent))) == [f"e{number:02}" for number in range(7)]


def test_a_message_about_ourselves_is_not_folded_and_not_held_up(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(page(number) for number in range(7)), replace(page(9), kind=NotificationKind.META))
    dispatch(database, ops)
    dispatch(database, ops, second=60)
    assert told(ops.sent)[2:] == [["e09"], ["e02", "e03", "e04", "e05", "e06"]]


def test_repeats_start_when_the_one_message_was_delivered(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(page(number) for number in range(7)))
    dispatch(database, ops)
    keys = [page(5).key]
    assert database.deliveries(keys, NOON) == {}
    dispatch(database, ops, second=60)
    assert database.deliveries(keys, NOON) == {page(5).key: NOON + 60 * SECOND}


def test_two_dispatchers_at_once_fold_each_message_once(database_url: str, database: Database) -> None:
    queue(database, *(page(number) for number in range(40)))
    ops, start = RecordingReceiver(), Barrier(2)

    def run(_dispatcher: int) -> None:
        with Database(database_url) as mine:
            for minute in range(30):
                start.wait()  # a loan of one that is minutes behind would have run out for the other
                dispatch(mine, ops, second=60 * minute)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert sorted(chain.from_iterable(told(ops.sent))) == [f"e{number:02}" for number in range(40)]
    assert any(message.folded for message in ops.sent)


RULES = load_rules(
    "{groups: [], route: {receiver: ops}, receivers: [{name: ops, "
    "dingtalk_configs: [{url_env: U, max_per_minute: 4, fold_above: 3}]}]}"
)


@pytest.mark.parametrize("seed", range(8))
def test_the_simulator_tells_what_the_outbox_tells_at_the_same_times(seed: int, database: Database) -> None:
    rng, at = random.Random(seed), NOON
    stream: list[list[Notification]] = []
    begun, live_ones = 0, set[int]()
    for _ in range(30):
        fresh = range(begun, begun + rng.choice((0, 0, 1, 6)))
        ended = {number for number in sorted(live_ones) if rng.random() < 0.1}
        stream.append([*map(page, fresh), *(page(number, RESOLVED) for number in sorted(ended))])
        begun, live_ones = fresh.stop, live_ones - ended | set(fresh)
    mail, live = _Mail((), limits_of(RULES)), RecordingReceiver("ops/dingtalk/1")
    lease, sent = database.acquire_lease("alerts", "test"), []
    for notifications in stream:
        at += 10 * SECOND
        made = [replace(each, created_at=at) for each in notifications]
        mail.send(made, at)
        database.record_evaluation(lease, replace(evaluation(*made, at=at), at=at), {"ops": ("ops/dingtalk/1",)})
        for _ in range(3):
            before = len(live.sent)
            dispatch_due(
                database,
                {"ops": [live]},
                clock=lambda at=at: at,
                rng=random.Random(1),
                rates=rates_of(RULES),
                folds=folds_of(RULES),
            )
            sent += [(at, each.kind, [one.key for one in each.folded] or [each.key]) for each in live.sent[before:]]
    simulated = [
        (each.at, each.notification.kind, [one.key for one in each.notification.folded] or [each.notification.key])
        for each in mail.delivered
    ]
    assert simulated == sent
    assert any(each.notification.folded for each in mail.delivered)


CROWD = [page(number, severity="critical" if number == 9 else "warning") for number in range(30)]
MIXED = fold([*CROWD, page(1, RESOLVED), page(2, UPDATE)], NOON)


def test_the_message_has_each_alert_once_what_goes_on_and_is_severest_first() -> None:
    message = render(MIXED)
    assert message.title == "[DIGEST] CRITICAL 30 alerts in one message: 29 going on, 1 over"
    lines = message.text.splitlines()
    assert lines[0] == "32 messages waited for this channel's turn and are told in this one"
    assert lines[1] == "  - FIRING CRITICAL DbDown host=h9: 42 since 12:00:00, 1 effects not paged; 42 DB errors"
    assert lines[-3:] == [
        "  - and 10 more: DbDown 10",
        "each of them: faultline outbox list --state folded_into_digest",
        "id: fold:e00-ops-firing-1-ops-digest-1",
    ]
    assert "RESOLVED" in render(fold([page(1, RESOLVED), page(2)], NOON)).text.splitlines()[2]


def test_the_same_in_chinese() -> None:
    message = render(MIXED, style=Style("zh"))
    assert message.title == "[摘要] CRITICAL 30 个告警合为一条消息：29 个未恢复，1 个已恢复"
    assert message.text.splitlines()[1] == (
        "  - 告警 CRITICAL DbDown host=h9：42 条，始于 12:00:00，1 个影响未单独通知；42 DB errors"
    )


def test_a_program_sees_it_end_when_all_that_is_told_is_over() -> None:
    assert fold([page(1), page(1, RESOLVED)], NOON).alert.state is AlertState.RESOLVED
    assert webhook.payload(MIXED)["status"] == "firing"


@pytest.mark.parametrize(
    ("provider", "payload", "marks"),
    [
        (SLACK, slack.payload, "<>`*@~"),
        (DINGTALK, dingtalk.payload, "<>`*@~[]!#|"),
        (FEISHU, feishu.payload, "<>`*@~[]!#|"),
        (WECOM, wecom.payload, "<>`*@~[]!#|"),
    ],
    ids=["slack", "dingtalk", "feishu", "wecom"],
)
@given(text=anything)
def test_no_log_text_in_it_becomes_markup_or_a_mention(provider: Provider, payload: Any, marks: str, text: str) -> None:
    shown = json.loads(encode(payload(fold([hostile(text), page(1)], NOON))))
    plain = payload(fold([hostile("x"), page(1)], NOON))
    if "://" not in text:
        assert structure(provider.text(shown), marks) == structure(provider.text(plain), marks)
    for place in strings(shown):
        assert "<!" not in place
        assert "<@" not in place
        assert all(unicodedata.category(character)[0] != "C" for character in place if character != "\n")


@pytest.mark.parametrize(
    ("payload", "read", "limit"),
    [(slack.payload, SLACK.text, 3000), (wecom.payload, WECOM.text, 4096), (dingtalk.payload, DINGTALK.text, 9000)],
    ids=["slack", "wecom", "dingtalk"],
)
def test_it_keeps_to_the_limit_by_leaving_alerts_out(payload: Any, read: Any, limit: int) -> None:
    text = read(payload(fold([hostile("数据库" * 100), *CROWD], NOON))).replace("  \n", "\n")
    assert size(text) <= limit
    assert "more: DbDown" in text
