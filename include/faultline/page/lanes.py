"""A span of time as a lane: where an episode's bar is in it, and where its hours are. Pure; places are per cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.archive.search.histogram import bucket_starts, bucket_width
from faultline.dispatch.story import Measured
from faultline.model import Interval

_TICKS = 8
_COLUMNS = 120
# A burst of seconds in a week is still seen.
_NARROWEST = 0.4
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """An episode in a lane; it may have begun before, and go on after."""

    x: float
    width: float
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of the axis and what is written there."""

    x: float
    label: str


def bar(span: Interval, starts_at: datetime, ended_at: datetime | None, now: datetime) -> Bar:
    """Where the episode is in the span; one that goes on reaches to now."""
    first = max(_place(span, starts_at), 0.0)
    last = min(_place(span, ended_at or max(now, starts_at)), 100.0)
    width = max(last - first, _NARROWEST)
    return Bar(round(min(first, 100 - width), 2), round(width, 2), ended_at is None)


def ticks(span: Interval) -> list[Tick]:
    """Round moments of the span."""
    if span.end == span.start:
        return []
    width = bucket_width(span, _TICKS)
    starts = [start for start in bucket_starts(span, width) if start >= span.start]
    return [Tick(round(_place(span, start), 2), _label(start, width)) for start in starts]


def _label(at: datetime, width: timedelta) -> str:
    if width >= _DAY or at.hour == at.minute == at.second == 0:
        return f"{at:%m-%d}"
    return f"{at:%H:%M}" if width >= timedelta(minutes=1) else f"{at:%H:%M:%S}"


def _place(span: Interval, at: datetime) -> float:
    return 100 * ((at - span.start) / ((span.end - span.start) or timedelta(seconds=1)))


@dataclass(frozen=True, slots=True)
class Column:
    """Some buckets of an episode side by side: their records, and whether the rule's window was over its threshold."""

    start: datetime
    end: datetime
    count: int
    over: bool
    x: float
    width: float
    height: float


def columns(counts: Sequence[Measured], bucket: timedelta) -> list[Column]:
    """The episode's counts, as many buckets to a column as leave no more columns than a drawing has room for."""
    if not counts:
        return []
    first, end = counts[0].start, counts[-1].start + bucket
    each = bucket * -(-(end - first) // (bucket * _COLUMNS))
    summed: dict[int, tuple[int, bool]] = {}
    for row in counts:
        place = (row.start - first) // each
        count, over = summed.get(place, (0, False))
        summed[place] = (count + row.count, over or row.over)
    most = max(count for count, _ in summed.values()) or 1
    width = 100 / -(-(end - first) // each)
    return [
        Column(
            first + place * each,
            first + (place + 1) * each,
            count,
            over,
            round(place * width, 3),
            round(width, 3),
            max(round(100 * count / most, 2), 2) if count else 0,
        )
        for place, (count, over) in sorted(summed.items())
    ]
