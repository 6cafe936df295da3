"""What a chart of counts shows: steps of time, a series each for what is most, and a rule's threshold. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate

from faultline.adapters.database import Sum
from faultline.alerting.rulekinds import BaseRule, CardinalityRule, FlatlineRule, FrequencyRule, PercentageRule
from faultline.alerting.tallies import Target, target_of
from faultline.alerting.windows import floor, window_width
from faultline.model import Interval, Labels

SERIES = 8
STEPS = 120
# Of a rule's windows, each drawn as a point.
WINDOWS = 1_000
_WIDTHS = [
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
]


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a stack of bars: a value for each step; ``labels`` are what its records have in common."""

    name: str
    values: tuple[float, ...]
    labels: Mapping[str, str]

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Figure:
    """Series over the steps that begin at ``starts``; ``more`` are left out, or together in the last.

    ``thresholds`` are heights, ``percent`` says that values are shares, not records.
    """

    starts: tuple[datetime, ...]
    width: timedelta
    series: tuple[Series, ...]
    more: int = 0
    thresholds: tuple[float, ...] = ()
    percent: bool = False


def step_width(interval: Interval, bucket: timedelta) -> timedelta:
    """The finest width of which no more than STEPS make the interval; a multiple of a count's bucket."""
    length = interval.end - interval.start
    fitting = (width for width in _WIDTHS if width >= length / STEPS and not width % bucket)
    return next(fitting, bucket * max(-(-length // (bucket * STEPS)), 1))


def starts_of(interval: Interval, width: timedelta) -> tuple[datetime, ...]:
    """Where the steps begin that have some of the interval, aligned to the epoch."""
    first = floor(interval.start, width)
    return tuple(first + number * width for number in range(-(-(interval.end - first) // width)))


def stack(
    sums: Iterable[Sum],
    labels: Mapping[str, Labels],
    by: str,
    starts: Sequence[datetime],
    width: timedelta,
    *,
    most: int = SERIES,
) -> Figure:
    """Records by the value of a label, the most frequent ``most`` apart and all others as the last series."""
    found: dict[str, Counter[datetime]] = defaultdict(Counter)
    for each in sums:
        value = each.fingerprint if by == "fingerprint" else labels[each.label_set].get(by)
        found[value or ""][each.start] += each.count
    named = {value: counter for value, counter in found.items() if value or by != "fingerprint"}
    rest = [found[""]] if by == "fingerprint" and "" in found else []
    ranked = sorted(named, key=lambda value: (-named[value].total(), value))
    rest += [named[value] for value in ranked[most:]]
    series = [_series(value, {by: value}, named[value], starts) for value in ranked[:most]]
    others: Counter[datetime] = Counter()
    for counter in rest:
        others.update(counter)
    if others:
        series.append(_series("", {}, others, starts))
    return Figure(tuple(starts), width, tuple(series), more=len(rest))


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a rule in an interval: each ``span`` steps of ``width`` long, one ending with each step."""

    rule: BaseRule
    interval: Interval
    width: timedelta
    span: int

    @property
    def counted(self) -> Interval:
        """The time whose counts are in them."""
        return Interval(self.interval.start - (self.span - 1) * self.width, self.interval.end)


def tells_fingerprints(rule: BaseRule) -> bool:
    """Whether the rule asks for fingerprints, which a label set does not have."""
    names = {*rule.identity, *(matcher.name for matcher in rule.parsed_matchers)}
    if isinstance(rule, CardinalityRule):
        names.add(rule.cardinality_field)
    if isinstance(rule, PercentageRule):
        names.update(matcher.name for matcher in rule.parsed_filter)
    return "fingerprint" in names


def windows_of(rule: BaseRule, interval: Interval, bucket: timedelta) -> Windows:
    """The windows to draw, no more than WINDOWS: of a longer interval the newest."""
    length, timeframe = interval.end - interval.start, window_width(rule, bucket)
    finer = (width for width in _WIDTHS if not timeframe % width and not width % bucket and length / width <= WINDOWS)
    width = next(finer, timeframe)
    end = floor(interval.end, width)
    start = max(floor(interval.start, width), end - WINDOWS * width)
    return Windows(rule, Interval(min(start, end), end), width, timeframe // width)


def measure(windows: Windows, sums: Iterable[Sum], labels: Mapping[str, Labels], *, most: int = SERIES) -> Figure:
    """What the rule measures, a series for each alert it could make: those with the highest values, how many more."""
    rule, targets = windows.rule, _Targets(windows.rule, labels)
    rows: dict[Labels, list[Row]] = defaultdict(list)
    for each in sums:
        if target := targets.of(each):
            rows[target.key.labels].append((each.start, target, each.count))
    starts = starts_of(windows.interval, windows.width)
    steps = starts_of(windows.counted, windows.width)
    value = _measured(rule)
    series = [Series(", ".join(key.values()), value(mine, steps, windows.span), {**key}) for key, mine in rows.items()]
    series.sort(key=lambda each: (-max(each.values, default=0), each.name))
    return Figure(
        starts,
        windows.width,
        tuple(series[:most]),
        more=max(len(series) - most, 0),
        thresholds=_thresholds(rule),
        percent=isinstance(rule, PercentageRule),
    )


Row = tuple[datetime, Target, int]
Measure = Callable[[Sequence[Row], Sequence[datetime], int], tuple[float, ...]]


@dataclass
class _Targets:
    """The alert that each label set's records count for, found once."""

    rule: BaseRule
    labels: Mapping[str, Labels]
    _known: dict[tuple[str, str | None], Target | None] = field(default_factory=dict)

    def of(self, row: Sum) -> Target | None:
        """None where they count for none."""
        which = row.label_set, row.fingerprint
        if which not in self._known:
            own = {"fingerprint": row.fingerprint} if row.fingerprint else {}
            self._known[which] = target_of(self.rule, {**self.labels[row.label_set], **own})
        return self._known[which]


def _measured(rule: BaseRule) -> Measure:
    match rule:
        case PercentageRule():
            return lambda rows, steps, span: _shares(rows, steps, span, rule.min_denominator)
        case CardinalityRule():
            return _distinct
    return _totals


def _totals(rows: Sequence[Row], steps: Sequence[datetime], span: int) -> tuple[float, ...]:
    counted: Counter[datetime] = Counter()
    for start, _, count in rows:
        counted[start] += count
    reached = [0, *accumulate(counted[step] for step in steps)]
    return tuple(float(reached[end] - reached[end - span]) for end in range(span, len(reached)))


def _shares(rows: Sequence[Row], steps: Sequence[datetime], span: int, fewest: int) -> tuple[float, ...]:
    hits = _totals([row for row in rows if row[1].hit], steps, span)
    both = zip(hits, _totals(rows, steps, span), strict=True)
    return tuple(100 * part / whole if whole >= fewest else 0.0 for part, whole in both)


def _distinct(rows: Sequence[Row], steps: Sequence[datetime], span: int) -> tuple[float, ...]:
    values: dict[datetime, set[str]] = defaultdict(set)
    for start, target, _ in rows:
        if target.value is not None:
            values[start].add(target.value)
    found = [values[step] for step in steps]
    return tuple(float(len(set().union(*found[end - span : end]))) for end in range(span, len(found) + 1))


def _thresholds(rule: BaseRule) -> tuple[float, ...]:
    """The heights a measured value is compared with; none for a rule that compares it with an earlier one."""
    match rule:
        case FrequencyRule():
            bounds: tuple[float | None, ...] = (rule.num_events,)
        case FlatlineRule():
            bounds = (rule.threshold_,)
        case PercentageRule():
            bounds = (rule.max_percentage, rule.min_percentage)
        case CardinalityRule():
            bounds = (rule.max_cardinality, rule.min_cardinality)
        case _:
            bounds = ()
    return tuple(float(bound) for bound in bounds if bound is not None)


def _series(name: str, labels: Mapping[str, str], counter: Counter[datetime], starts: Sequence[datetime]) -> Series:
    return Series(name, tuple(counter[start] for start in starts), labels)
