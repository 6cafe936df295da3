"""One notification as words: a title for the glance, and a text that says what, how often, since when, and what for.

Knows the order in which a person who was just woken needs things; refuses to know any provider's markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from faultline.dispatch.text import block, one_line
from faultline.model import AlertKey, AlertState, AlertSummary, Notification, NotificationKind
from faultline.settings import format_duration

_WORDS = {
    NotificationKind.FIRING: "FIRING",
    NotificationKind.UPDATE: "UPDATE",
    NotificationKind.RESOLVED: "RESOLVED",
    NotificationKind.PERSISTS: "STILL FAILING",
    NotificationKind.CORRECTION: "CORRECTION",
    NotificationKind.DIGEST: "DIGEST",
    NotificationKind.META: "FAULTLINE",
}
_STATES = {
    AlertState.SUPPRESSED: "suppressed",
    AlertState.HELD: "held",
    AlertState.RECOVERING: "recovering",
    AlertState.RESOLVED: "over",
    AlertState.FIRING: "sent before its cause was seen",
}
_MOST_EFFECTS = 20


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text, safe to print: every control character that came out of a log is escaped."""

    title: str
    text: str


def render(notification: Notification) -> Message:
    """The notification in English."""
    alert = notification.alert
    word = _WORDS[notification.kind]
    severity = alert.labels.get("severity")
    heading = f"[{word}] " + (f"{severity.upper()} " if severity else "") + name(alert.alert)
    return Message(one_line(heading), "\n".join(_lines(notification)))


def name(alert: AlertKey) -> str:
    """The alert as ``Rule label=value label=value``."""
    return " ".join([alert.rule, *(f"{label}={value}" for label, value in alert.labels.items())])


def _lines(notification: Notification) -> Iterator[str]:
    alert = notification.alert
    if summary := alert.annotations.get("summary"):
        yield one_line(summary)
    if notification.kind != NotificationKind.META:
        yield _sentence(notification)
    yield _times(alert)
    for annotation, value in alert.annotations.items():
        if annotation != "summary":
            yield one_line(f"{annotation}: {value}")
    if further := _further(alert.labels, alert.alert):
        yield one_line(f"labels: {further}")
    if alert.caused_by:
        yield one_line("caused by: " + ", ".join(name(cause) for cause in alert.caused_by))
    if notification.suppressed:
        yield from _effects(notification)
    if notification.kind != NotificationKind.RESOLVED:
        yield from _samples(alert)
    yield one_line(f"why: {notification.reason}")
    yield one_line(f"id: {notification.key}")


def _sentence(notification: Notification) -> str:
    alert = notification.alert
    records = f"{alert.count:,} {'record' if alert.count == 1 else 'records'}"
    if notification.kind == NotificationKind.RESOLVED:
        lasted = f" after {format_duration(alert.ends_at - alert.starts_at)}" if alert.ends_at else ""
        return one_line(f"over{lasted}: {records} in all; threshold {alert.threshold}")
    if notification.kind == NotificationKind.PERSISTS:
        return one_line(f"still failing after its root cause cleared: {records}; threshold {alert.threshold}")
    return one_line(f"{records}; threshold {alert.threshold}")


def _times(alert: AlertSummary) -> str:
    start = alert.starts_at
    parts = [f"since {start:%Y-%m-%d %H:%M:%S}"]
    if alert.first_seen and alert.first_seen.replace(microsecond=0) != start:
        parts.append(f"first seen {_time(alert.first_seen, start)}")
    if alert.last_seen:
        parts.append(f"last seen {_time(alert.last_seen, start)}")
    if alert.ends_at:
        parts.append(f"over at {_time(alert.ends_at, start)}")
    return ", ".join(parts) + " UTC"


def _time(at: datetime, start: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.date() == start.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def _further(labels: Mapping[str, str], alert: AlertKey) -> str:
    """The labels that neither the name nor the title says already."""
    said = {*alert.labels, "severity", "alertname"}
    return " ".join(f"{label}={value}" for label, value in labels.items() if label not in said)


def _effects(notification: Notification) -> Iterator[str]:
    effects = notification.suppressed
    yield f"caused, and not paged: {len(effects)}" if len(effects) > 1 else "caused, and not paged:"
    for effect in effects[:_MOST_EFFECTS]:
        state = _STATES.get(effect.state, effect.state.value)
        yield one_line(f"  - {name(effect.alert)}: {effect.count:,} since {effect.starts_at:%H:%M:%S} ({state})")
    if len(effects) > _MOST_EFFECTS:
        rest = effects[_MOST_EFFECTS:]
        yield f"  - and {len(rest)} more, {sum(effect.count for effect in rest):,} records"


def _samples(alert: AlertSummary) -> Iterator[str]:
    for sample in alert.samples:
        yield "sample:"
        yield block(sample)
