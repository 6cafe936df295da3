"""Whether a window is over a rule's threshold: one small function for each kind of rule.

A kind that more records can only push over its threshold answers for open windows too. The others wait until the
window has closed: no delay where none is needed, and no false alarm.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from faultline.alerting.rulekinds import (
    BaseRule,
    CardinalityRule,
    FlatlineRule,
    FrequencyRule,
    NewTermRule,
    PercentageRule,
    SpikeRule,
)
from faultline.alerting.tallies import Tally


class Sight(NamedTuple):
    """What is known besides the counts: the windows' width, what is closed, since when anybody watches.

    ``going_on`` says that the alert was over at the evaluation before.
    """

    width: timedelta
    closed: datetime | None
    watched: datetime | None
    going_on: bool

    def final(self, end: datetime) -> bool:
        """Whether nothing that ends there can change any more."""
        return self.closed is not None and end <= self.closed


def may_be_over(rule: BaseRule, tally: Tally) -> bool:
    """Whether any window at all can be over; a cheap question that spares most alerts the others."""
    return not isinstance(rule, FrequencyRule) or tally.records >= rule.num_events


def is_over(rule: BaseRule, tally: Tally, end: datetime, sight: Sight) -> bool:
    """Whether the window that ends at ``end`` is over the threshold, as far as can be said now."""
    start = end - sight.width
    match rule:
        case FrequencyRule():
            return tally.total(start, end) >= rule.num_events
        case CardinalityRule():
            return _cardinality(rule, tally, end, sight)
        case PercentageRule():
            return sight.final(end) and _percentage(rule, tally, start, end)
        case FlatlineRule():
            return (
                sight.final(end)
                and tally.total(start, end) < rule.threshold_
                and _was_there(tally, end, sight, bool(rule.query_key), not rule.forget_keys)
            )
        case SpikeRule():
            return _spike(rule, tally, end, sight)
        case NewTermRule():
            return tally.novel_at is not None and start <= tally.novel_at < end
    raise TypeError(f"not a rule: {rule!r}")


def _percentage(rule: PercentageRule, tally: Tally, start: datetime, end: datetime) -> bool:
    total = tally.total(start, end)
    if total < rule.min_denominator:
        return False
    share = 100 * tally.hits(start, end) / total
    above = rule.max_percentage is not None and share > rule.max_percentage
    return above or (rule.min_percentage is not None and share < rule.min_percentage)


def _cardinality(rule: CardinalityRule, tally: Tally, end: datetime, sight: Sight) -> bool:
    values = tally.distinct(end - sight.width, end)
    if rule.max_cardinality is not None and values > rule.max_cardinality:
        return True
    return (
        rule.min_cardinality is not None
        and sight.final(end)
        and values < rule.min_cardinality
        and _was_there(tally, end, sight, bool(rule.query_key), True)
    )


def _was_there(tally: Tally, end: datetime, sight: Sight, keyed: bool, stays: bool) -> bool:
    """Whether there was something to become less of: a timeframe ago the key had records, or it is less already.

    Without a key there is always something: what the rule watches.
    """
    before = end - sight.width
    if not keyed and sight.watched is not None and sight.watched <= before:
        return True
    return (stays and sight.going_on) or tally.total(before - sight.width, before) > 0


def _spike(rule: SpikeRule, tally: Tally, end: datetime, sight: Sight) -> bool:
    """Against the timeframe before, once that has closed and records from before both show that it is whole."""
    middle = end - sight.width
    if not sight.final(middle):
        return False
    current, reference = tally.total(middle, end), tally.total(middle - sight.width, middle)
    if current < rule.threshold_cur or reference < rule.threshold_ref:
        return False
    before = tally.total(middle - 3 * sight.width, middle - sight.width)
    if not (before or (rule.alert_on_new_data and sight.watched and sight.watched <= middle - sight.width)):
        return False
    up = current > 0 and current >= reference * rule.spike_height and (reference > 0 or rule.alert_on_new_data)
    down = reference > 0 and current <= reference / rule.spike_height and sight.final(end)
    return (rule.spike_type != "down" and up) or (rule.spike_type != "up" and down)
