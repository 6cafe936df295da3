"""Backtests: rules over what the archive holds, beside other rules over the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from faultline.adapters.delta_search import SearchedTopic
from faultline.alerting.alertlog import AlertLog
from faultline.alerting.alerts import Evaluation
from faultline.alerting.backtest import Backtest, buckets
from faultline.alerting.rules import Rules
from faultline.alerting.silences import Silence
from faultline.alerting.windows import floor
from faultline.errors import PermanentError
from faultline.model import Interval
from faultline.settings import Settings
from faultline.steps.archived_counts import ArchivedHours, Progress, count_hours, find_hours
from faultline.steps.search import open_topics

_EVER = Interval(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


class NothingArchived(PermanentError):
    """There is nothing to read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backtest reads. ``period`` is what was asked for, as far as the archive has it; ``learned`` comes before
    the first evaluation, ``evaluated`` begins a warm-up before the period; ``notes`` are for the reader.
    """

    period: Interval
    learned: ArchivedHours
    evaluated: ArchivedHours
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows are to be looked at."""
        return self.learned.rows + self.evaluated.rows


def plan_backtest(
    settings: Settings,
    rules: Sequence[Rules],
    interval: Interval,
    topics: Sequence[str] = (),
    *,
    complete_to: datetime | None = None,
) -> Plan:
    """What to read for these rules; ``topics`` are to be read only, all that the rules read unless given.

    The period ends with the last record, but not before ``complete_to``: up to then the archive has everything, so that
    silence is silence. NothingArchived when the archive has nothing of it, TransientError when it is away.
    """
    opened, notes = _open(settings, rules, topics)
    sides = [_backtest(settings, each) for each in rules]
    warm_up, learning = max(side.warm_up for side in sides), max(side.learning for side in sides)
    found = find_hours(opened, Interval(interval.start - warm_up - learning, interval.end))
    asked, whole, bucket = found.cut(interval).covered, found.covered, settings.count_bucket
    ends = [floor(asked.end, bucket) + bucket] if asked else []
    ends += [floor(complete_to, bucket)] if complete_to else []
    if whole is None or not ends:
        raise NothingArchived(_nothing(opened, interval))
    earliest = floor(whole.start, bucket)
    end = min(floor(interval.end, bucket), max(ends))
    start = max(floor(interval.start, bucket), earliest)
    begin = max(start - warm_up, earliest)
    learned = Interval(max(begin - learning, earliest), begin)
    return Plan(
        Interval(start, max(start, end)), found.cut(learned), found.cut(Interval(begin, max(begin, end))), notes
    )


def run_backtest(
    settings: Settings, rules: Sequence[Rules], plan: Plan, *, progress: Progress = lambda hour, rows: None
) -> list[AlertLog]:
    """What came of each of the rules, all of them evaluated side by side over one reading of the archive."""
    logs = [AlertLog(each, plan.period) for each in rules]
    for evaluations in replay(settings, rules, plan, progress=progress):
        for log, evaluation in zip(logs, evaluations, strict=True):
            log.add(evaluation)
    return logs


def replay(
    settings: Settings,
    rules: Sequence[Rules],
    plan: Plan,
    *,
    silences: Sequence[Silence] = (),
    progress: Progress = lambda hour, rows: None,
) -> Iterator[list[Evaluation]]:
    """For each bucket what each of the rules decides at its end, those of the warm-up included."""
    bucket, sides = settings.count_bucket, [_backtest(settings, each, silences) for each in rules]
    for stretch in count_hours(plan.learned, bucket, progress=progress):
        for side in sides:
            side.learn(stretch.interval.end, stretch.counts)
    for at, counts in buckets(count_hours(plan.evaluated, bucket, progress=progress), bucket):
        yield [side.evaluate(at, counts) for side in sides]


def _backtest(settings: Settings, rules: Rules, silences: Sequence[Silence] = ()) -> Backtest:
    return Backtest(rules, bucket=settings.count_bucket, allowed_lateness=settings.allowed_lateness, silences=silences)


def _open(
    settings: Settings, rules: Sequence[Rules], names: Sequence[str]
) -> tuple[list[SearchedTopic], tuple[str, ...]]:
    """The tables that the rules read, and which of them there are none of."""
    tables = [each for each in open_topics(settings, names) if each.topic.count]
    read = _topics_read(rules)
    if read is None:
        return _some(tables, "topics that are counted"), ()
    chosen = [each for each in tables if each.topic.name in read]
    missing = sorted(read - {each.topic.name for each in tables})
    notes = tuple(f"Not read, so that rules over it see nothing: {name}" for name in missing)
    return _some(chosen, f"the topics that the rules read ({', '.join(sorted(read))})"), notes


def _topics_read(rules: Sequence[Rules]) -> set[str] | None:
    """The topics that the rules name; None when one of them reads every topic."""
    named = [set(rule.topics) for each in rules for rule in each.rules.values()]
    return set().union(*named) if all(named) else None


def _some(tables: list[SearchedTopic], what: str) -> list[SearchedTopic]:
    if not tables:
        raise NothingArchived(f"the archive has none of {what}")
    return tables


def _nothing(tables: Sequence[SearchedTopic], interval: Interval) -> str:
    names, ever = ", ".join(each.topic.name for each in tables), find_hours(tables, _EVER).covered
    has = f"it has {_time(ever.start)} to {_time(ever.end)}" if ever else "it is empty"
    return f"the archive of {names} has no records from {_time(interval.start)} to {_time(interval.end)} UTC: {has}"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
