"""What the statistics of a file, or of a part of one, say of a query: whether any row can match.

Statistics may be wider than the rows are (texts are cut, times rounded), never narrower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from faultline.archive.search.query import And, Compare, Not, Or, Query, conjuncts


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of ``rows`` rows: per column the least and the greatest value, and how many are null, where that is known."""

    rows: int
    lowest: Mapping[str, Any] = field(default_factory=dict)
    highest: Mapping[str, Any] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether some row can match, and whether some row can fail to."""

    matches: bool
    fails: bool


_OPEN = Outlook(True, True)


def may_match(query: Query, statistics: Statistics) -> bool:
    """Whether the rows have to be read."""
    return statistics.rows > 0 and outlook(query, statistics).matches


def uncertain(query: Query, statistics: Statistics) -> Iterator[Query]:
    """The parts of the query, all to be true, that have to be asked of the rows: those that some row may fail."""
    return (part for part in conjuncts(query) if outlook(part, statistics).fails)


def outlook(query: Query, statistics: Statistics) -> Outlook:
    """What can be known of the rows without reading them."""
    if isinstance(query, Not):
        inner = outlook(query.operand, statistics)
        return Outlook(inner.fails, inner.matches)
    if isinstance(query, And | Or):
        parts = [outlook(operand, statistics) for operand in query.operands]
        some, every = (any, all) if isinstance(query, Or) else (all, any)
        return Outlook(some(part.matches for part in parts), every(part.fails for part in parts))
    if isinstance(query, Compare) and not query.field.in_raw:
        return _compare(query, statistics)
    return _OPEN


def _compare(query: Compare, statistics: Statistics) -> Outlook:
    name, value = query.field.name, query.value
    nulls = statistics.nulls.get(name)
    if nulls is not None and nulls == statistics.rows:
        return Outlook(False, True)
    low, high = statistics.lowest.get(name), statistics.highest.get(name)
    if low is None or high is None:
        return _OPEN
    matches, certain = {
        "=": (low <= value <= high, low == value == high),
        "<": (low < value, high < value),
        "<=": (low <= value, high <= value),
        ">": (high > value, low > value),
        ">=": (high >= value, low >= value),
    }[query.order]
    return Outlook(matches, not (certain and nulls == 0))
