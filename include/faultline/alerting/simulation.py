"""``simulate``: a stretch of time, evaluated as the live sensor would have, at once.

For ``faultline test``; backtests and the live sensor call the same ``evaluate``. Pure: the clock is the loop's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from faultline.alerting.acks import find_to_ack
from faultline.alerting.alerts import Alert, Term
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory, lookback
from faultline.alerting.rules import Rules
from faultline.alerting.scenario import Arrival
from faultline.alerting.silences import Silence
from faultline.alerting.windows import counts_from
from faultline.dispatch.folding import FOLD, FOLDABLE, MOST, fold
from faultline.dispatch.turns import next_turn
from faultline.errors import PermanentError
from faultline.model import Ack, AlertKey, ErrorCount, Notification, NotificationKind, Transition

_ALERTS = TypeAdapter(tuple[Alert, ...])
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=36600)


@dataclass(frozen=True, slots=True)
class Outage:
    """A receiver that takes nothing in ``[start, end)``."""

    receiver: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class AckRequest:
    """Somebody takes the alert on, in the words of ``find_to_ack``."""

    at: datetime
    alert: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification and when its receiver took it."""

    at: datetime
    notification: Notification


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The alerts that are remembered from ``at`` on."""

    at: datetime
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened: every step of every alert, every message that arrived, and the alerts whenever one changed.

    ``refused`` is what could not be acknowledged, and why; ``late_dropped`` what came too late to be counted.
    """

    transitions: tuple[Transition, ...]
    deliveries: tuple[Delivery, ...]
    snapshots: tuple[Snapshot, ...]
    refused: tuple[tuple[AckRequest, str], ...] = ()
    late_dropped: tuple[ErrorCount, ...] = ()

    def alerts_at(self, at: datetime) -> tuple[Alert, ...]:
        """The alerts after the last evaluation until ``at``."""
        return next((each.alerts for each in reversed(self.snapshots) if each.at <= at), ())


@dataclass(frozen=True, slots=True)
class Plan:
    """When to evaluate, what arrives when, and what goes wrong meanwhile.

    The watermark is ``allowed_lateness`` behind the clock; a record counts that comes up to ``lateness`` after that.
    """

    start: datetime
    end: datetime
    every: timedelta
    bucket: timedelta
    arrivals: Sequence[Arrival]
    allowed_lateness: timedelta = timedelta(0)
    restarts: Sequence[datetime] = ()
    outages: Sequence[Outage] = ()
    silences: Sequence[Silence] = ()
    acks: Sequence[AckRequest] = ()
    lateness: timedelta = timedelta(0)


def simulate(rules: Rules, plan: Plan) -> Timeline:
    """Evaluate at ``plan.start`` and every ``plan.every`` until ``plan.end``, and deliver what is to be sent."""
    memory = Memory.restore(rules, plan.bucket, lateness=plan.lateness)
    arrivals, restarts = list(reversed(plan.arrivals)), list(plan.restarts)
    counted: list[ErrorCount] = []
    dropped: list[ErrorCount] = []
    terms: dict[AlertKey, Term] = {}
    mail, desk = _Mail(plan.outages, limits_of(rules)), _Desk(list(reversed(plan.acks)))
    transitions: list[Transition] = []
    snapshots: list[Snapshot] = []
    for at in _instants(plan):
        if restarts and restarts[0] <= at:
            del restarts[0]
            memory = _restarted(memory, counted, terms.values())
        arrived: list[ErrorCount] = []
        earliest = counts_from(memory.since, plan.lateness, plan.bucket)
        while arrivals and arrivals[-1].at <= at:
            row = arrivals.pop().count
            (arrived if earliest is None or row.bucket_start >= earliest else dropped).append(row)
        if restarts:
            counted += arrived
        evaluation = evaluate(
            memory,
            arrived,
            at=at,
            watermark=at - plan.allowed_lateness,
            silences=plan.silences,
            acks=desk.acks(memory, at),
            delivered=mail.take_receipts(),
        )
        terms |= {term.alert: term for term in evaluation.terms}
        transitions += evaluation.transitions
        if evaluation.changed or evaluation.forgotten or not snapshots:
            snapshots.append(Snapshot(at, tuple(memory.alerts.values())))
        mail.send(evaluation.notifications, at)
    return Timeline(tuple(transitions), tuple(mail.delivered), tuple(snapshots), tuple(desk.refused), tuple(dropped))


def _restarted(memory: Memory, counted: Sequence[ErrorCount], terms: Iterable[Term]) -> Memory:
    """What a new process makes of what the old one stored."""
    earliest = (memory.since or _LONG_AGO) - lookback(memory.rules, memory.bucket, memory.lateness)
    return Memory.restore(
        memory.rules,
        memory.bucket,
        alerts=_ALERTS.validate_json(_ALERTS.dump_json(tuple(memory.alerts.values()))),
        at=memory.at,
        since=memory.since,
        watched=memory.watched,
        terms=terms,
        counts=[count for count in counted if count.bucket_start >= earliest],
        lateness=memory.lateness,
    )


