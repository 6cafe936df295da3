"""Counts over time as bars. Pure: where each one stands and how high it is, in the units of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from faultline.archive.search.histogram import bucket_starts
from faultline.model import Interval

HEIGHT = 100
_BAD = ("ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bucket: how many records, how many of them ERROR and above; heights of HEIGHT."""

    bucket: Interval
    count: int
    bad: int
    height: float
    bad_height: float


def bars(counts: Iterable[Mapping[str, Any]], interval: Interval, width: timedelta) -> list[Bar]:
    """A bar for each bucket of the interval, which is cut off at its ends; ``counts`` as BUCKET_SCHEMA has them."""
    totals: dict[datetime, tuple[int, int]] = {}
    for row in counts:
        count, bad = totals.get(row["bucket_start"], (0, 0))
        worse = row["count"] if row["level"] in _BAD else 0
        totals[row["bucket_start"]] = (count + row["count"], bad + worse)
    most = max((count for count, _ in totals.values()), default=0) or 1
    return [
        Bar(_within(start, width, interval), *totals.get(start, (0, 0)), *_heights(totals.get(start, (0, 0)), most))
        for start in bucket_starts(interval, width)
    ]


def _within(start: datetime, width: timedelta, interval: Interval) -> Interval:
    return Interval(max(start, interval.start), min(start + width, interval.end))


def _heights(of: tuple[int, int], most: int) -> tuple[float, float]:
    """One record among a million is still seen."""
    count, bad = (max(round(HEIGHT * each / most, 2), 2) if each else 0 for each in of)
    return count, bad
