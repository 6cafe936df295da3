"""What to tell whom: pages, updates of pages, persisting effects, resolves; each receiver's memory is in the alert.

One page an episode and receiver. An update changes that page and is never a new one. Intervals between messages begin
when the earlier one is delivered: who could not be told of the first is not told twice of it afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.alerts import Alert, Told, replace
from faultline.alerting.routing import Destination
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.rules import Rules
from faultline.alerting.severities import inherited_severity, rank
from faultline.alerting.templates import render
from faultline.durations import format_duration
from faultline.model import AlertState, AlertSummary, Notification, NotificationKind


@dataclass(frozen=True, slots=True)
class Occasion:
    """One alert after an evaluation: its effects, whether it has just been explained although it was notified, and
    whether it is silenced.
    """

    rules: Rules
    at: datetime
    alert: Alert
    effects: Sequence[Alert]
    explained: bool
    newly_explained: bool
    silenced: bool = False


Due = tuple[str, NotificationKind, str]


def announce(occasion: Occasion) -> tuple[Alert, list[Notification]]:
    """What to send now, and the alert with what its receivers then know."""
    severity = inherited_severity(occasion.alert, occasion.effects)
    if severity != occasion.alert.severity:
        occasion = dataclasses.replace(occasion, alert=replace(occasion.alert, severity=severity))
    if not (occasion.alert.told or occasion.alert.sounding):
        return occasion.alert, []
    told = {known.receiver: known for known in occasion.alert.told}
    sent = []
    for receiver, kind, reason in _due(occasion):
        known = _told(occasion, receiver, told.get(receiver), kind)
        sequence = known.updates if kind is NotificationKind.UPDATE else known.pages
        sent.append(_notification(occasion, receiver, kind, sequence, reason))
        told[receiver] = dataclasses.replace(known, awaits=sent[-1].key)
    return (replace(occasion.alert, told=tuple(told.values())) if sent else occasion.alert), sent


def is_waiting(alert: Alert, occasion: Occasion) -> bool:
    """Whether the clock alone will bring a message: a page or a repeat that waits, or an update for its interval."""
    if not alert.sounding:
        return False
    if owes_a_page(alert, occasion.rules, occasion.at):
        return True
    return not occasion.explained and any(_fresh(occasion, known) for known in alert.told)


def owes_a_page(alert: Alert, rules: Rules, at: datetime) -> bool:
    """Whether a receiver that is not muted is still to get the alert's page."""
    told = {known.receiver for known in alert.told if not known.over}
    return any(each.receiver not in told for each in rules.destinations(alert.shown) if not is_muted(each, rules, at))


def all_muted(alert: Alert, rules: Rules, at: datetime) -> bool:
    """Whether it is an hour in which nobody at all would be told."""
    found = rules.destinations(alert.shown)
    return bool(found) and all(is_muted(each, rules, at) for each in found)


def is_muted(destination: Destination, rules: Rules, at: datetime) -> bool:
    """Whether it is an hour in which nothing is sent there."""
    if not destination.mute_in and not destination.active_in:
        return False
    return destination.muted_at(at, rules.time_intervals)


def _due(occasion: Occasion) -> Iterator[Due]:
    alert = occasion.alert
    told = {known.receiver: known for known in alert.told if not known.over}
    if alert.state in (AlertState.RESOLVED, AlertState.EXPIRED):
        for receiver in (each.receiver for each in told.values() if not each.group):
            if alert.corrected:
                yield receiver, NotificationKind.CORRECTION, occasion.rules.rules[alert.key.rule].refuted
            yield receiver, NotificationKind.RESOLVED, resolved_reason(alert)
    elif alert.sounding and not occasion.silenced:
        for destination in occasion.rules.destinations(alert.shown):
            known = told.get(destination.receiver)
            grouped = destination.group_by is not None if known is None else bool(known.group)
            if not grouped and not is_muted(destination, occasion.rules, occasion.at):
                due = _page(occasion, destination) if known is None else update_of(occasion, destination, known)
                if due is not None:
                    yield destination.receiver, *due


def _page(occasion: Occasion, destination: Destination) -> tuple[NotificationKind, str] | None:
    kind, reason = page_of(occasion.alert, occasion.rules)
    waits = occasion.at < (occasion.alert.firing_since or occasion.at) + _wait(occasion, destination)
    return None if waits and kind is NotificationKind.FIRING else (kind, reason)


