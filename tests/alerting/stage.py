"""A stage for rules: let services fail at given seconds, run the engine over the time, and read what it did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from faultline.alerting.alerts import Alert, Evaluation
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory
from faultline.alerting.rules import Rules, load_rules
from faultline.model import AlertState, ErrorCount, Labels, Notification, NotificationKind

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = timedelta(seconds=10)


def second(number: float) -> datetime:
    """The instant that many seconds after the start of a test."""
    return START + timedelta(seconds=number)


def write_rules(
    *names: str,
    chains: Sequence[Mapping[str, Any]] = (),
    route: Mapping[str, Any] | None = None,
    each: Mapping[str, Mapping[str, Any]] | None = None,
    **rule: Any,
) -> Rules:
    """A rule for each name: three records of the service of the same name, in small letters, in 30 s.

    ``rule`` changes fields of all of them, ``each`` those of one.
    """
    rules = [
        {
            "alert": name,
            "matchers": [f'service="{name.lower()}"'],
            "query_key": ["environment"],
            "num_events": 3,
            "timeframe": "30s",
            **rule,
            **(each or {}).get(name, {}),
        }
        for name in names
    ]
    file = {
        "groups": [{"name": "test", "rules": rules}],
        "route": {"receiver": "ops", **(route or {})},
        "chains": list(chains),
        "receivers": [{"name": "ops"}, {"name": "managers"}],
    }
    return load_rules(json.dumps(file))


def chain(*path: str, **times: Any) -> dict[str, Any]:
    """A chain over the environment with a hold of 30 s and a recovery grace of 30 s."""
    options = {"equal": ["environment"], "hold": "30s", "recovery_grace": "30s", "within": "1m", **times}
    return {"name": "-".join(path), "path": list(path), **options}


def count(at: float, number: int = 1, sample: str | None = None, **labels: str) -> ErrorCount:
    """That many records in the bucket that the second falls into."""
    start = second(at // 10 * 10)
    return ErrorCount(start, Labels(labels), number, second(at), second(at), sample=sample, sample_offset=int(at))


class Stage:
    """Runs rules over a time: events become visible at their second, the watermark follows ``lateness`` behind."""

    def __init__(self, rules: Rules, *, lateness: float = 0, stalled: bool = False) -> None:
        self.rules = rules
        self.lateness = lateness
        self.stalled = stalled
        self.events: list[tuple[float, ErrorCount]] = []
        self.memory = Memory.restore(rules, BUCKET)
        self.evaluated = float("-inf")
        self.history: list[tuple[float, Evaluation]] = []
        self.remembered: list[tuple[Alert, ...]] = []

    def fail(self, service: str, seconds: Iterable[float], *, arrives: float | None = None, **labels: str) -> Stage:
        """The service logs an error at each of the seconds, in production unless labels say otherwise."""
        named = labels or {"environment": "prod"}
        for at in seconds:
            row = count(at, service=service, sample=f"{service} failed", **named)
            self.events.append((at if arrives is None else arrives, row))
        return self

    def evaluate_at(self, at: float) -> Evaluation:
        """One evaluation."""
        watermark = None if self.stalled else second(at - self.lateness)
        if self.memory.rules is not self.rules:
            self.restart(at)
        counts = [row for arrived, row in self.events if self.evaluated < arrived <= at]
        self.evaluated = at
        sent = self.history[-1] if self.history else None
        delivered = {each.key: second(sent[0]) for each in sent[1].notifications} if sent else {}
        evaluation = evaluate(self.memory, counts, at=second(at), watermark=watermark, delivered=delivered)
        self.history.append((at, evaluation))
        self.remembered.append(self.alerts)
        return evaluation

    def run(self, until: int, *, start: int = 0, every: int = 1) -> Stage:
        """Evaluate every second, or every few."""
        for at in range(start, until + 1, every):
            self.evaluate_at(at)
        return self

    def restart(self, at: float) -> None:
        """A new process, which has what the old one stored."""
        old = self.memory
        counts = [row for arrived, row in self.events if arrived <= self.evaluated]
        self.memory = Memory.restore(
            self.rules, BUCKET, alerts=self.alerts, since=old.since, watched=old.watched, counts=counts
        )

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Everything remembered now."""
        return tuple(sorted(self.memory.alerts.values(), key=lambda alert: (alert.starts_at, alert.episode)))

    @property
    def notifications(self) -> list[Notification]:
        """Everything sent, in order."""
        return [notification for _, evaluation in self.history for notification in evaluation.notifications]

    @property
    def sent(self) -> list[str]:
        """Everything sent to ``ops``, such as ``4 firing A``."""
        return [
            f"{at:g} {sent.kind} {sent.alert.alert.rule}"
            for at, evaluation in self.history
            for sent in evaluation.notifications
            if sent.receiver == "ops"
        ]

    @property
    def pages(self) -> list[str]:
        """The rules of the alerts that paged, in order."""
        kinds = (NotificationKind.FIRING, NotificationKind.PERSISTS)
        return [sent.alert.alert.rule for sent in self.notifications if sent.kind in kinds]

    @property
    def moves(self) -> list[str]:
        """Every transition, such as ``4 A inactive → firing``."""
        return [
            f"{at:g} {step.alert.rule} {step.source} → {step.target}"
            for at, evaluation in self.history
            for step in evaluation.transitions
        ]

    def state(self, rule: str) -> AlertState:
        """The state of the rule's latest episode."""
        return self.alert(rule).state

    def alert(self, rule: str) -> Alert:
        """The rule's latest episode that is remembered."""
        return [alert for alert in self.alerts if alert.key.rule == rule][-1]

    def suppressed(self) -> dict[str, list[str]]:
        """The rules of suppressed alerts with the rules that explain them, root first."""
        muted = [alert for alert in self.alerts if alert.state is AlertState.SUPPRESSED]
        return {alert.key.rule: [cause.alert.rule for cause in alert.causes] for alert in muted}
