"""What to tell whom: pages, updates of pages, persisting effects, resolves; each receiver's memory is in the alert.

One page an episode and receiver. An update changes that page and is never a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert, Told
from faultline.alerting.routing import Destination, destinations
from faultline.alerting.rules import Rules
from faultline.alerting.templates import render
from faultline.model import AlertState, AlertSummary, Notification, NotificationKind
from faultline.settings import format_duration


@dataclass(frozen=True, slots=True)
class Occasion:
    """One alert after an evaluation: its effects, and whether it has just been explained although it was notified."""

    rules: Rules
    at: datetime
    alert: Alert
    effects: Sequence[Alert]
    explained: bool
    newly_explained: bool


def announce(occasion: Occasion) -> tuple[Alert, list[Notification]]:
    """What to send now, and the alert with what its receivers then know."""
    told = {known.receiver: known for known in occasion.alert.told}
    sent = []
    for receiver, kind, reason in _due(occasion):
        before = told.get(receiver)
        sequence = before.updates + 1 if before and kind is NotificationKind.UPDATE else 1
        sent.append(_notification(occasion, receiver, kind, sequence, reason))
        told[receiver] = _told(occasion, receiver, sequence if kind is NotificationKind.UPDATE else 0)
    return (replace(occasion.alert, told=tuple(told.values())) if sent else occasion.alert), sent


def is_waiting(alert: Alert, occasion: Occasion) -> bool:
    """Whether the clock alone will bring a message: a page that waits for effects, or an update for its interval."""
    if alert.state is not AlertState.FIRING:
        return False
    named = [set(known.effects) for known in alert.told]
    fresh = any(effect.live and effect.episode not in known for effect in occasion.effects for known in named)
    return owes_a_page(alert, occasion.rules) or (fresh and not occasion.explained)


def owes_a_page(alert: Alert, rules: Rules) -> bool:
    """Whether a receiver is still to get the alert's page."""
    told = {known.receiver for known in alert.told}
    return any(destination.receiver not in told for destination in destinations(rules.file.route, alert.labels))


def _due(occasion: Occasion) -> Iterator[tuple[str, NotificationKind, str]]:
    alert = occasion.alert
    if alert.state in (AlertState.RESOLVED, AlertState.EXPIRED):
        for known in alert.told:
            yield known.receiver, NotificationKind.RESOLVED, _resolved_reason(alert)
    elif alert.state is AlertState.FIRING:
        told = {known.receiver: known for known in alert.told}
        for destination in destinations(occasion.rules.file.route, alert.labels):
            known_before = told.get(destination.receiver)
            due = _page(occasion, destination) if known_before is None else _update(occasion, destination, known_before)
            if due is not None:
                yield destination.receiver, *due


def _page(occasion: Occasion, destination: Destination) -> tuple[NotificationKind, str] | None:
    alert, rule = occasion.alert, occasion.rules.rules[occasion.alert.key.rule]
    if alert.outlived_root:
        return NotificationKind.PERSISTS, _persists_reason(alert)
    if occasion.at < (alert.firing_since or occasion.at) + _wait(occasion, destination):
        return None
    return NotificationKind.FIRING, rule.crossed


def _wait(occasion: Occasion, destination: Destination) -> timedelta:
    """Only what can have effects waits for them."""
    return destination.group_wait if occasion.rules.graph.has_effects(occasion.alert.key.rule) else timedelta(0)


def _update(occasion: Occasion, destination: Destination, known: Told) -> tuple[NotificationKind, str] | None:
    if occasion.newly_explained:
        return NotificationKind.UPDATE, f"caused by {occasion.alert.causes[0].alert}"
    fresh = [effect for effect in occasion.effects if effect.live and effect.episode not in known.effects]
    if occasion.explained or not fresh or occasion.at < known.at + destination.group_interval:
        return None
    return NotificationKind.UPDATE, f"{len(fresh)} more {'effect' if len(fresh) == 1 else 'effects'}"


def _told(occasion: Occasion, receiver: str, updates: int) -> Told:
    return Told(receiver, occasion.at, updates, tuple(effect.episode for effect in occasion.effects))


def _persists_reason(alert: Alert) -> str:
    row = alert.suppression
    lasted = format_duration(row.ends_at - row.starts_at) if row and row.ends_at else "0s"
    return f"still failing after its root cause cleared; suppressed for {lasted}, {alert.count} records"


def _resolved_reason(alert: Alert) -> str:
    if alert.state is AlertState.EXPIRED or alert.ends_at is None:
        return "its rule was removed"
    return f"lasted {format_duration(alert.ends_at - alert.starts_at)}"


def _notification(
    occasion: Occasion, receiver: str, kind: NotificationKind, sequence: int, reason: str
) -> Notification:
    return Notification(
        occasion.alert.episode,
        receiver,
        kind,
        sequence,
        reason,
        occasion.at,
        summarise(occasion.alert, occasion.rules),
        tuple(summarise(effect, occasion.rules) for effect in occasion.effects),
    )


def summarise(alert: Alert, rules: Rules) -> AlertSummary:
    """What a message says of an alert; one whose rule was removed has no threshold and no annotations any more."""
    rule = rules.rules.get(alert.key.rule)
    condition = rule.threshold if rule else ""
    variables = {
        "alertname": alert.key.rule,
        "labels": dict(alert.labels),
        "count": alert.count,
        "threshold": condition,
        "starts_at": alert.starts_at,
    }
    return AlertSummary(
        alert.key,
        alert.state,
        alert.starts_at,
        alert.ends_at,
        alert.count,
        condition,
        alert.first_seen,
        alert.last_seen,
        dict(alert.labels),
        {name: render(text, variables) for name, text in rule.annotations.items()} if rule else {},
        tuple(sample.text for sample in alert.samples),
        tuple(cause.alert for cause in alert.causes),
    )


def effects_by_cause(alerts: Iterable[Alert]) -> dict[str, list[str]]:
    """For each episode those it explains, ended ones too, in the order of their starts.

    Also those it explains only by way of another: an effect may have cleared before the cause of its cause was seen.
    """
    known = {alert.episode: alert for alert in alerts}
    ancestors: dict[str, set[str]] = {}
    effects: dict[str, list[str]] = {}
    for episode, _ in sorted(known.items(), key=lambda item: (item[1].starts_at, item[0])):
        for cause in _ancestors(episode, known, ancestors):
            effects.setdefault(cause, []).append(episode)
    return effects


def _ancestors(episode: str, known: Mapping[str, Alert], found: dict[str, set[str]]) -> set[str]:
    """Every episode on the ways up from this one; ``found`` remembers what was asked before."""
    if episode not in found:
        mine: set[str] = set()
        for cause in known[episode].causes if episode in known else ():
            mine |= {cause.episode} | _ancestors(cause.episode, known, found)
        found[episode] = mine
    return found[episode]