def page_of(alert: Alert, rules: Rules) -> tuple[NotificationKind, str]:
    """Of which kind its page is, and why it is sent."""
    if alert.outlived_root:
        return NotificationKind.PERSISTS, _persists_reason(alert)
    crossed = rules.rules[alert.key.rule].crossed
    return NotificationKind.FIRING, f"{crossed}; flapping" if alert.flapping else crossed


def _wait(occasion: Occasion, destination: Destination) -> timedelta:
    """Only what can have effects waits for them."""
    alert, graph = occasion.alert, occasion.rules.graph
    return destination.group_wait if graph.has_effects(alert.key.rule, alert.labels) else timedelta(0)


def update_of(occasion: Occasion, destination: Destination, known: Told) -> tuple[NotificationKind, str] | None:
    """What has changed since the receiver was told of the alert, or that it is time to say it again."""
    alert = occasion.alert
    if occasion.newly_explained:
        return NotificationKind.UPDATE, f"caused by {alert.causes[0].alert}"
    if alert.severity is not None and rank(alert.severity) > rank(known.severity):
        return NotificationKind.UPDATE, f"severity raised to {alert.severity} by its effects"
    if alert.ack is not None and not known.acked:
        return NotificationKind.UPDATE, alert.ack.reason
    if occasion.explained:
        return None
    fresh = _fresh(occasion, known)
    if fresh and known.rested(occasion.at, destination.group_interval):
        return NotificationKind.UPDATE, f"{len(fresh)} more {'effect' if len(fresh) == 1 else 'effects'}"
    if alert.ack is not None or destination.repeat_interval is None:
        return None
    if known.rested(occasion.at, destination.repeat_interval):
        lasts = format_duration(occasion.at - alert.starts_at)
        return NotificationKind.FIRING, f"still firing after {lasts}"
    return None


def _fresh(occasion: Occasion, known: Told) -> list[Alert]:
    """The effects that go on and that the receiver has not been told of."""
    named = set(known.effects)
    return [effect for effect in occasion.effects if effect.live and effect.episode not in named]


def _told(occasion: Occasion, receiver: str, before: Told | None, kind: NotificationKind) -> Told:
    page = kind in (NotificationKind.FIRING, NotificationKind.PERSISTS)
    return dataclasses.replace(
        told_by(occasion, receiver, kind is NotificationKind.RESOLVED),
        updates=(before.updates if before else 0) + (kind is NotificationKind.UPDATE),
        pages=(before.pages if before else 0) + page,
    )


def told_by(occasion: Occasion, receiver: str, over: bool) -> Told:
    """What a receiver knows that is told everything now."""
    return Told(
        receiver,
        occasion.at,
        effects=tuple(effect.episode for effect in occasion.effects),
        severity=occasion.alert.shown.get("severity", ""),
        over=over,
        acked=occasion.alert.ack is not None,
    )


def _persists_reason(alert: Alert) -> str:
    row = alert.suppression
    lasted = format_duration(row.ends_at - row.starts_at) if row and row.ends_at else "0s"
    return f"still failing after its root cause cleared; suppressed for {lasted}, {alert.count} records"


def resolved_reason(alert: Alert) -> str:
    """How its end is told."""
    if alert.state is AlertState.EXPIRED or alert.ends_at is None:
        return "its rule was removed"
    lasted = f"lasted {format_duration(alert.ends_at - alert.starts_at)}"
    return f"{lasted}, flapping" if alert.flapping else lasted


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
    return AlertSummary(
        alert.key,
        alert.state,
        alert.starts_at,
        alert.ends_at,
        alert.count,
        condition,
        alert.first_seen,
        alert.last_seen,
        dict(alert.shown.items()),
        _annotations(alert, rule) if rule and rule.annotations else {},
        tuple(sample.text for sample in alert.samples),
        tuple(cause.alert for cause in alert.causes),
        alert.ack,
        alert.late,
    )


def _annotations(alert: Alert, rule: BaseRule) -> dict[str, str]:
    variables = {
        "alertname": alert.key.rule,
        "labels": dict(alert.labels),
        "count": alert.count,
        "threshold": rule.threshold,
        "starts_at": alert.starts_at,
    }
    return {name: render(text, variables) for name, text in rule.annotations.items()}
