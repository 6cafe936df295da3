"""What other processes do: migrate, count, evaluate or send, and die by SIGKILL when they reach a named step."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from faultline.adapters.database import Database
from faultline.dispatch.delivery import Delivery
from faultline.dispatch.outbox import dispatch_due
from faultline.errors import Superseded
from faultline.model import FloodCount, LateCount, Notification
from faultline.testing.receivers import DELIVERED
from tests.contracts.values import ACK, NOON, P0, P1, alert, count, evaluation, notification, span

BATCHES = 3

# One process that has imported everything, and forks a worker of its own for each job.
WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload([__name__])


class FileReceiver:
    """Appends the id of each notification to a file, which outlives the process."""

    target = "ops"

    def __init__(self, path: Path, die: bool) -> None:
        self._path = path
        self._die = die

    def send(self, notification: Notification) -> Delivery:
        with self._path.open("a") as file:
            file.write(notification.key + "\n")
        if self._die:
            os.kill(os.getpid(), signal.SIGKILL)
        return DELIVERED


def count_all(database: Database) -> None:
    """Count three batches of both partitions, from wherever the positions are."""
    for number in range(BATCHES):
        try:
            ranges = [span(10 * number, 10 * number + 10), span(7 * number, 7 * number + 7, P1)]
            late = [LateCount("app-logs", NOON, 1)]
            database.record_counts(
                ranges, [count(17, bucket=number)], {P0: NOON, P1: NOON}, late, [FloodCount("app-logs", NOON, 5)]
            )
        except Superseded:
            continue


def evaluate_all(database: Database) -> None:
    """Record one evaluation that says the same however often it is made."""
    lease = database.acquire_lease("alerts", "worker")
    made = evaluation(notification(), notification(episode="e2"), alerts=(alert(),))
    database.record_evaluation(lease, replace(made, acks=(ACK,)))


def start(url: str, job: str, step: str = "", sent: str = "") -> ForkServerProcess:
    """Do the job in a process of its own."""
    process = WORKERS.Process(target=work, args=(url, job, step, sent))
    process.start()
    return process


def work(url: str, job: str, step: str, sent: str) -> None:
    """Do the job, and die by SIGKILL on reaching the step."""

    def die(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with Database(url, checkpoint=die) as database:
        if job == "migrate":
            database.migrate()
        elif job == "count":
            count_all(database)
        elif job == "evaluate":
            evaluate_all(database)
        elif job == "fold":
            ops = FileReceiver(Path(sent), die=False)
            limits = {"rates": {"ops": 1}, "folds": {"ops": 2}}
            dispatch_due(database, {"ops": [ops]}, clock=lambda: NOON, rng=random.Random(1), **limits)
        else:
            ops = FileReceiver(Path(sent), die=step == "sent")
            dispatch_due(database, {"ops": [ops]}, clock=lambda: NOON, rng=random.Random(1), rates={"ops": 20})
