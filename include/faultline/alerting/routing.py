"""The routing tree: which receivers hear of an alert, and how long they let its effects gather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from faultline.alerting.matchers import matches_all
from faultline.alerting.rulefile import Route


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver, with the waits of the route that led to it."""

    receiver: str
    group_wait: timedelta
    group_interval: timedelta


def destinations(root: Route, labels: Mapping[str, str]) -> tuple[Destination, ...]:
    """Where alerts with these labels go, each receiver once; the first route that names a receiver sets its waits."""
    found: dict[str, Destination] = {}
    for destination in _leaves(root, labels, Destination("", timedelta(0), timedelta(minutes=1))):
        found.setdefault(destination.receiver, destination)
    return tuple(found.values())


def _leaves(route: Route, labels: Mapping[str, str], parent: Destination) -> Iterator[Destination]:
    here = Destination(
        route.receiver or parent.receiver,
        parent.group_wait if route.group_wait is None else route.group_wait,
        parent.group_interval if route.group_interval is None else route.group_interval,
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
