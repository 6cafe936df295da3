"""Errors: how many of which service and fingerprint over time, against a rule's threshold; what is frequent, or new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Response

from faultline.adapters.database import Seen
from faultline.alerting.alerts import LEASE
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import target_of
from faultline.dispatch.links import command, instant, query_of, query_of_matchers
from faultline.model import Interval, Labels
from faultline.page.asked import Asked, AskedNow
from faultline.page.charts import HUES, bars, lines, stack_colour
from faultline.page.figures import (
    SERIES,
    STEPS,
    Figure,
    Series,
    measure,
    stack,
    starts_of,
    step_width,
    tells_fingerprints,
    windows_of,
)
from faultline.page.in_force import rules_in_force
from faultline.page.spans import read_span

NAME = "errors"
router = APIRouter()

# More rows of counts than these are not summed while somebody waits: the page shows the newest and says so.
MOST = 60_000
LISTED = 20
LABEL_SETS = 20_000
DEFAULT_SINCE = "6h"
LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_ERRORS = ("CRITICAL", "ERROR")

By = Literal["service", "fingerprint", "level", "exception_type", "environment", "host"]
Known = Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant; what is empty asks for nothing."""

    levels: tuple[str, ...]
    service: str = ""
    environment: str = ""
    topic: str = ""
    fingerprint: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What they have in common, beside a level."""
        asked = {name: getattr(self, name) for name in ("service", "environment", "topic", "fingerprint")}
        return {name: value for name, value in asked.items() if value}

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether records with these labels are; a label set does not know fingerprints."""
        wanted = {name: value for name, value in self.labels.items() if name != "fingerprint"}
        return wanted.items() <= labels.items() and labels.get("level") in self.levels

    def query(self, more: Mapping[str, str]) -> str:
        """These records, and of them those with more labels, as a search asks for them."""
        levels = "" if "level" in more else _query_of_levels(self.levels)
        present = {name: value for name, value in {**self.labels, **more}.items() if value}
        absent = [f"-{name}=~." for name, value in more.items() if not value]
        return " ".join(filter(None, (levels, query_of(present), *absent)))


@dataclass(frozen=True, slots=True)
class Records:
    """Where the records behind a number are: the address of a search, and the command for a terminal."""

    address: str
    command: str


@dataclass(frozen=True, slots=True)
class Behind:
    """The way from numbers to their records: ``query`` asks for those that have the labels too."""

    asked: Asked
    interval: Interval
    query: Callable[[Mapping[str, str]], str]
    topics: tuple[str, ...]

    def records(self, labels: Mapping[str, str]) -> Records:
        """Those with these labels."""
        query, topics = self.query(labels), self._topics(labels)
        since, until = instant(self.interval.start), instant(self.interval.end)
        address = self.asked.url("/search", {"q": query, "since": since, "until": until, "topic": topics})
        typed = command(query, since, until, topics)
        return Records(address, typed if typed.isprintable() else "")

    @property
    def at_any_time(self) -> str:
        """The address of all of them, to which a time is still to be added."""
        return self.asked.url("/search", {"q": self.query({}), "topic": self.topics})

    def _topics(self, labels: Mapping[str, str]) -> list[str]:
        return [labels["topic"]] if labels.get("topic") else [*self.topics]


@dataclass(frozen=True, slots=True)
class Line:
    """A series in words: its name, its colour, how many or how high, and its records."""

    name: str
    colour: str
    amount: float
    records: Records


