"""From the outbox to the receivers: lease what is due, send it outside of any transaction, note what became of it.

At least once: a sender that dies between sending and noting leaves a loan that runs out, and the same notification,
with the same visible id, is sent again. Each target has a lane of its own, so one that hangs holds up no other.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from faultline.dispatch.delivery import Delivery, DeliveryStatus, Leased, OutboxState, Outcome, Receiver, Telling
from faultline.dispatch.meta import Fallback, plan_telling

LEASE_FOR = timedelta(minutes=1)
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=15)
# However long a server asks to be left alone: a page must not wait for years.
LONGEST_REST = timedelta(hours=1)
NO_LIMITS: Mapping[str, int] = MappingProxyType({})
# With the delays above: about a day of trying.
MOST_ATTEMPTS = 100


class Outbox(Protocol):
    """What dispatching needs of the database."""

    def lease_due(self, at: datetime, lease_for: timedelta, limit: int) -> list[Leased]:
        """Lend out what is due."""

    def record_delivery(self, leased: Leased, outcome: Outcome, at: datetime, tell: Telling | None = None) -> bool:
        """Note what became of an attempt and what is to be told of it; False when the loan had run out."""

    def give_back(self, unsent: Sequence[Leased], at: datetime) -> None:
        """Return loans that were not used."""

    def fold_waiting(self, target: str, above: int, unsent: Sequence[Leased], at: datetime, due_at: datetime) -> bool:
        """Make one message of those that wait for the target, when they are more; loans of others are given back."""

    def take_turn(self, target: str, per_minute: int, at: datetime) -> datetime:
        """``at`` when the target may be sent something now, otherwise when it may be."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One notification sent, or not, to one target."""

    leased: Leased
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class DispatchReport:
    """What one round of dispatching came to; by target, and in order for each."""

    attempts: tuple[Attempt, ...] = ()

    def count(self, state: OutboxState) -> int:
        """How many attempts ended in this state."""
        return sum(attempt.outcome.state == state for attempt in self.attempts)

    def __str__(self) -> str:
        states = (OutboxState.DELIVERED, OutboxState.RETRY, OutboxState.DEAD)
        return ", ".join(f"{self.count(state)} {state}" for state in states)


def dispatch_due(
    outbox: Outbox,
    receivers: Mapping[str, Sequence[Receiver]],
    *,
    clock: Callable[[], datetime],
    rng: random.Random,
    lease_for: timedelta = LEASE_FOR,
    limit: int = 500,
    stop: Callable[[], bool] = lambda: False,
    rates: Mapping[str, int] = NO_LIMITS,
    folds: Mapping[str, int] = NO_LIMITS,
    fallback: Fallback | None = None,
) -> DispatchReport:
    """Send everything that is due now, once each; when told to stop, only what is under way.

    ``rates``: how many messages a minute a target takes; ``folds``: above how many that wait for their turn they become
    one. ``fallback``: who is told of a target that cannot be reached.
    An exception of a receiver is a fault of ours: it is raised when the other targets are through, and what it left
    unnoted is due again when its loan runs out.
    """
    lanes: dict[str, list[Leased]] = defaultdict(list)
    at = clock()
    for leased in outbox.lease_due(at, lease_for, limit):
        lanes[leased.target].append(leased)
    if not lanes:
        return DispatchReport()
    # The second half of the loan is for the send under way: it must be over before the loan is.
    over = _Over(stop, clock, at + lease_for / 2)
    channels = {channel.target: channel for group in receivers.values() for channel in group}
    sender = _Sender(outbox, channels, rates, folds, fallback, clock, rng, over)
    with ThreadPoolExecutor(len(lanes), thread_name_prefix="faultline-dispatch") as pool:
        work = [pool.submit(sender.send_lane, target, lane) for target, lane in lanes.items()]
    return DispatchReport(tuple(attempt for lane in work for attempt in lane.result()))


def decide(delivery: Delivery, attempt: int, at: datetime, rng: random.Random) -> Outcome:
    """What to do after an attempt: done, give up, or try again and when."""
    if delivery.status == DeliveryStatus.DELIVERED:
        return Outcome(OutboxState.DELIVERED, delivery)
    if delivery.status == DeliveryStatus.PERMANENT or attempt >= MOST_ATTEMPTS:
        return Outcome(OutboxState.DEAD, delivery)
    return Outcome(
        OutboxState.RETRY,
        delivery,
        at + max(backoff(attempt, rng), min(delivery.retry_after or timedelta(0), LONGEST_REST)),
    )


def backoff(attempt: int, rng: random.Random) -> timedelta:
    """Doubling from FIRST_DELAY to LONGEST_DELAY; half of it is chance, so that retries do not come in step."""
    doublings: int = 2 ** min(attempt - 1, 30)
    return min(FIRST_DELAY * doublings, LONGEST_DELAY) * rng.uniform(0.5, 1)


@dataclass(frozen=True, slots=True)
class _Over:
    """Whether a lane is to begin nothing more."""

    stop: Callable[[], bool]
    clock: Callable[[], datetime]
    until: datetime

    def __call__(self) -> bool:
        return self.stop() or self.clock() >= self.until


@dataclass(frozen=True, slots=True)
class _Sender:
    """What the lanes of one round share."""

    outbox: Outbox
    channels: Mapping[str, Receiver]
    rates: Mapping[str, int]
    folds: Mapping[str, int]
    fallback: Fallback | None
    clock: Callable[[], datetime]
    rng: random.Random
    over: Callable[[], bool]

    def send_lane(self, target: str, lane: Sequence[Leased]) -> list[Attempt]:
        """Send one target's notifications in order; what there is no time or no turn for is given back, or folded."""
        attempts = []
        for number, leased in enumerate(lane):
            if self.over():
                self.outbox.give_back(lane[number:], self.clock())
                break
            if (turn := self._turn(target)) is not None:
                self._wait(target, lane[number:], turn)
                break
            attempts.append(self._attempt(leased))
        return attempts

    def _turn(self, target: str) -> datetime | None:
        """When the target may be sent something, if it must not now."""
        if target not in self.rates:
            return None
        now = self.clock()
        turn = self.outbox.take_turn(target, self.rates[target], now)
        return turn if turn > now else None

    def _wait(self, target: str, unsent: Sequence[Leased], turn: datetime) -> None:
        if target in self.folds:
            self.outbox.fold_waiting(target, self.folds[target], unsent, self.clock(), turn)
        else:
            self.outbox.give_back(unsent, turn)

    def _attempt(self, leased: Leased) -> Attempt:
        outcome = decide(self._send(leased), leased.attempt, self.clock(), self.rng)
        at = self.clock()
        tell = plan_telling(leased, outcome, self.fallback, at)
        self.outbox.record_delivery(leased, outcome, at, tell)
        return Attempt(leased, outcome)

    def _send(self, leased: Leased) -> Delivery:
        channel = self.channels.get(leased.target)
        if channel is None:
            said = f"the rules name no receiver {leased.target!r} any more"
            return Delivery(DeliveryStatus.PERMANENT, provider_message=said)
        return channel.send(leased.notification)
