"""A target is sent at most so many messages in any minute, whoever sends. On SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from faultline.dispatch.outbox import dispatch_due
from faultline.model import Notification, NotificationKind
from faultline.testing.receivers import RecordingReceiver
from tests.contracts.test_database_outbox import DEAD, DELIVERED, kinds, lease, queue
from tests.contracts.values import NOON, SECOND, notification


def turns(database: Database, *seconds: float, per_minute: int = 3) -> list[float]:
    return [
        (database.take_turn("ops", per_minute, NOON + second * SECOND) - NOON).total_seconds() for second in seconds
    ]


def test_no_minute_has_more_than_the_limit(database: Database) -> None:
    assert turns(database, 0, 10, 20, 30, 59) == [0, 10, 20, 60, 60]
    assert turns(database, 60, 61, 70, 75, 81) == [60, 70, 70, 80, 81]


def test_each_target_has_its_own_turns(database: Database) -> None:
    assert turns(database, 0, 1, per_minute=1) == [0, 60]
    assert database.take_turn("other", 1, NOON) == NOON


def test_a_burst_is_spread_over_the_minutes_and_nothing_is_lost(database: Database) -> None:
    queue(database, *(notification(episode=f"e{number}") for number in range(50)))
    now = [NOON]
    ops, times = RecordingReceiver(), []

    class Timed(RecordingReceiver):
        def send(self, notification: Notification) -> object:
            times.append(now[0])
            return ops.send(notification)

    def clock() -> datetime:
        return now[0]

    for second in range(0, 200, 5):
        now[0] = NOON + second * SECOND
        dispatch_due(database, {"ops": [Timed()]}, clock=clock, rng=random.Random(1), rates={"ops": 20})
    assert [sent.episode for sent in ops.sent] == [f"e{number}" for number in range(50)]
    assert max(sum(start <= time < start + 60 * SECOND for time in times) for start in times) == 20


def test_two_dispatchers_keep_one_limit_together(database_url: str, database: Database) -> None:
    queue(database, *(notification(episode=f"e{number}") for number in range(30)))
    ops, start = RecordingReceiver(), Barrier(2)

    def run(_dispatcher: int) -> None:
        with Database(database_url) as mine:
            start.wait()
            for _ in range(20):
                dispatch_due(mine, {"ops": [ops]}, clock=lambda: NOON, rng=random.Random(1), limit=4, rates={"ops": 7})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert len(ops.sent) == 7
    assert database.outbox_summary()[OutboxState.QUEUED] == 23


def test_the_dead_are_sent_again_when_somebody_says_so(database: Database) -> None:
    queue(database, notification(), notification(episode="e2"))
    for leased in lease(database):
        database.record_delivery(leased, DEAD, NOON)
    assert database.requeue_dead(NOON, keys=["e2-ops-firing-1"]) == 1
    assert [leased.notification.episode for leased in lease(database)] == ["e2"]
    assert database.requeue_dead(NOON, target="nobody") == 0
    assert database.requeue_dead(NOON, target="ops") == 1
    assert [leased.attempt for leased in lease(database, 120)] == [2, 3]


def test_what_a_later_message_has_overtaken_stays_dead(database: Database) -> None:
    queue(database, notification())
    (firing,) = lease(database)
    queue(database, notification(NotificationKind.RESOLVED))
    database.record_delivery(firing, DEAD, NOON)
    (resolved,) = lease(database)
    assert kinds([resolved]) == [NotificationKind.RESOLVED]
    database.record_delivery(resolved, DELIVERED, NOON)
    assert database.requeue_dead(NOON) == 0


@pytest.mark.parametrize(
    "choose", [{}, {"states": [OutboxState.DEAD]}, {"target": "ops"}], ids=["all", "dead", "target"]
)
def test_the_outbox_is_listed_newest_first_and_by_choice(choose: dict[str, object], database: Database) -> None:
    queue(database, notification(), notification(episode="e2"))
    for leased in lease(database):
        database.record_delivery(leased, DEAD, NOON)
    listed: Callable[..., list[object]] = database.recent_notifications
    assert [row.notification.episode for row in listed(**choose)] == ["e2", "e1"]
    assert listed(states=[OutboxState.DELIVERED]) == []