@dataclass(frozen=True, slots=True)
class Finding:
    """A fingerprint and its records."""

    seen: Seen
    records: Records


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found of a time. A point of the chart stands for the time from ``before`` it to ``after`` it."""

    behind: Behind
    figure: Figure
    chart: Mapping[str, Any]
    lines: Sequence[Line]
    before: timedelta
    after: timedelta
    frequent: Sequence[Finding]
    new: Sequence[Finding]


@router.get("/errors")
def errors(
    asked: AskedNow,
    since: str = "",
    until: str = "",
    level: Annotated[list[str] | None, Query()] = None,
    service: str = "",
    environment: str = "",
    topic: str = "",
    fingerprint: str = "",
    by: By = "service",
    rule: str = "",
) -> Response:
    """The counts of a time: a chart, and lists of fingerprints."""
    interval, fault = read_span(since.strip(), until.strip(), DEFAULT_SINCE, asked.at.replace(microsecond=0))
    known = asked.database.known_labels(LABEL_SETS)
    rules = rules_in_force(asked.database, asked.database.evaluated(LEASE))
    chosen = rules.rules.get(rule) if rules else None
    wanted = Filter(_in_order(level or _ERRORS), service, environment, topic, fingerprint)
    reached = asked.database.reach(interval, MOST)
    seen = _of_rule(asked, chosen, reached, known) if chosen else _of_filter(asked, wanted, by, reached, known)
    query = {"since": since, "until": until, "by": by if by != "service" else "", "rule": rule}
    return asked.render(
        "errors.html.j2",
        charts=True,
        query={**query, "level": [*(level or ())], **wanted.labels},
        default_since=DEFAULT_SINCE,
        wanted=wanted,
        by=by,
        fault=fault,
        shown=seen,
        rows=_table(seen.figure),
        cut=instant(seen.behind.interval.start) if seen.behind.interval.start > interval.start else "",
        begin=instant(interval.start),
        choices={name: _values(known, name) for name in ("service", "environment", "topic")},
        rules=sorted(rules.rules) if rules else [],
        rule=chosen,
        levels=LEVELS,
        bys=get_args(By),
        label_sets=len(known),
        most_label_sets=LABEL_SETS,
    )


def _of_filter(asked: Asked, wanted: Filter, by: By, interval: Interval, known: Known) -> Shown:
    """Records by the values of a label, as stacked bars."""
    behind = Behind(asked, interval, wanted.query, (wanted.topic,) if wanted.topic else ())
    sets = [id for id, labels in known.items() if wanted.admits(labels)]
    frequent, new = asked.database.seen(interval, sets, LISTED, fingerprint=wanted.fingerprint)
    apart = [each.fingerprint for each in frequent[:SERIES]] if by == "fingerprint" else ()
    width = step_width(interval, asked.settings.count_bucket)
    sums = asked.database.sums(interval, width, sets, fingerprint=wanted.fingerprint, apart=apart)
    figure = stack(sums, known, by, starts_of(interval, width), width)
    colours = [stack_colour(number, each, levels=by == "level") for number, each in enumerate(figure.series)]
    names = _names(asked, figure, frequent)
    described = _lines(figure, names, colours, [each.total for each in figure.series], behind)
    chart, half = bars(figure, names, colours), width / 2
    return Shown(behind, figure, chart, described, half, half, _findings(frequent, behind), _findings(new, behind))


def _of_rule(asked: Asked, rule: BaseRule, interval: Interval, known: Known) -> Shown:
    """What a rule measures, a line for each alert, against its threshold."""
    windows = windows_of(rule, interval, asked.settings.count_bucket)
    behind = Behind(asked, windows.interval, partial(_query_of_rule, rule), rule.topics)
    by_fingerprint = tells_fingerprints(rule)
    # What the rule says of fingerprints no label set can tell.
    sets = [id for id, labels in known.items() if by_fingerprint or target_of(rule, labels)]
    sums = asked.database.sums(windows.counted, windows.width, sets, apart=by_fingerprint)
    figure = measure(windows, sums, known)
    frequent, new = asked.database.seen(windows.interval, sets, LISTED)
    names, colours = [each.name or rule.alert for each in figure.series], HUES[: len(figure.series)]
    described = _lines(figure, names, colours, [max(each.values, default=0) for each in figure.series], behind)
    chart = lines(figure, names, colours, asked.texts("errors.threshold"))
    found = _findings(frequent, behind), _findings(new, behind)
    return Shown(behind, figure, chart, described, windows.span * windows.width, timedelta(0), *found)


def _lines(
    figure: Figure, names: Sequence[str], colours: Sequence[str], amounts: Sequence[float], behind: Behind
) -> list[Line]:
    described = zip(names, colours, amounts, figure.series, strict=True)
    return [Line(name, colour, amount, behind.records(each.labels)) for name, colour, amount, each in described]


def _findings(seen: Sequence[Seen], behind: Behind) -> list[Finding]:
    return [Finding(each, behind.records({"fingerprint": each.fingerprint})) for each in seen]


def _names(asked: Asked, figure: Figure, frequent: Sequence[Seen]) -> list[str]:
    """What each series is called: a fingerprint by its sample."""
    samples = {each.fingerprint: each.sample for each in frequent}

    def name(series: Series) -> str:
        if not series.labels:
            return asked.texts("errors.others")
        return samples.get(series.name) or series.name or asked.texts("errors.none")

    return [*map(name, figure.series)]


def _table(figure: Figure) -> list[tuple[datetime, tuple[float, ...]]]:
    """The newest steps that have anything, newest first, with a value for each series."""
    rows = [(start, tuple(each.values[n] for each in figure.series)) for n, start in enumerate(figure.starts)]
    return [row for row in reversed(rows) if any(row[1])][:STEPS]


def _in_order(levels: Sequence[str]) -> tuple[str, ...]:
    """The worst first; a word nobody knows matches nothing."""
    return tuple(level for level in LEVELS if level in levels)


def _values(known: Known, name: str) -> list[str]:
    """The values of a label there are to choose from."""
    return sorted({labels[name] for labels in known.values() if name in labels})


def _query_of_levels(levels: Sequence[str]) -> str:
    if not levels:
        return ""
    if (*levels,) == LEVELS[: len(levels)]:
        return f"level>={levels[-1]}"
    each = [query_of({"level": level}) for level in levels]
    return each[0] if len(each) == 1 else f"({' or '.join(each)})"


def _query_of_rule(rule: BaseRule, more: Mapping[str, str]) -> str:
    return " ".join(filter(None, (query_of_matchers(rule.parsed_matchers), query_of(more))))
