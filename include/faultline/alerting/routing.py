"""The routing tree: which receivers hear of an alert, and how long they let its effects gather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.alerting.matchers import matches_all
from faultline.alerting.rulefile import Route
from faultline.alerting.timeintervals import NamedIntervals


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver, with the waits of the route that led to it and when that is muted (this is not inherited)."""

    receiver: str
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(minutes=1)
    repeat_interval: timedelta | None = None
    mute_in: tuple[str, ...] = ()
    active_in: tuple[str, ...] = ()

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


def _leaves(route: Route, labels: Mapping[str, str], parent: Destination) -> Iterator[Destination]:
    here = Destination(
        route.receiver or parent.receiver,
        parent.group_wait if route.group_wait is None else route.group_wait,
        parent.group_interval if route.group_interval is None else route.group_interval,
        parent.repeat_interval if route.repeat_interval is None else route.repeat_interval,
        route.mute_time_intervals,
        route.active_time_intervals,
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
