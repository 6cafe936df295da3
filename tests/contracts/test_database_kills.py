"""A process killed by SIGKILL between any two writes leaves nothing half done and nothing to be done twice."""

from __future__ import annotations

import random
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from faultline.dispatch.outbox import dispatch_due
from faultline.model import Interval, LateCount
from faultline.testing.receivers import RecordingReceiver
from tests.contracts.database_worker import BATCHES, FileReceiver, count_all, evaluate_all, start
from tests.contracts.values import ACK, NOON, P0, P1, SECOND, alert, count, evaluation, notification

COUNT_STEPS = [
    "counts:position",
    "counts:late",
    "counts:floods",
    "counts:batch",
    "counts:labels",
    "counts:fingerprints",
    "counts:rows",
    "counts:committed",
]
EVALUATION_STEPS = ["lease", "alerts", "terms", "transitions", "suppressions", "acks", "outbox", "committed"]


def kill_at(step: str, database_url: str, job: str, sent: Path | None = None) -> None:
    """Run the job in a process of its own, which must die at the step."""
    worker = start(database_url, job, step, str(sent or ""))
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("step", COUNT_STEPS)
def test_a_counter_killed_at_any_step_leaves_every_record_counted_once(
    step: str, database_url: str, database: Database
) -> None:
    kill_at(step, database_url, "count")
    assert database.totals() == ({"app-logs": 17} if step == "counts:committed" else {})
    assert len(database.late_dropped()) == (step == "counts:committed")
    count_all(database)
    assert database.positions([P0, P1]) == {P0: 10 * BATCHES, P1: 7 * BATCHES}
    floods = database.digest_facts(Interval(NOON, NOON + timedelta(hours=1))).uncounted
    assert [each.flooded for each in floods] == [5 * BATCHES]
    found = database.counts_between(["app-logs"], NOON, NOON + timedelta(hours=1))
    assert found == [count(17, bucket=number) for number in range(BATCHES)]
    assert database.late_dropped() == [LateCount("app-logs", NOON, BATCHES)]


@pytest.mark.parametrize("step", EVALUATION_STEPS)
def test_an_evaluator_killed_at_any_step_leaves_every_notification_queued_once(
    step: str, database_url: str, database: Database
) -> None:
    database.add_ack(ACK)
    kill_at(f"evaluation:{step}", database_url, "evaluate")
    assert len(database.alerts()) == (step == "committed")
    assert database.outbox_summary()[OutboxState.QUEUED] == 2 * (step == "committed")
    assert database.interventions(NOON) == ([], [] if step == "committed" else [ACK])
    evaluate_all(database)
    assert database.interventions(NOON) == ([], [])
    assert database.alerts() == [alert()]
    assert database.outbox_summary()[OutboxState.QUEUED] == 2


@pytest.mark.parametrize(
    ("step", "copies"),
    [("outbox:leased", {1}), ("outbox:turn", {1}), ("sent", {1, 2}), ("outbox:recorded", {1})],
    ids=["after leasing", "after taking a turn", "after sending, before noting", "after noting"],
)
def test_a_sender_killed_at_any_step_loses_nothing_and_repeats_only_what_it_had_not_noted(
    step: str, copies: set[int], database_url: str, database: Database, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    lease = database.acquire_lease("alerts", "test")
    database.record_evaluation(lease, evaluation(notification(), notification(episode="e2")))
    kill_at(step, database_url, "dispatch", sent)
    ops = FileReceiver(sent, die=False)
    dispatch_due(database, {"ops": [ops]}, clock=lambda: NOON + 60 * SECOND, rng=random.Random(1))
    keys = sent.read_text().split()
    assert set(keys) == {"e1-ops-firing-1", "e2-ops-firing-1"}
    assert {keys.count(key) for key in keys} == copies
    assert database.outbox_summary()[OutboxState.DELIVERED] == 2


@pytest.mark.parametrize("step", ["outbox:leased", "outbox:turn", "outbox:folding", "outbox:folded"])
def test_a_sender_killed_while_it_folds_loses_nothing_and_tells_nothing_twice(
    step: str, database_url: str, database: Database, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    lease = database.acquire_lease("alerts", "test")
    episodes = [f"e{number}" for number in range(5)]
    database.record_evaluation(lease, evaluation(*(notification(episode=episode) for episode in episodes)))
    kill_at(step, database_url, "fold", sent)
    told = RecordingReceiver("ops")
    for minute in range(2, 5):
        at = NOON + minute * 60 * SECOND
        limits: Any = {"rates": {"ops": 1}, "folds": {"ops": 2}}
        dispatch_due(database, {"ops": [told]}, clock=lambda at=at: at, rng=random.Random(1), **limits)
    alone = sent.read_text().split() if sent.exists() else []
    alone += [each.key for each in told.sent if not each.folded]
    folded = [each.key for message in told.sent for each in message.folded]
    assert sorted(alone + folded) == [f"{episode}-ops-firing-1" for episode in episodes]
    assert {row.finished_at is not None for row in database.recent_notifications(20)} == {True}
