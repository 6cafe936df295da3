"""Which alerts of one rule are decided before others: inhibit rules may have both their ends in it.

The sources of an inhibit rule come before its targets, and an inhibit rule before those whose sources its targets may
be. Where that goes round in a circle two alerts would mute each other and nobody would be told, so the inhibit rule
that is written first gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from faultline.alerting.matchers import Condition, matches_all, may_both_match


class Sides(NamedTuple):
    """What an inhibiting and an inhibited alert must match."""

    source: Condition
    target: Condition


def sources_first(sides: Iterable[Sides]) -> tuple[Sides, ...]:
    """Each once, after those whose targets may be its sources."""
    order: list[Sides] = []
    waiting = list(dict.fromkeys(sides))
    while waiting:
        free = (each for each in waiting if not any(_leads_to(one, each) for one in waiting if one is not each))
        chosen = next(free, waiting[0])
        waiting.remove(chosen)
        order.append(chosen)
    return tuple(order)


def rank(order: Sequence[Sides], labels: Mapping[str, str]) -> int:
    """The place of an alert with these labels: those that may mute it have lower ones, what is no target has 0."""
    targets = [(place, each) for place, each in enumerate(order) if matches_all(each.target, labels)]
    return max((2 * place + (1 if matches_all(each.source, labels) else 2) for place, each in targets), default=0)


def in_a_circle(order: Sequence[Sides]) -> bool:
    """Whether two alerts may be each other's source and target, so that one of the two is muted by none."""
    return any(_leads_to(later, earlier) for place, later in enumerate(order) for earlier in order[:place])


def _leads_to(first: Sides, then: Sides) -> bool:
    return may_both_match(first.target, then.source)
