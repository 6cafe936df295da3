"""Sliding windows over epoch-aligned buckets of error counts: was a rule's threshold crossed, and is it still?

A window is ``[end − timeframe, end)`` with ``end`` on a bucket's edge, so any ``num_events`` records inside
``timeframe`` less one bucket are caught. Buckets still open may only raise an alert, since counts only grow; that it is
over is said by closed ones alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate

from faultline.alerting.matchers import matches_all
from faultline.alerting.rulefile import FrequencyRule
from faultline.model import AlertKey, ErrorCount, Labels

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CountsByLabels = Mapping[Labels, list[ErrorCount]]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where an evaluation stands in time.

    Buckets before ``closed`` are final; None when nothing is. The windows to look at end at ``first``, one bucket
    later, … up to ``last``, the end of the bucket that ``at`` is in: every window not final at the last evaluation.
    """

    at: datetime
    bucket: timedelta
    closed: datetime | None
    first: datetime
    last: datetime

    def has_closed(self, end: datetime) -> bool:
        """Whether everything before ``end`` is final."""
        return self.closed is not None and self.closed >= end


def horizon(at: datetime, watermark: datetime | None, since: datetime | None, bucket: timedelta) -> Horizon:
    """The horizon of an evaluation at ``at``; ``since`` is the watermark the one before it saw."""
    last = _floor(at, bucket) + bucket
    if watermark is None:
        return Horizon(at, bucket, None, last, last)
    closed = _floor(min(at, watermark), bucket)
    first = closed if since is None else min(closed, _floor(since, bucket) + bucket)
    return Horizon(at, bucket, closed, first, last)


@dataclass(frozen=True)
class Series:
    """The counts of one alert's records."""

    rows: tuple[ErrorCount, ...] = ()

    @cached_property
    def _starts(self) -> list[datetime]:
        return sorted({row.bucket_start for row in self.rows})

    @cached_property
    def _totals(self) -> list[int]:
        counts: dict[datetime, int] = defaultdict(int)
        for row in self.rows:
            counts[row.bucket_start] += row.count
        return list(accumulate((counts[start] for start in self._starts), initial=0))

    def total(self, start: datetime, end: datetime) -> int:
        """How many records are in the buckets that start in ``[start, end)``."""
        if end <= start:
            return 0
        return self._totals[bisect_left(self._starts, end)] - self._totals[bisect_left(self._starts, start)]


@dataclass(frozen=True, slots=True)
class Activity:
    """Which of the horizon's windows are at or over the threshold, by their ends.

    ``run_from`` is the first of the run of windows that ``last_over`` is the last of. ``over`` says that it has not
    been proven to be below.
    """

    first_over: datetime | None
    run_from: datetime | None
    last_over: datetime | None
    over: bool


def survey(series: Series, rule: FrequencyRule, horizon: Horizon, after: datetime | None = None) -> Activity:
    """Look at every window of the horizon, or those that end later than ``after``."""
    width = window_width(rule, horizon.bucket)
    first_over = run_from = last_over = None
    end = horizon.first
    while end <= horizon.last:
        if (after is None or end > after) and series.total(end - width, end) >= rule.num_events:
            first_over = first_over or end
            run_from = run_from if last_over == end - horizon.bucket else end
            last_over = end
        end += horizon.bucket
    over = horizon.closed is None or (last_over is not None and last_over >= horizon.closed)
    return Activity(first_over, run_from, last_over, over)


def window_width(rule: FrequencyRule, bucket: timedelta) -> timedelta:
    """The timeframe in whole buckets, rounded up."""
    return -(-rule.timeframe // bucket) * bucket


def by_labels(counts: Iterable[ErrorCount]) -> CountsByLabels:
    """The counts by their labels, so that each set of labels is matched once."""
    found: dict[Labels, list[ErrorCount]] = defaultdict(list)
    for count in counts:
        found[count.labels].append(count)
    return found


def series_of(rule: FrequencyRule, counts: CountsByLabels) -> dict[AlertKey, Series]:
    """The rule's series, one for each combination of its ``query_key`` labels; an absent label stays absent."""
    rows: dict[AlertKey, list[ErrorCount]] = defaultdict(list)
    for labels, those in counts.items():
        if (not rule.topics or labels.get("topic") in rule.topics) and matches_all(rule.parsed_matchers, labels):
            rows[AlertKey(rule.alert, Labels({name: labels[name] for name in rule.query_key if name in labels}))] += (
                those
            )
    return {key: Series(tuple(found)) for key, found in rows.items()}


def _floor(instant: datetime, bucket: timedelta) -> datetime:
    return _EPOCH + (instant - _EPOCH) // bucket * bucket
