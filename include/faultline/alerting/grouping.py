"""Groups: alerts of one route with the same ``group_by`` labels share their messages, as in Alertmanager.

A group begins with its first page and is over when all its alerts are. What a receiver was told of it is remembered by
the alerts in it: every message of a group is noted with each of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from faultline.alerting.alerts import Alert, Told, replace
from faultline.alerting.notifications import Occasion, is_muted, page_of, resolved_reason, summarise, told_by, update_of
from faultline.alerting.routing import Destination, GroupKey
from faultline.alerting.rules import Rules
from faultline.alerting.severities import rank
from faultline.durations import format_duration
from faultline.model import AlertKey, AlertState, AlertSummary, Labels, Notification, NotificationKind, common

_PAGES = (NotificationKind.FIRING, NotificationKind.PERSISTS)
_SAMPLES = 3
_REASONS = 3

Due = tuple[NotificationKind, str]


@dataclass(frozen=True, slots=True)
class _Member:
    """An alert and one receiver: what that was told of it, and where the alert would go now."""

    occasion: Occasion
    known: Told | None
    destination: Destination | None

    @property
    def alert(self) -> Alert:
        return self.occasion.alert

    @property
    def heard(self) -> bool:
        """Whether more than its end may be said of it now."""
        if self.destination is None or self.occasion.silenced or not self.alert.sounding:
            return False
        return not is_muted(self.destination, self.occasion.rules, self.occasion.at)


@dataclass(frozen=True, slots=True)
class _Group:
    """The alerts that the receiver was told of, and those it is to be told of; ``id`` is that of the messages."""

    id: str
    receiver: str
    labels: Labels
    told: tuple[_Member, ...]
    fresh: tuple[_Member, ...]

    @property
    def going(self) -> list[_Member]:
        return [member for member in self.told if member.alert.live]

    @property
    def ended(self) -> list[_Member]:
        return [member for member in self.told if not member.alert.live]

    @property
    def named(self) -> list[_Member]:
        """Whom a message is about: not those that are silenced."""
        return [*(member for member in self.going if member.heard), *self.fresh, *self.ended]


def in_groups(alert: Alert, rules: Rules) -> bool:
    """Whether it is in a group of some receiver, or is to join one."""
    if alert.owes_word:
        return True
    return alert.sounding and any(each.group_by is not None for each in rules.destinations(alert.shown))


def announce_groups(occasions: Iterable[Occasion], at: datetime) -> tuple[dict[str, Alert], list[Notification]]:
    """What to send now, and by their episodes the alerts that it is about, with what their receivers then know."""
    alerts: dict[str, Alert] = {}
    sent: list[Notification] = []
    for group in _groups(occasions, at):
        made = list(_messages(group, at))
        for member in (*group.told, *group.fresh) if made else ():
            alert = alerts.get(member.alert.episode, member.alert)
            others = [known for known in alert.told if known.receiver != group.receiver]
            alerts[alert.episode] = replace(alert, told=(*others, _told(group, member, made)))
        sent += made
    return alerts, sent


def _groups(occasions: Iterable[Occasion], at: datetime) -> list[_Group]:
    told: dict[str, list[_Member]] = {}
    fresh: dict[GroupKey, list[_Member]] = {}
    keys: dict[str, GroupKey] = {}
    for occasion in sorted(occasions, key=lambda each: (each.alert.starts_at, each.alert.episode)):
        alert = occasion.alert
        known = {each.receiver: each for each in alert.told if not each.over}
        routes = {each.receiver: each for each in occasion.rules.destinations(alert.shown)}
        for receiver, word in known.items():
            if word.group:
                told.setdefault(word.group, []).append(_Member(occasion, word, routes.get(receiver)))
        for receiver, destination in routes.items():
            key = destination.group(alert.shown)
            if key is None:
                continue
            keys[key.id] = key
            member = _Member(occasion, None, destination)
            if receiver not in known and member.heard:
                fresh.setdefault(key, []).append(member)
    found = []
    for name, members in told.items():
        receiver = next(word.receiver for word in (members[0].known,) if word)
        key = keys.get(_base(name))
        joining = fresh.pop(key, []) if key else []
        found.append(_Group(name, receiver, key.labels if key else Labels(), tuple(members), tuple(joining)))
    for key, members in fresh.items():
        found.append(_Group(f"{key.id}-{_stamp(at)}", key.receiver, key.labels, (), tuple(members)))
    return sorted(found, key=lambda group: group.id)


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}{f'{at.microsecond:06d}' if at.microsecond else ''}Z"


def _base(name: str) -> str:
    return name.partition("-")[0]


def _messages(group: _Group, at: datetime) -> Iterator[Notification]:
    pages, updates = _sent_before(group)
    for kind, reason in _due(group, at):
        page, over = kind in _PAGES, kind is NotificationKind.RESOLVED
        pages, updates = pages + page, updates + (not page and not over)
        yield _notification(group, kind, pages if page or over else updates, reason, at)


def _sent_before(group: _Group) -> tuple[int, int]:
    known = [member.known for member in group.told if member.known]
    return max((each.pages for each in known), default=0), max((each.updates for each in known), default=0)


def _due(group: _Group, at: datetime) -> Iterator[Due]:
    if not group.told:
        yield from _first_page(group, at)
        return
    corrected = [member for member in group.ended if member.alert.corrected]
    if corrected:
        rules = corrected[0].occasion.rules.rules
        reasons = [f"{each.alert.key}: {rules[each.alert.key.rule].refuted}" for each in corrected]
        yield NotificationKind.CORRECTION, _joined(reasons)
    if not group.going and not group.fresh:
        yield NotificationKind.RESOLVED, _over_reason(group.ended)
    elif any(member.heard for member in group.going) or group.fresh:
        yield from _update(group, len(corrected), at)


def _first_page(group: _Group, at: datetime) -> Iterator[Due]:
    """When the first of them has waited; what outlived its root waits no more."""
    pages = [page_of(member.alert, member.occasion.rules) for member in group.fresh]
    persists = [page for page in pages if page[0] is NotificationKind.PERSISTS]
    begin = min(
        (member.alert.firing_since or at) + member.destination.group_wait
        for member in group.fresh
        if member.destination is not None
    )
    if persists or at >= begin:
        kind, reason = pages[0] if len(pages) == len(persists) else next(page for page in pages if page not in persists)
        yield kind, reason if len(pages) == 1 else f"{len(pages)} alerts: {reason}"


def _update(group: _Group, corrected: int, at: datetime) -> Iterator[Due]:
    """One message for all that is new; a repeat for what goes on."""
    known = next(member.known for member in group.told if member.known)
    destination = next(member.destination for member in group.named if member.destination)
    due = [
        (each[0], f"{member.alert.key}: {each[1]}" if len(group.named) > 1 else each[1])
        for member in group.going
        if member.heard and member.known and member.destination
        if (each := update_of(member.occasion, member.destination, member.known))
    ]
    over = len(group.ended) - corrected
    if (group.fresh or over) and known.rested(at, destination.group_interval):
        more = [f"{len(group.fresh)} more {_alerts(len(group.fresh))}"] if group.fresh else []
        due.append((NotificationKind.UPDATE, ", ".join([*more, *([f"{over} over"] if over else [])])))
    kinds = {kind for kind, _ in due}
    if kinds:
        repeat = NotificationKind.FIRING in kinds
        yield NotificationKind.FIRING if repeat else NotificationKind.UPDATE, _joined([reason for _, reason in due])


def _over_reason(ended: Sequence[_Member]) -> str:
    if len(ended) == 1:
        return resolved_reason(ended[0].alert)
    ends = [member.alert.ends_at for member in ended if member.alert.ends_at]
    if not ends:
        return "their rules were removed"
    return f"all {len(ended)} over, lasted {format_duration(max(ends) - min(each.alert.starts_at for each in ended))}"


def _joined(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    return "; ".join(reasons[:_REASONS]) + more


def _alerts(number: int) -> str:
    return "alert" if number == 1 else "alerts"


def _told(group: _Group, member: _Member, made: Sequence[Notification]) -> Told:
    """What the receiver knows of the alert after the messages."""
    pages, updates = _sent_before(group)
    told = told_by(member.occasion, group.receiver, not member.alert.live)
    return dataclasses.replace(
        told,
        pages=pages + sum(each.kind in _PAGES for each in made),
        updates=updates + sum(each.kind in (NotificationKind.UPDATE, NotificationKind.CORRECTION) for each in made),
        awaits=made[-1].key,
        group=group.id,
    )


def _notification(group: _Group, kind: NotificationKind, sequence: int, reason: str, at: datetime) -> Notification:
    named = group.named
    alerts = tuple(summarise(member.alert, member.occasion.rules) for member in named)
    inside = {member.alert.episode for member in named}
    effects = {each.episode: each for member in named for each in member.occasion.effects if each.episode not in inside}
    return Notification(
        group.id,
        group.receiver,
        kind,
        sequence,
        reason,
        at,
        alerts[0] if len(alerts) == 1 else _merged(alerts, group.labels),
        tuple(summarise(effect, named[0].occasion.rules) for effect in effects.values()),
        alerts=alerts,
        group=dict(group.labels.items()),
    )


def _merged(alerts: Sequence[AlertSummary], labels: Labels) -> AlertSummary:
    """Several alerts as one: what they have in common, all their records, the worst severity."""
    going = [each for each in alerts if each.state in (AlertState.FIRING, AlertState.ACKED)]
    ends = [each.ends_at for each in alerts if each.ends_at is not None]
    acked = bool(going) and all(each.ack for each in going)
    severity = max((each.labels.get("severity", "") for each in alerts), key=rank)
    thresholds = {each.threshold for each in alerts}
    seen = (
        [each.first_seen for each in alerts if each.first_seen],
        [each.last_seen for each in alerts if each.last_seen],
    )
    return AlertSummary(
        AlertKey(f"{len(alerts)} alerts", labels),
        AlertState.ACKED if acked else AlertState.FIRING if going else alerts[0].state,
        min(each.starts_at for each in alerts),
        None if going else max(ends, default=None),
        sum(each.count for each in alerts),
        thresholds.pop() if len(thresholds) == 1 else "",
        min(seen[0], default=None),
        max(seen[1], default=None),
        common([each.labels for each in alerts]) | ({"severity": severity} if severity else {}),
        common([each.annotations for each in alerts]),
        tuple(dict.fromkeys(sample for each in alerts for sample in each.samples[:1]))[:_SAMPLES],
        tuple(dict.fromkeys(cause for each in alerts for cause in each.caused_by)),
        going[0].ack if acked else None,
        any(each.late for each in alerts),
    )
