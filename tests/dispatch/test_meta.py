"""Whoever cannot be told is told of through the others: at once when it is for good, after minutes when it goes on."""

from __future__ import annotations

import random

from faultline.adapters.database import Database
from faultline.alerting.rules import load_rules
from faultline.dispatch.delivery import Delivery, DeliveryStatus, Leased, OutboxState, Outcome
from faultline.dispatch.meta import FAILING_AFTER, Fallback, plan_telling
from faultline.dispatch.outbox import dispatch_due
from faultline.dispatch.receivers import build_receivers, fallback_of, rates_of
from faultline.model import Notification
from faultline.testing.receivers import RecordingReceiver
from tests.contracts.values import NOON, SECOND, evaluation, notification
from tests.dispatch.test_receivers import RULES

REFUSED = Delivery(DeliveryStatus.PERMANENT, "310000", "keywords not in content")
BUSY = Delivery(DeliveryStatus.TRANSIENT, "503", "busy")
FALLBACK = Fallback("ops", ("ops/console/1",))


def told(outcome: Outcome, attempt: int = 1, target: str = "chat", fallback: Fallback | None = FALLBACK) -> str | None:
    telling = plan_telling(Leased(notification(), target, attempt), outcome, fallback, NOON)
    return telling.notification.alert.annotations["summary"] if telling else None


def test_a_dead_letter_says_who_was_not_told_what_and_why() -> None:
    assert told(Outcome(OutboxState.DEAD, REFUSED)) == (
        "chat was not told of e1-ops-firing-1 and will not be: 310000 keywords not in content. "
        "See faultline outbox list --state dead"
    )


def test_a_target_that_fails_for_minutes_is_told_of_once() -> None:
    retry = Outcome(OutboxState.RETRY, BUSY, NOON + SECOND)
    said = [told(retry, attempt) for attempt in range(1, 30)]
    assert [number for number, text in enumerate(said, 1) if text] == [FAILING_AFTER]


def test_nothing_is_told_of_what_was_delivered_or_to_the_channel_that_failed() -> None:
    assert told(Outcome(OutboxState.DELIVERED, Delivery(DeliveryStatus.DELIVERED))) is None
    assert told(Outcome(OutboxState.DEAD, REFUSED), target="ops/console/1") is None
    assert told(Outcome(OutboxState.DEAD, REFUSED), fallback=None) is None


def test_dead_letters_of_a_target_are_one_message_an_hour_through_the_fallback(database: Database) -> None:
    lease = database.acquire_lease("alerts", "test")
    pages = evaluation(notification(), notification(episode="e2"))
    database.record_evaluation(lease, pages, {"ops": ("chat",)})
    chat, console = RecordingReceiver("chat", answers=[REFUSED, REFUSED]), RecordingReceiver("ops/console/1")
    for second in (0, 1):
        dispatch_due(
            database,
            {"ops": [chat, console]},
            clock=lambda second=second: NOON + second * SECOND,
            rng=random.Random(1),
            fallback=FALLBACK,
        )
    assert [sent.alert.alert.rule for sent in console.sent] == ["NotificationDead"]
    assert database.outbox_summary()[OutboxState.DEAD] == 2


def test_channels_that_all_fail_do_not_tell_each_other_for_ever(database: Database) -> None:
    class Refuses(RecordingReceiver):
        def send(self, notification: Notification) -> Delivery:
            super().send(notification)
            return REFUSED

    channels = [Refuses("a"), Refuses("b")]
    database.record_evaluation(
        database.acquire_lease("alerts", "test"), evaluation(notification()), {"ops": ("a", "b")}
    )
    for second in range(60):
        dispatch_due(
            database,
            {"ops": channels},
            clock=lambda second=second: NOON + second * SECOND,
            rng=random.Random(1),
            fallback=Fallback("ops", ("a", "b")),
        )
    assert sum(len(channel.attempts) for channel in channels) == 4


def test_the_fallback_is_the_receiver_of_the_root_route() -> None:
    rules = load_rules(RULES)
    assert fallback_of(rules, build_receivers(rules)) == Fallback(
        "ops", ("ops/console/1", "ops/webhook/1", "ops/webhook/2")
    )


def test_the_rates_are_the_providers_unless_the_file_says_otherwise() -> None:
    rules = load_rules(RULES + "  dingtalk_configs: [{url_env: A}, {url_env: B, max_per_minute: 5}]\n")
    assert rates_of(rules) == {"nobody/dingtalk/1": 20, "nobody/dingtalk/2": 5}