def _instants(plan: Plan) -> Iterator[datetime]:
    at = plan.start
    while at <= plan.end:
        yield at
        at += plan.every


@dataclass
class _Desk:
    """Who acknowledges alerts: an alert is looked up when its time has come, as for somebody at a terminal."""

    requests: list[AckRequest]
    refused: list[tuple[AckRequest, str]] = field(default_factory=list)

    def acks(self, memory: Memory, at: datetime) -> list[Ack]:
        """What the evaluation at this time is to hear."""
        found = []
        while self.requests and self.requests[-1].at <= at:
            request = self.requests.pop()
            try:
                alert = find_to_ack(memory.alerts.values(), request.alert)
                found.append(Ack(alert.episode, "the test", request.at))
            except PermanentError as error:
                self.refused.append((request, str(error)))
        return found


def limits_of(rules: Rules) -> dict[str, tuple[int, int]]:
    """Of each receiver with a limit: how many messages a minute, and above how many waiting ones they become one."""
    found = {name: receiver.slowest() for name, receiver in rules.receivers.items()}
    return {name: limit for name, limit in found.items() if limit is not None}


@dataclass
class _Mail:
    """The outbox: in order for each receiver; nothing for one that is down, and no word of what is over by then.

    A receiver is as slow as the slowest of its channels.
    """

    outages: Sequence[Outage]
    limits: Mapping[str, tuple[int, int]]
    delivered: list[Delivery] = field(default_factory=list)
    queue: list[Notification] = field(default_factory=list)
    receipts: dict[str, datetime] = field(default_factory=dict)
    sendings: dict[str, list[datetime]] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)

    def take_receipts(self) -> dict[str, datetime]:
        """What was taken since the last call, and when."""
        taken, self.receipts = self.receipts, {}
        return taken

    def send(self, notifications: Sequence[Notification], at: datetime) -> None:
        self.queue = _without_superseded([*self.queue, *notifications])
        down = {each.receiver for each in self.outages if each.start <= at < each.end}
        held = [each for each in self.queue if each.receiver in down]
        limited = [each for each in self.queue if each.receiver in self.limits.keys() - down]
        for each in self.queue:
            if each.receiver not in down and each.receiver not in self.limits:
                self._deliver(each, at)
        for receiver in dict.fromkeys(each.receiver for each in limited):
            mine = [each for each in limited if each.receiver == receiver]
            held += self._take_turns(receiver, mine, at)
        self.queue = held

    def _take_turns(self, receiver: str, waiting: list[Notification], at: datetime) -> list[Notification]:
        """Deliver in rounds, as the outbox lends: of each episode the first that is due; what has no turn, waits."""
        while ready := [each for each in _first_of_each(waiting) if self.due.get(each.key, at) <= at]:
            for number, each in enumerate(ready):
                turn = self._turn(receiver, at)
                if turn > at:
                    return self._wait(receiver, waiting, ready[number:], at, turn)
                self._deliver(each, at)
                waiting = [other for other in waiting if other is not each]
        return waiting

    def _wait(
        self, receiver: str, waiting: list[Notification], unsent: list[Notification], at: datetime, turn: datetime
    ) -> list[Notification]:
        """What waits for a turn, as one message where it is too much."""
        self.due |= {each.key: turn for each in unsent}
        mine = [each for each in waiting if each.kind in FOLDABLE][:MOST]
        if len(mine) <= self.limits[receiver][1]:
            return waiting
        summary, keys = fold(mine, at), {each.key for each in mine}
        self.due[summary.key] = turn
        return [*(each for each in waiting if each.key not in keys), summary]

    def _turn(self, receiver: str, at: datetime) -> datetime:
        """When the receiver takes the next; a turn that it takes now is noted."""
        times, (per_minute, _) = self.sendings.setdefault(receiver, []), self.limits[receiver]
        if (turn := next_turn(times, per_minute, at)) == at:
            self.sendings[receiver] = [at, *times[: per_minute - 1]]
        return turn

    def _deliver(self, notification: Notification, at: datetime) -> None:
        self.delivered.append(Delivery(at, notification))
        self.receipts |= dict.fromkeys([notification.key, *(each.key for each in notification.folded)], at)


def _first_of_each(waiting: Sequence[Notification]) -> list[Notification]:
    """Those that no earlier one of their episode waits before; messages that tell of many keep their order, too."""
    ready, seen = [], set[str]()
    for each in waiting:
        own = FOLD if each.folded else each.episode
        if own not in seen:
            ready.append(each)
        seen |= {own, *(one.episode for one in each.folded)}
    return ready


def _without_superseded(queue: list[Notification]) -> list[Notification]:
    """An episode that begins and ends while its receiver is down is never told: a resolve overtakes no firing."""
    begun = {(each.episode, each.receiver) for each in queue if each.kind in _PAGES}
    ended = {(each.episode, each.receiver) for each in queue if each.kind is NotificationKind.RESOLVED}
    return [each for each in queue if (each.episode, each.receiver) not in begun & ended]


_PAGES = (NotificationKind.FIRING, NotificationKind.PERSISTS)
