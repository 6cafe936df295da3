"""The routing tree: which receivers hear of an alert, and how long they let its effects gather."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.chainfile import may_match, must_match
from faultline.alerting.matchers import matches_all
from faultline.alerting.rulefile import Route
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.timeintervals import NamedIntervals
from faultline.model import Labels

# Alertmanager's word for a group of its own for each alert.
EVERY_LABEL = "..."


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What the alerts of a group have in common; ``route`` is the way of matchers that leads there."""

    receiver: str
    route: str
    labels: Labels

    @property
    def id(self) -> str:
        """A stable hash, 16 hex digits."""
        text = json.dumps([self.receiver, self.route, list(self.labels.items())], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver, with the waits of the route that led to it and when that is muted (this is not inherited)."""

    receiver: str
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(minutes=1)
    repeat_interval: timedelta | None = None
    mute_in: tuple[str, ...] = ()
    active_in: tuple[str, ...] = ()
    group_by: tuple[str, ...] | None = None
    route: str = ""

    def group(self, labels: Mapping[str, str]) -> GroupKey | None:
        """Which group an alert with these labels is in; None where each is told of by itself."""
        if self.group_by is None:
            return None
        names = labels if self.group_by == (EVERY_LABEL,) else [name for name in self.group_by if name in labels]
        return GroupKey(self.receiver, self.route, Labels({name: labels[name] for name in names}))

    def muted_at(self, at: datetime, intervals: Mapping[str, NamedIntervals]) -> bool:
        """Whether nothing is sent to it at the time."""
        if any(intervals[name].contains(at) for name in self.mute_in):
            return True
        return bool(self.active_in) and not any(intervals[name].contains(at) for name in self.active_in)


def destinations(root: Route, labels: Mapping[str, str]) -> tuple[Destination, ...]:
    """Where alerts with these labels go, each receiver once; the first route that names a receiver sets its waits."""
    found: dict[str, Destination] = {}
    for destination in _leaves(root, labels, Destination("")):
        found.setdefault(destination.receiver, destination)
    return tuple(found.values())


def possible_receivers(root: Route, rule: BaseRule) -> tuple[str, ...]:
    """The receivers that alerts of the rule may go to, whatever the labels of their identity are; each once."""
    return tuple(dict.fromkeys(_possible(root, rule, "")))


def _possible(route: Route, rule: BaseRule, inherited: str) -> Iterator[str]:
    receiver, taken = route.receiver or inherited, False
    for child in route.routes:
        if may_match(child.parsed_matchers, rule):
            yield from _possible(child, rule, receiver)
            if must_match(child.parsed_matchers, rule):
                taken = True
                if not child.continue_:
                    break
    if not taken:
        yield receiver


def _leaves(route: Route, labels: Mapping[str, str], parent: Destination) -> Iterator[Destination]:
    here = Destination(
        route.receiver or parent.receiver,
        parent.group_wait if route.group_wait is None else route.group_wait,
        parent.group_interval if route.group_interval is None else route.group_interval,
        parent.repeat_interval if route.repeat_interval is None else route.repeat_interval,
        route.mute_time_intervals,
        route.active_time_intervals,
        parent.group_by if route.group_by is None else route.group_by,
        f"{parent.route}/{','.join(route.matchers)}",
    )
    matched = False
    for child in route.routes:
        if not matches_all(child.parsed_matchers, labels):
            continue
        matched = True
        yield from _leaves(child, labels, here)
        if not child.continue_:
            break
    if not matched:
        yield here
