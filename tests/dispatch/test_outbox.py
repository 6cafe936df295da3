"""Dispatching: everything due is sent once per round, failures are told apart, and none hides another."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.adapters.database import Database
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Receiver
from faultline.dispatch.outbox import LONGEST_DELAY, MOST_ATTEMPTS, DispatchReport, backoff, decide, dispatch_due
from faultline.model import Notification, NotificationKind
from faultline.testing.receivers import RecordingReceiver
from tests.contracts.values import NOON, SECOND, evaluation, notification

BUSY = Delivery(DeliveryStatus.TRANSIENT, "503", "busy")
REFUSED = Delivery(DeliveryStatus.PERMANENT, "400", "no such room")
FIRING, RESOLVED = NotificationKind.FIRING, NotificationKind.RESOLVED


def queue(database: Database, *notifications: Notification, targets: Sequence[str] = ("ops",)) -> None:
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, evaluation(*notifications), {"ops": tuple(targets)})


def dispatch(
    database: Database, *channels: Receiver, second: float = 0, clock: Callable[[], datetime] | None = None
) -> DispatchReport:
    at = NOON + second * SECOND
    return dispatch_due(database, {"ops": channels}, clock=clock or (lambda: at), rng=random.Random(1))


def test_what_is_due_is_sent_once(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, notification())
    assert str(dispatch(database, ops)) == "1 delivered, 0 retry, 0 dead"
    assert str(dispatch(database, ops, second=999)) == "0 delivered, 0 retry, 0 dead"
    assert ops.sent == [notification()]


def test_a_transient_failure_is_tried_again_and_a_permanent_one_is_not(database: Database) -> None:
    ops = RecordingReceiver(answers=[BUSY, BUSY])
    chat = RecordingReceiver("chat", answers=[REFUSED])
    queue(database, notification(), targets=["ops", "chat"])
    assert str(dispatch(database, ops, chat)) == "0 delivered, 1 retry, 1 dead"
    for second in range(1, 10):
        dispatch(database, ops, chat, second=second)
    assert (len(ops.attempts), len(ops.sent), len(chat.attempts)) == (3, 1, 1)
    assert {row.provider_message for row in database.recent_notifications() if row.target == "chat"} == {"no such room"}


def test_retry_after_is_obeyed(database: Database) -> None:
    ops = RecordingReceiver(answers=[Delivery(DeliveryStatus.TRANSIENT, "429", retry_after=300 * SECOND)])
    queue(database, notification())
    dispatch(database, ops)
    dispatch(database, ops, second=299)
    assert len(ops.attempts) == 1
    dispatch(database, ops, second=300)
    assert len(ops.sent) == 1


def test_a_server_that_asks_for_years_is_tried_within_the_hour(database: Database) -> None:
    ops = RecordingReceiver(answers=[Delivery(DeliveryStatus.TRANSIENT, "429", retry_after=timedelta(days=9999))])
    queue(database, notification())
    dispatch(database, ops)
    dispatch(database, ops, second=3600)
    assert len(ops.sent) == 1


def test_a_target_that_the_rules_no_longer_name_is_dead_and_says_so(database: Database) -> None:
    queue(database, notification())
    assert str(dispatch(database)) == "0 delivered, 0 retry, 1 dead"
    assert "no receiver 'ops'" in str(database.recent_notifications()[0].provider_message)


def test_a_target_that_hangs_holds_up_no_other(database: Database) -> None:
    arrived = Event()

    class Hangs(RecordingReceiver):
        def send(self, notification: Notification) -> Delivery:
            assert arrived.wait(30), "the other target was not served meanwhile"
            return super().send(notification)

    class Arrives(RecordingReceiver):
        def send(self, notification: Notification) -> Delivery:
            arrived.set()
            return super().send(notification)

    queue(database, notification(), targets=["slow", "quick"])
    assert dispatch(database, Hangs("slow"), Arrives("quick")).count(OutboxState.DELIVERED) == 2


def test_a_receiver_with_a_fault_of_its_own_hides_no_other_and_is_not_hidden(database: Database) -> None:
    class Broken(RecordingReceiver):
        def send(self, notification: Notification) -> Delivery:
            raise KeyError("a bug")

    ops = RecordingReceiver()
    queue(database, notification(), targets=["broken", "ops"])
    with pytest.raises(KeyError, match="a bug"):
        dispatch(database, Broken("broken"), ops)
    assert len(ops.sent) == 1
    assert database.outbox_summary()[OutboxState.DELIVERED] == 1
    mended = RecordingReceiver("broken")
    dispatch(database, mended, ops, second=60)
    assert (len(mended.sent), len(ops.sent)) == (1, 1)


def test_a_resolve_follows_its_firing_however_often_that_fails(database: Database) -> None:
    ops = RecordingReceiver(answers=[BUSY, BUSY, BUSY])
    queue(database, notification(FIRING))
    dispatch(database, ops)
    queue(database, notification(RESOLVED))
    for second in range(1, 60):
        dispatch(database, ops, second=second)
    assert [sent.kind for sent in ops.sent] == [FIRING, RESOLVED]


def test_a_sender_that_dies_before_it_notes_leaves_a_copy_with_the_same_id(database: Database) -> None:
    class Died(Exception):
        pass

    class Dies(RecordingReceiver):
        def send(self, notification: Notification) -> Delivery:
            super().send(notification)
            raise Died

    first, second = Dies(), RecordingReceiver()
    queue(database, notification())
    with pytest.raises(Died):
        dispatch(database, first)
    assert dispatch(database, second, second=59).attempts == ()
    dispatch(database, second, second=60)
    assert [sent.key for sent in first.sent] == [sent.key for sent in second.sent]


def test_a_lane_stops_when_its_loans_run_out(database: Database) -> None:
    ops = RecordingReceiver()
    now = [NOON]

    def slow_clock() -> datetime:
        now[0] += 20 * SECOND
        return now[0]

    queue(database, *(notification(episode=f"e{number}") for number in range(5)))
    report = dispatch(database, ops, clock=slow_clock)
    assert len(report.attempts) == len(ops.sent) == 1
    assert database.outbox_summary()[OutboxState.QUEUED] == 4


def test_a_lane_told_to_stop_finishes_what_is_under_way_and_gives_back_the_rest(database: Database) -> None:
    ops = RecordingReceiver()
    queue(database, *(notification(episode=f"e{number}") for number in range(3)))
    dispatch_due(database, {"ops": [ops]}, clock=lambda: NOON, rng=random.Random(1), stop=lambda: len(ops.sent) == 1)
    assert len(ops.sent) == 1
    assert str(dispatch(database, ops)) == "2 delivered, 0 retry, 0 dead"


def test_two_dispatchers_at_once_send_nothing_twice(database_url: str, database: Database) -> None:
    queue(database, *(notification(episode=f"e{number}") for number in range(30)), targets=["a", "b"])
    channels = [RecordingReceiver("a"), RecordingReceiver("b")]
    start = Barrier(2)

    def run(_dispatcher: int) -> int:
        with Database(database_url) as mine:
            start.wait()
            rounds = [
                dispatch_due(mine, {"ops": channels}, clock=lambda: NOON, rng=random.Random(1), limit=7)
                for _ in range(100)
            ]
        return sum(report.count(OutboxState.DELIVERED) for report in rounds)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(run, range(2))) == 60
    for channel in channels:
        assert sorted(sent.key for sent in channel.sent) == sorted({sent.key for sent in channel.sent})
        assert len(channel.sent) == 30


@given(attempt=st.integers(1, 10_000), seed=st.integers())
def test_delays_double_up_to_a_limit_and_half_of_them_is_chance(attempt: int, seed: int) -> None:
    longest = min(2 ** min(attempt - 1, 20) * SECOND, LONGEST_DELAY)
    assert longest / 2 <= backoff(attempt, random.Random(seed)) <= longest


@pytest.mark.parametrize(
    ("delivery", "attempt", "state"),
    [
        (Delivery(DeliveryStatus.DELIVERED), 1, OutboxState.DELIVERED),
        (Delivery(DeliveryStatus.DELIVERED), MOST_ATTEMPTS + 1, OutboxState.DELIVERED),
        (REFUSED, 1, OutboxState.DEAD),
        (BUSY, MOST_ATTEMPTS - 1, OutboxState.RETRY),
        (BUSY, MOST_ATTEMPTS, OutboxState.DEAD),
    ],
    ids=["delivered", "delivered late", "refused", "busy", "busy for a day"],
)
def test_what_follows_an_attempt(delivery: Delivery, attempt: int, state: OutboxState) -> None:
    assert decide(delivery, attempt, NOON, random.Random(1)).state == state


def test_all_attempts_together_last_about_a_day() -> None:
    total = sum((backoff(attempt, random.Random(1)) for attempt in range(1, MOST_ATTEMPTS)), timedelta())
    assert timedelta(hours=10) < total < timedelta(hours=26)
