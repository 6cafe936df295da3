"""Errors: how many of which service and fingerprint over time, against a rule's threshold; what is frequent, or new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Response

from faultline.adapters.database import Seen
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import target_of
from faultline.dispatch.links import command_for, query_for, time_for
from faultline.durations import parse_when
from faultline.model import Interval, Labels
from faultline.page.asked import Asked, AskedNow
from faultline.page.charts import bars, lines
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
from faultline.steps.alerts import LEASE

NAME = "errors"
router = APIRouter()

# More rows of counts than these are not summed while somebody waits: the page shows the newest and says so.
MOST = 60_000
LISTED = 20
_LABEL_SETS = 20_000
SPANS = ("15m", "1h", "6h", "24h", "7d")
_SPAN = timedelta(hours=6)
LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_ERRORS = ("CRITICAL", "ERROR")

By = Literal["service", "fingerprint", "level", "exception_type", "environment", "host"]
Known = Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant; what is empty asks for nothing."""

    levels: tuple[str, ...] = ()
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
        return wanted.items() <= labels.items() and (not self.levels or labels.get("level") in self.levels)

    def query(self, more: Mapping[str, str]) -> str:
        """These records, and of them those with more labels, as a search asks for them."""
        levels = "" if "level" in more else _query_for_levels(self.levels)
        return " ".join(part for part in (levels, query_for({**self.labels, **more})) if part)


@dataclass(frozen=True, slots=True)
class Records:
    """Where the records behind a number are: the address of a search, and the command for a terminal."""

    address: str
    command: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as the page shows it: the chart, a name and the records for each series."""

    figure: Figure
    chart: dict[str, Any]
    names: tuple[str, ...]
    records: tuple[Records, ...]


@router.get("/errors")
def errors(
    asked: AskedNow,
    since: str = "6h",
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
    interval, fault = _read_interval(since, until, asked.at)
    reached = asked.database.reach(interval, MOST)
    known = asked.database.known_labels(_LABEL_SETS)
    rules = rules_in_force(asked.database, asked.database.evaluated(LEASE))
    chosen = rules.rules.get(rule) if rules else None
    wanted = Filter() if chosen else Filter(_in_order(level or _ERRORS), service, environment, topic, fingerprint)
    sets = [id for id, labels in known.items() if _is_meant(labels, wanted, chosen)]
    frequent, new = asked.database.seen(reached, sets, LISTED, fingerprint=wanted.fingerprint)
    drawn = (
        _against(asked, chosen, reached, known, sets)
        if chosen
        else _over_time(asked, wanted, by, reached, known, sets, frequent)
    )
    same = {"since": since if since != "6h" else "", "until": until, "by": by if by != "service" else "", "rule": rule}
    return asked.render(
        "errors.html.j2",
        charts=True,
        query={**same, "level": [*(level or ())], **wanted.labels},
        wanted=wanted,
        by=by,
        since=since,
        until=until,
        fault=fault,
        drawn=drawn,
        rows=_table(drawn.figure),
        interval=reached,
        cut=time_for(reached.start) if reached != interval else "",
        begin=time_for(interval.start),
        frequent=[(each, _records(asked, wanted, reached, _labels_of(each))) for each in frequent],
        new=[(each, _records(asked, wanted, reached, _labels_of(each))) for each in new],
        choices={name: _values(known, name) for name in ("service", "environment", "topic")},
        rules=sorted(rules.rules) if rules else [],
        rule=chosen,
        levels=LEVELS,
        spans=SPANS,
        bys=get_args(By),
        ever=bool(known),
    )


def _read_interval(since: str, until: str, now: datetime) -> tuple[Interval, str]:
    """The time asked for; where that cannot be read, the usual one and what is wrong."""
    try:
        interval = Interval(parse_when(since, now), parse_when(until, now) if until else now)
        if interval.start == interval.end:
            raise ValueError("an interval ends where it starts")
    except (ValueError, OverflowError) as error:
        return Interval(now - _SPAN, now), str(error)
    return interval, ""


def _is_meant(labels: Labels, wanted: Filter, rule: BaseRule | None) -> bool:
    """Whether records of a label set may be meant. What a rule says of fingerprints is not asked yet."""
    if rule is None:
        return wanted.admits(labels)
    return tells_fingerprints(rule) or target_of(rule, labels) is not None


def _over_time(
    asked: Asked,
    wanted: Filter,
    by: By,
    interval: Interval,
    known: Known,
    sets: Sequence[str],
    frequent: Sequence[Seen],
) -> Drawn:
    """Records by the values of a label."""
    width = step_width(interval, asked.settings.count_bucket)
    apart = [each.fingerprint for each in frequent[:SERIES]] if by == "fingerprint" else ()
    sums = asked.database.sums(interval, width, sets, fingerprint=wanted.fingerprint, apart=apart)
    figure = stack(sums, known, by, starts_of(interval, width), width)
    samples = {each.fingerprint: each.sample for each in frequent}

    def name(series: Series) -> str:
        if not series.labels:
            return asked.texts("errors.others")
        return samples.get(series.name) or series.name or asked.texts("errors.none")

    records = tuple(_records(asked, wanted, interval, series.labels) for series in figure.series)
    names = tuple(map(name, figure.series))
    return Drawn(figure, bars(figure, names, levels=by == "level"), names, records)


def _against(asked: Asked, rule: BaseRule, interval: Interval, known: Known, sets: Sequence[str]) -> Drawn:
    """What a rule measures, against its threshold."""
    windows = windows_of(rule, interval, asked.settings.count_bucket)
    sums = asked.database.sums(windows.counted, windows.width, sets, apart=tells_fingerprints(rule))
    figure = measure(windows, sums, known)
    names = tuple(series.name for series in figure.series)
    records = tuple(_records(asked, Filter(), windows.interval, series.labels) for series in figure.series)
    return Drawn(figure, lines(figure, names, rule.threshold), names, records)


def _records(asked: Asked, wanted: Filter, interval: Interval, labels: Mapping[str, str]) -> Records:
    query, topic = wanted.query(labels), labels.get("topic") or wanted.topic
    since, until = interval.start, interval.end
    address = asked.url("/search", {"q": query, "since": time_for(since), "until": time_for(until), "topic": topic})
    return Records(address, command_for(query, since, until, topic))


def _table(figure: Figure) -> list[tuple[datetime, tuple[float, ...]]]:
    """The newest steps that have anything, newest first, with a value for each series."""
    rows = [(start, tuple(each.values[n] for each in figure.series)) for n, start in enumerate(figure.starts)]
    return [row for row in reversed(rows) if any(row[1])][:STEPS]


def _labels_of(seen: Seen) -> dict[str, str]:
    return {"fingerprint": seen.fingerprint}


def _in_order(levels: Sequence[str]) -> tuple[str, ...]:
    """The worst first; a word nobody knows matches nothing."""
    return tuple(level for level in LEVELS if level in levels)


def _values(known: Known, name: str) -> list[str]:
    """The values of a label there are to choose from."""
    return sorted({labels[name] for labels in known.values() if name in labels})


def _query_for_levels(levels: Sequence[str]) -> str:
    if not levels:
        return ""
    if (*levels,) == LEVELS[: len(levels)]:
        return f"level>={levels[-1]}"
    return f"({' or '.join(query_for({'level': level}) for level in levels)})"
