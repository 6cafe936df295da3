"""Where rules stand now: of each the alert that is nearest to its threshold, and what its window came to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from faultline.adapters.database import Outline, Sum
from faultline.alerting.measures import Sight, is_over
from faultline.alerting.rulekinds import (
    BaseRule,
    CardinalityRule,
    FlatlineRule,
    FrequencyRule,
    NewTermRule,
    PercentageRule,
    SpikeRule,
)
from faultline.alerting.tallies import Tallies, Tally
from faultline.alerting.windows import floor, window_width
from faultline.dispatch.story import in_words
from faultline.model import AlertKey, ErrorCount, Interval, Labels
from faultline.page.figures import tells_fingerprints


@dataclass(frozen=True, slots=True)
class Value:
    """What the window of an alert came to, in words; ``near`` is 1 at its rule's threshold, and no more beyond it."""

    alert: AlertKey
    words: str
    near: float
    over: bool


@dataclass(frozen=True, slots=True)
class Now:
    """When that is: the last evaluation, what was closed then, since when each rule is watched; ``known`` counts."""

    at: datetime
    bucket: timedelta
    closed: datetime | None
    watched: Mapping[str, datetime]
    known: Interval

    def window(self, rule: BaseRule) -> Interval | None:
        """The rule's newest window; None while there is none, and where not all counts that it takes are known.

        Of rules to which more records can mean less it is the newest that has closed.
        """
        end = floor(self.at, self.bucket) + self.bucket
        if rule.needs_closing:
            if self.closed is None:
                return None
            end = floor(min(self.at, self.closed), self.bucket)
        if end - rule.reach - self.bucket < self.known.start:
            return None
        return Interval(end - window_width(rule, self.bucket), end)


def looked_at(rules: Iterable[BaseRule], at: datetime, closed: datetime | None, bucket: timedelta) -> Interval:
    """When the counts are that the newest windows of the rules take."""
    end = floor(at, bucket) + bucket
    earliest = min(end, floor(closed, bucket)) if closed else end
    reach = max((rule.reach for rule in rules), default=bucket)
    return Interval(earliest - reach - 2 * bucket, end)


def names_fingerprint(rules: Iterable[BaseRule]) -> bool:
    """Whether any of the rules tells fingerprints apart, so that its counts have to."""
    return any(map(tells_fingerprints, rules))


def values(
    rules: Sequence[BaseRule], sums: Iterable[Sum], sets: Mapping[str, Labels], live: Iterable[Outline], now: Now
) -> dict[str, Value]:
    """The value of every rule that has one; what a new_term rule has of late is its alerts."""
    measured = [rule for rule in rules if not isinstance(rule, NewTermRule) and now.window(rule)]
    tallies = Tallies(measured)
    tallies.add(_counts(sums, sets))
    alerts: dict[str, set[AlertKey]] = {}
    for outline in live:
        alerts.setdefault(outline.rule, set()).add(_key(outline, rules))
    found = {rule.alert: _value(rule, tallies.of[rule.alert], alerts.get(rule.alert, set()), now) for rule in measured}
    return {name: value for name, value in found.items() if value}


def _counts(sums: Iterable[Sum], sets: Mapping[str, Labels]) -> Iterator[ErrorCount]:
    for each in sums:
        if (labels := sets.get(each.label_set)) is not None:
            yield ErrorCount(each.start, labels, each.count, each.start, each.start, each.fingerprint)


def _key(outline: Outline, rules: Iterable[BaseRule]) -> AlertKey:
    identity = next((rule.identity for rule in rules if rule.alert == outline.rule), ())
    return AlertKey(outline.rule, Labels({name: outline.labels[name] for name in identity if name in outline.labels}))


def _value(rule: BaseRule, tallies: Mapping[AlertKey, Tally], live: Collection[AlertKey], now: Now) -> Value | None:
    """Also of alerts of which there are no counts any more, and of what a rule without a key watches."""
    window = now.window(rule)
    assert window is not None
    watched = now.watched.get(rule.alert)
    keys = {*tallies, *live, *([] if rule.identity else [AlertKey(rule.alert, Labels())])}
    best: Value | None = None
    for key in sorted(keys, key=str):
        tally = tallies.get(key) or Tally()
        near = _near(rule, tally, window)
        if best is None or near > best.near:
            sight = Sight(window.end - window.start, now.closed, watched, key in live)
            over = is_over(rule, tally, window.end, sight)
            best = Value(key, in_words(rule, tally, window.end, sight.width), near, over)
    return best


def _near(rule: BaseRule, tally: Tally, window: Interval) -> float:
    """How near to the threshold; 1 at it and beyond."""
    start, end = window.start, window.end
    total = tally.total(start, end)
    match rule:
        case FrequencyRule():
            return _share(total, rule.num_events)
        case FlatlineRule():
            return _share(rule.threshold_, total)
        case CardinalityRule():
            number = tally.distinct(start, end)
            return _nearest(number, rule.max_cardinality, rule.min_cardinality)
        case PercentageRule():
            if total < rule.min_denominator:
                return 0.0
            return _nearest(100 * tally.hits(start, end) / total, rule.max_percentage, rule.min_percentage)
        case SpikeRule():
            before = tally.total(start - (end - start), start)
            up = _share(total, before * rule.spike_height) if rule.spike_type != "down" else 0.0
            return max(up, _share(before, total * rule.spike_height) if rule.spike_type != "up" else 0.0)
    return 0.0


def _nearest(number: float, most: float | None, least: float | None) -> float:
    return max(0.0 if most is None else _share(number, most), 0.0 if least is None else _share(least, number))


def _share(number: float, of: float) -> float:
    if number <= 0:
        return 0.0
    return min(number / of, 1.0) if of > 0 else 1.0
