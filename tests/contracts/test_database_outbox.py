"""The outbox lends each notification to one sender at a time, in order. On SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from faultline.adapters.database import Database
from faultline.dispatch.delivery import Delivery, DeliveryStatus, Leased, OutboxState, Outcome
from faultline.model import Notification, NotificationKind
from tests.contracts.values import NOON, SECOND, evaluation, notification

MINUTE = 60 * SECOND
DELIVERED = Outcome(OutboxState.DELIVERED, Delivery(DeliveryStatus.DELIVERED, "200", "ok"))
DEAD = Outcome(OutboxState.DEAD, Delivery(DeliveryStatus.PERMANENT, "400", "bad \x00 request"))
FIRING, UPDATE, RESOLVED = NotificationKind.FIRING, NotificationKind.UPDATE, NotificationKind.RESOLVED


def retry(seconds: int) -> Outcome:
    return Outcome(OutboxState.RETRY, Delivery(DeliveryStatus.TRANSIENT, "500", "later"), NOON + seconds * SECOND)


def queue(database: Database, *notifications: Notification) -> None:
    database.record_evaluation(database.acquire_lease("alerts", "test"), evaluation(*notifications))


def lease(database: Database, second: int = 0, limit: int = 10) -> list[Leased]:
    return database.lease_due(NOON + second * SECOND, MINUTE, limit)


def kinds(leased: list[Leased]) -> list[NotificationKind]:
    return [one.notification.kind for one in leased]


def test_the_oldest_that_is_to_be_sent_still_is_known(database: Database) -> None:
    assert database.waiting_since() is None
    queue(database, *(replace(notification(episode=f"e{n}"), created_at=NOON + n * SECOND) for n in (1, 2, 3)))
    (first, second, _) = lease(database, 9)
    assert database.waiting_since() == NOON + SECOND
    database.record_delivery(first, DELIVERED, NOON)
    database.record_delivery(second, retry(9), NOON)
    assert database.waiting_since() == NOON + 2 * SECOND


def test_what_is_queued_is_lent_once(database: Database) -> None:
    queue(database, notification(sample="NUL \x00 and 数据库"))
    (leased,) = lease(database)
    assert leased == Leased(notification(sample="NUL \x00 and 数据库"), "ops", 1)
    assert lease(database) == []
    assert lease(database, 59) == []


def test_nothing_is_lent_before_it_was_created(database: Database) -> None:
    queue(database, notification())
    assert lease(database, -1) == []


def test_a_loan_that_ran_out_is_lent_again_with_the_same_notification_id(database: Database) -> None:
    queue(database, notification())
    (first,) = lease(database)
    (second,) = lease(database, 60)
    assert second.notification.key == first.notification.key
    assert second.attempt == 2


def test_at_most_limit_are_lent_oldest_first(database: Database) -> None:
    queue(database, *(notification(episode=f"e{number}") for number in range(3)))
    first = lease(database, limit=2)
    assert [leased.notification.episode for leased in first] == ["e0", "e1"]
    for leased in first:
        database.record_delivery(leased, DELIVERED, NOON)
    assert [leased.notification.episode for leased in lease(database, limit=2)] == ["e2"]


def test_a_target_has_one_sender_at_a_time_and_keeps_none_from_others(database: Database) -> None:
    targets = {"ops": ("hangs", "serves")}
    pages = evaluation(*(notification(episode=f"e{number}") for number in range(3)))
    database.record_evaluation(database.acquire_lease("alerts", "test"), pages, targets)
    assert [leased.target for leased in lease(database, limit=1)] == ["hangs"]
    assert {leased.target for leased in lease(database)} == {"serves"}
    assert lease(database) == []


def test_a_loan_that_is_given_back_counts_as_no_attempt(database: Database) -> None:
    queue(database, notification(FIRING))
    (leased,) = lease(database)
    database.give_back([leased], NOON + SECOND)
    assert database.outbox_summary()[OutboxState.QUEUED] == 1
    (again,) = lease(database, 1)
    assert again == leased
    database.record_delivery(again, retry(2), NOON)
    (third,) = lease(database, 2)
    database.give_back([leased, third], NOON + 2 * SECOND)
    assert (database.outbox_summary()[OutboxState.RETRY], lease(database, 2)) == (1, [third])


def test_what_was_delivered_is_never_lent_again(database: Database) -> None:
    queue(database, notification())
    (leased,) = lease(database)
    assert database.record_delivery(leased, DELIVERED, NOON)
    assert lease(database, 3600) == []
    (row,) = database.recent_notifications()
    assert (row.state, row.attempts, row.finished_at, row.provider_code) == (OutboxState.DELIVERED, 1, NOON, "200")


def test_a_retry_waits_until_it_is_due(database: Database) -> None:
    queue(database, notification())
    (leased,) = lease(database)
    database.record_delivery(leased, retry(30), NOON)
    assert lease(database, 29) == []
    assert [again.attempt for again in lease(database, 30)] == [2]


def test_a_dead_one_stays_with_the_reason(database: Database) -> None:
    queue(database, notification())
    (leased,) = lease(database)
    database.record_delivery(leased, DEAD, NOON)
    assert lease(database, 3600) == []
    assert [row.provider_message for row in database.recent_notifications()] == ["bad \ufffd request"]


@pytest.mark.parametrize("late", [retry(5), DEAD], ids=["retry", "dead"])
def test_a_sender_whose_loan_ran_out_cannot_fail_its_successor(database: Database, late: Outcome) -> None:
    queue(database, notification())
    (slow,) = lease(database)
    (successor,) = lease(database, 60)
    assert not database.record_delivery(slow, late, NOON)
    assert database.record_delivery(successor, DELIVERED, NOON)
    assert not database.record_delivery(slow, late, NOON)
    assert database.outbox_summary()[OutboxState.DELIVERED] == 1


def test_a_sender_whose_loan_ran_out_still_says_that_it_delivered(database: Database) -> None:
    queue(database, notification())
    (slow,) = lease(database)
    (successor,) = lease(database, 60)
    database.record_delivery(successor, retry(90), NOON)
    assert database.record_delivery(slow, DELIVERED, NOON)
    assert lease(database, 3600) == []


def test_a_resolve_waits_for_its_firing(database: Database) -> None:
    queue(database, notification(FIRING))
    (firing,) = lease(database)
    queue(database, notification(UPDATE), notification(RESOLVED))
    assert lease(database) == []
    database.record_delivery(firing, retry(30), NOON)
    assert lease(database, 20) == []
    (firing,) = lease(database, 30)
    assert kinds([firing]) == [FIRING]
    database.record_delivery(firing, DELIVERED, NOON)
    (update,) = lease(database, 31)
    assert kinds([update]) == [UPDATE]
    database.record_delivery(update, DEAD, NOON)
    assert kinds(lease(database, 32)) == [RESOLVED]


def test_one_target_that_fails_does_not_hold_up_another(database: Database) -> None:
    lease_ = database.acquire_lease("alerts", "test")
    targets = {"ops": ("ops/console", "ops/webhook/1")}
    database.record_evaluation(lease_, evaluation(notification(FIRING)), targets)
    for leased in lease(database):
        database.record_delivery(leased, DELIVERED if leased.target == "ops/console" else retry(600), NOON)
    database.record_evaluation(lease_, evaluation(notification(RESOLVED)), targets)
    assert [(leased.target, leased.notification.kind) for leased in lease(database)] == [("ops/console", RESOLVED)]


def test_a_firing_that_no_one_tried_to_send_is_superseded_with_its_resolve(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "faultline")
    queue(database, notification(FIRING), notification(UPDATE), notification(FIRING, episode="other"))
    queue(database, notification(RESOLVED))
    assert [leased.notification.episode for leased in lease(database)] == ["other"]
    assert database.outbox_summary()[OutboxState.SUPERSEDED] == 3
    assert "e1 began and ended before ops was told: neither is sent" in caplog.text
    queue(database, notification(RESOLVED))
    assert lease(database) == []


def test_after_an_attempt_firing_and_resolve_are_both_sent(database: Database) -> None:
    queue(database, notification(FIRING))
    (firing,) = lease(database)
    queue(database, notification(RESOLVED))
    database.record_delivery(firing, DEAD, NOON)
    assert kinds(lease(database)) == [RESOLVED]


def test_two_senders_at_once_are_never_lent_the_same(database_url: str, database: Database) -> None:
    queue(database, *(notification(episode=f"e{number}") for number in range(40)))
    start = Barrier(4)

    def take(_sender: int) -> list[str]:
        with Database(database_url) as mine:
            start.wait()
            taken = []
            for _ in range(8):
                for leased in mine.lease_due(NOON, MINUTE, 3):
                    taken.append(leased.notification.episode)
                    mine.record_delivery(leased, DELIVERED, NOON)
            return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [episode for batch in pool.map(take, range(4)) for episode in batch]
    assert len(taken) == len(set(taken))
    assert len(taken) + len(lease(database, limit=100)) == 40


def test_a_message_is_delivered_when_its_first_target_has_it_or_the_last_has_given_up(database: Database) -> None:
    key = notification().key
    holder = database.acquire_lease("alerts", "test")
    database.record_evaluation(holder, evaluation(notification()), {"ops": ("first", "second")})
    assert database.deliveries([key, "sent to nobody"], NOON) == {"sent to nobody": NOON}
    first, second = lease(database)
    database.record_delivery(first, DEAD, NOON + SECOND)
    assert database.deliveries([key], NOON) == {}
    database.record_delivery(second, DEAD, NOON + 2 * SECOND)
    assert database.deliveries([key], NOON) == {key: NOON + 2 * SECOND}
    database.record_delivery(first, DELIVERED, NOON + 3 * SECOND)
    assert database.deliveries([key], NOON) == {key: NOON + 3 * SECOND}


def test_a_channel_that_is_told_no_ends_has_it_written_down_and_the_others_are_told(database: Database) -> None:
    lease_of_alerts, targets = database.acquire_lease("alerts", "test"), {"ops": ("chat", "pager")}
    database.record_evaluation(lease_of_alerts, evaluation(notification(FIRING)), targets, no_ends={"chat"})
    for leased in lease(database):
        database.record_delivery(leased, DELIVERED, NOON)
    database.record_evaluation(lease_of_alerts, evaluation(notification(RESOLVED)), targets, no_ends={"chat"})
    assert [leased.target for leased in lease(database)] == ["pager"]
    [quiet] = database.recent_notifications(20, [OutboxState.SUPERSEDED])
    assert (quiet.target, quiet.answer) == ("chat", "the channel is sent no ends (send_resolved)")


def test_what_began_and_ended_untold_is_told_to_no_channel(database: Database) -> None:
    lease_of_alerts = database.acquire_lease("alerts", "test")
    for kind in (FIRING, RESOLVED):
        database.record_evaluation(lease_of_alerts, evaluation(notification(kind)), no_ends={"ops"})
    assert lease(database) == []
    assert database.outbox_summary()[OutboxState.SUPERSEDED] == 2
