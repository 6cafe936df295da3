"""Messages about Faultline itself: what they look like, and when a message that does not get through is one.

A channel that fails is told of through the others: nobody should learn from silence that nobody was told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from faultline.dispatch.delivery import Leased, OutboxState, Outcome, Telling
from faultline.model import AlertKey, AlertState, AlertSummary, Labels, Notification, NotificationKind

# About two minutes of trying again.
FAILING_AFTER = 8


@dataclass(frozen=True, slots=True)
class Fallback:
    """Who is told when others cannot be: the receiver of the root route, with its targets."""

    receiver: str
    targets: tuple[str, ...]


def meta_notification(
    alert: str, labels: Mapping[str, str], summary: str, *, identity: str, receiver: str, at: datetime
) -> Notification:
    """The message; a second one of the same identity and receiver has the same key, and is the same to the outbox."""
    key = AlertKey(alert, Labels(labels))
    text = AlertSummary(key, AlertState.FIRING, at, None, 0, "", labels=dict(labels), annotations={"summary": summary})
    return Notification(f"meta:{identity}", receiver, NotificationKind.META, 1, "Faultline's own check", at, text)


def plan_telling(leased: Leased, outcome: Outcome, fallback: Fallback | None, at: datetime) -> Telling | None:
    """What to tell whom of an attempt that failed for good, or again and again: once an hour for each target."""
    dead = outcome.state == OutboxState.DEAD
    failing = outcome.state == OutboxState.RETRY and leased.attempt == FAILING_AFTER
    targets = _others(fallback.targets, leased.target) if fallback else ()
    if fallback is None or not targets or not (dead or failing):
        return None
    alert = "NotificationDead" if dead else "NotificationFailing"
    notification = meta_notification(
        alert,
        {"target": leased.target},
        _summary(leased, outcome),
        identity=f"{alert}:{leased.target}:{at:%Y-%m-%dT%H}",
        receiver=fallback.receiver,
        at=at,
    )
    return Telling(notification, targets)


def _others(targets: Sequence[str], failed: str) -> tuple[str, ...]:
    return tuple(target for target in targets if target != failed)


def _summary(leased: Leased, outcome: Outcome) -> str:
    """Who was not told what, in the provider's words, and what to do."""
    said = f"{outcome.delivery.provider_code or ''} {outcome.delivery.provider_message or ''}".strip()
    key = leased.notification.key
    if outcome.state == OutboxState.DEAD:
        return f"{leased.target} was not told of {key} and will not be: {said}. See faultline outbox list --state dead"
    return f"{leased.target} could not be told of {key} in {leased.attempt} attempts, which go on: {said}"
