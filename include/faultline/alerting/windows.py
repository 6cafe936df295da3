"""Sliding windows over epoch-aligned buckets: which of them are over a rule's threshold, and is it over still?

A window is ``[end − timeframe, end)`` with ``end`` on a bucket's edge, so any ``num_events`` records inside
``timeframe`` less one bucket are caught. Buckets still open may only raise an alert, and only of rules to which more
records can never mean less; that it is over is said by closed ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from faultline.alerting.measures import Sight, is_over
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import Tally

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where an evaluation stands in time.

    Buckets before ``closed`` are final; None when nothing is. The windows to look at end at ``first``, one bucket
    later, … up to ``last``, the end of the bucket that ``at`` is in: every window not final at the last evaluation.
    Records of buckets before ``judged``, which were closed then, are late; they count for ``lateness`` more.
    """

    at: datetime
    bucket: timedelta
    closed: datetime | None
    first: datetime
    last: datetime
    judged: datetime | None = None
    lateness: timedelta = timedelta(0)

    def is_late(self, bucket_start: datetime | None) -> bool:
        """Whether the bucket was closed at the last evaluation."""
        return bucket_start is not None and self.judged is not None and bucket_start < self.judged

    def reviewed(self, width: timedelta) -> datetime:
        """The end of the first window of that width that a late record may bring back."""
        return self.first - max(width, self.lateness)

    def has_closed(self, end: datetime) -> bool:
        """Whether everything before ``end`` is final."""
        return self.closed is not None and self.closed >= end


def horizon(
    at: datetime,
    watermark: datetime | None,
    since: datetime | None,
    bucket: timedelta,
    lateness: timedelta = timedelta(0),
) -> Horizon:
    """The horizon of an evaluation at ``at``; ``since`` is the watermark the one before it saw."""
    last = floor(at, bucket) + bucket
    if watermark is None:
        return Horizon(at, bucket, None, last, last, lateness=lateness)
    closed, judged = floor(min(at, watermark), bucket), None if since is None else floor(since, bucket)
    first = closed if judged is None else min(closed, judged + bucket)
    return Horizon(at, bucket, closed, first, last, judged, lateness)


def counts_from(watermark: datetime | None, lateness: timedelta, bucket: timedelta) -> datetime | None:
    """The start of the first bucket whose records still count; None while nothing is too late.

    A bucket is closed when the watermark has passed its end, and settled when it has passed it by ``lateness``.
    """
    return None if watermark is None else floor(watermark - lateness, bucket)


@dataclass(frozen=True, slots=True)
class Look:
    """Which windows of an alert to look at besides the horizon's: those a late record touched, and none before
    ``after``. ``watched`` is since when the rule is evaluated, ``going_on`` whether the alert was over last time.
    """

    touched: datetime | None = None
    after: datetime | None = None
    watched: datetime | None = None
    going_on: bool = False


class Activity(NamedTuple):
    """Which of the windows looked at are over the threshold, by their ends.

    ``run_from`` is the first of the run of windows that ``last_over`` is the last of. ``over`` says that it has not
    been proven to be below.
    """

    first_over: datetime | None
    run_from: datetime | None
    last_over: datetime | None
    over: bool


def survey(tally: Tally, rule: BaseRule, horizon: Horizon, look: Look = Look()) -> Activity:
    """Look at every window of the horizon, and those that records which came late have touched."""
    width, bucket = window_width(rule, horizon.bucket), horizon.bucket
    sight = Sight(width, horizon.closed, look.watched, look.going_on)
    first_over = run_from = last_over = None
    end = horizon.first
    if look.touched is not None and look.touched + bucket < end:
        end = max(look.touched + bucket, horizon.reviewed(width))
    if look.after is not None and look.after >= end:
        end += ((look.after - end) // bucket + 1) * bucket
    last = _last_to_look_at(tally, width, horizon)
    while end <= last:
        if is_over(rule, tally, end, sight):
            first_over = first_over or end
            run_from = run_from if last_over == end - bucket else end
            last_over = end
        end += bucket
    over = horizon.closed is None or (last_over is not None and last_over >= horizon.closed)
    return Activity(first_over, run_from, last_over, over)


def _last_to_look_at(tally: Tally, width: timedelta, horizon: Horizon) -> datetime:
    """The end of the last window that may be over: an open one has records. After a stop of days most have none."""
    latest = tally.starts[-1] if tally.starts else tally.novel_at
    if horizon.closed is None:
        return horizon.last
    return horizon.closed if latest is None else min(horizon.last, max(horizon.closed, latest + width))


def ever_over(tally: Tally, rule: BaseRule, horizon: Horizon, end: datetime) -> bool:
    """Whether any window is over the threshold that ends at ``end`` or later."""
    sight = Sight(window_width(rule, horizon.bucket), horizon.closed, None, True)
    while end <= horizon.last:
        if is_over(rule, tally, end, sight):
            return True
        end += horizon.bucket
    return False


def over_until(tally: Tally, rule: BaseRule, horizon: Horizon, last_over: datetime) -> datetime:
    """The end of the first window after one that is over that is not over if no more records come."""
    sight = Sight(window_width(rule, horizon.bucket), horizon.closed, None, False)
    end = last_over + horizon.bucket
    while is_over(rule, tally, end, sight):
        end += horizon.bucket
    return end


def window_width(rule: BaseRule, bucket: timedelta) -> timedelta:
    """The timeframe in whole buckets, rounded up."""
    return -(-rule.timeframe // bucket) * bucket


def floor(instant: datetime, bucket: timedelta) -> datetime:
    """The start of the bucket that the instant is in."""
    return _EPOCH + (instant - _EPOCH) // bucket * bucket
