"""The alerting task: evaluate the rules in force, record what that means, send what is due."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Evaluation
from faultline.dispatch.delivery import Receiver
from faultline.dispatch.meta import Fallback
from faultline.dispatch.outbox import NO_LIMITS, dispatch_due
from faultline.dispatch.receivers import (
    build_heartbeats,
    build_receivers,
    fallback_of,
    folds_of,
    rates_of,
    targets_of,
    told_no_ends,
)
from faultline.dispatch.secrets import Connections, environment_connection
from faultline.errors import FaultlineError, TransientError
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.contexts import with_contexts
from faultline.steps.evaluator import Evaluator
from faultline.steps.heartbeats import Heartbeats
from faultline.steps.last_good import LastGood, Read, configured_rules, configured_topics
from faultline.steps.last_resort import LastResort
from faultline.steps.meta import tell_of_faults

log = logging.getLogger(__name__)

SENDING_ROUNDS = 4
HEARTBEATS = 2
MOST_BATCHES = 20
CLOSING = timedelta(seconds=5)


class AlertWatch:
    """Evaluates while it holds the lease, and sends beside that, so that a slow receiver delays no rule.

    Taking the lease supersedes every earlier holder: an orphan beside its successor records nothing.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        holder: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        connections: Connections = environment_connection,
        last_resort: LastResort | None = None,
        read: Read | None = None,
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._database = database
        self._clock = clock
        self._lease = database.acquire_lease(LEASE, holder)
        refused = partial(tell_of_faults, settings)
        self._rules = LastGood(configured_rules(settings, read), database, refused)
        self._topics = LastGood(configured_topics(settings, read), database, refused)
        self._last_resort = last_resort or LastResort(settings, connections, clock)
        self._pool = ThreadPoolExecutor(HEARTBEATS, "heartbeat")
        self._heartbeats = Heartbeats(self._pool)
        self._sender = Sender(database, clock)
        self._evaluator = Evaluator(settings, database, LEASE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.close()
        self._pool.shutdown()

    def evaluate(self) -> Evaluation | None:
        """One evaluation now, recorded, and its messages on their way; None while no rules or topics are in force.

        Raises Superseded when someone else holds the lease, TransientError when the database is away; when it stays
        away, people are told without it.
        """
        try:
            evaluation = self._evaluate()
        except TransientError as error:
            self._last_resort.failed(error)
            raise
        self._last_resort.answered()
        return evaluation

    def _evaluate(self) -> Evaluation | None:
        at = self._clock()
        rules, topics = self._rules.at(at), self._topics.at(at)
        if rules is None or topics is None:
            return None
        receivers = build_receivers(rules, self._connections, self._settings.ui_url)
        evaluation = self._evaluator.decide(rules, topics, at=at)
        try:
            evaluation = with_contexts(self._database, rules, evaluation)
            self._database.record_evaluation(
                self._lease, evaluation, targets_of(receivers), self._evaluator.mark, told_no_ends(rules)
            )
        except FaultlineError:
            self._evaluator.forget()
            raise
        for step in evaluation.transitions:
            log.info("%s: %s -> %s: %s", step.alert, step.source, step.target, step.reason)
        self._sender.send(receivers, Terms(rates_of(rules), folds_of(rules), fallback_of(rules, receivers)))
        beats = build_heartbeats(rules, self._connections)
        self._heartbeats.after_evaluation(beats, at, evaluation.watermark)
        return evaluation


def begin_watch(
    stop: Callable[[], bool],
    settings: Settings,
    database: Database,
    holder: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    connections: Connections = environment_connection,
    read: Read | None = None,
) -> AlertWatch:
    """Take the lease as soon as the database answers; TransientError when it has not until told to stop.

    ``connections`` gives the fields of an Airflow Connection that the rules name; ``read``, asked at each evaluation,
    what the rules and the topics are, in place of the settings. When the database stays away, people are told.
    """
    last_resort = LastResort(settings, connections)
    while True:
        try:
            return AlertWatch(settings, database, holder, connections=connections, last_resort=last_resort, read=read)
        except TransientError as error:
            last_resort.failed(error)
            if stop():
                raise
            log.warning("Not evaluating yet, trying again: %s", error)
        sleep(settings.evaluation_interval.total_seconds())


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms targets are sent to: see ``dispatch_due``."""

    rates: Mapping[str, int]
    folds: Mapping[str, int]
    fallback: Fallback | None


NO_TERMS = Terms(NO_LIMITS, NO_LIMITS, None)


class Sender:
    """Rounds of dispatching in a few threads: while one round waits for a slow receiver, the next serves the others."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._pool = ThreadPoolExecutor(SENDING_ROUNDS, "dispatch")
        self._rounds: list[Future[None]] = []
        self._end: datetime | None = None

    def send(
        self,
        receivers: Mapping[str, Sequence[Receiver]],
        terms: Terms = NO_TERMS,
    ) -> None:
        """Start a round if there is room for one; raises what a finished round raised."""
        finished = [each for each in self._rounds if each.done()]
        self._rounds = [each for each in self._rounds if not each.done()]
        if len(self._rounds) < SENDING_ROUNDS:
            self._rounds.append(self._pool.submit(self._round, receivers, terms))
        for each in finished:
            each.result()

    def close(self) -> None:
        """Send what was begun for a few seconds more and give back the rest: a slow receiver delays no successor."""
        self._end = self._clock() + CLOSING
        self._pool.shutdown()

    def _over(self) -> bool:
        return self._end is not None and self._clock() >= self._end

    def _round(self, receivers: Mapping[str, Sequence[Receiver]], terms: Terms) -> None:
        """Send until nothing is due; not for ever, so that a change of the receivers comes into force."""
        for _ in range(MOST_BATCHES):
            report = dispatch_due(
                self._database,
                receivers,
                clock=self._clock,
                rng=random.Random(),
                stop=self._over,
                rates=terms.rates,
                folds=terms.folds,
                fallback=terms.fallback,
            )
            for attempt in report.attempts:
                log.info("%s to %s: %s", attempt.leased.notification.key, attempt.leased.target, attempt.outcome.state)
            if not report.attempts:
                return


def evaluate_until(
    stop: Callable[[], bool],
    settings: Settings,
    watch: AlertWatch,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Evaluate again and again until told to stop; waits out a database that is away."""
    while not stop():
        try:
            watch.evaluate()
        except TransientError as error:
            log.warning("Not evaluated, trying again: %s", error)
        sleep(settings.evaluation_interval.total_seconds())
