"""Time intervals in Alertmanager's shape: times of day, weekdays, days of the month, months, years, in a time zone."""

from __future__ import annotations

import calendar
import re
from datetime import datetime
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from faultline.durations import parse_zone
from faultline.yaml_files import StrictModel

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)")

Span = tuple[int, int]


def _minutes(text: object) -> object:
    if isinstance(text, int):  # YAML 1.1 reads 09:30 as a number of minutes
        return f"{text // 60:02}:{text % 60:02}"
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError(f"not a time of day: {text!r}; write 09:00, or 24:00 for the end of the day")
    return text


def _spans(texts: tuple[str, ...], names: tuple[str, ...], low: int, high: int) -> tuple[str, ...]:
    for text in texts:
        _span(text, names, low, high)
    return texts


def _span(text: str, names: tuple[str, ...], low: int, high: int) -> Span:
    first, _, last = text.lower().partition(":")
    start, end = _number(first, names), _number(last or first, names)
    if not (low <= start <= high and low <= end <= high) or (start > end and (start < 0) == (end < 0)):
        raise ValueError(f"not a range: {text!r}")
    return start, end


def _number(text: str, names: tuple[str, ...]) -> int:
    if text in names and text:
        return names.index(text)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"not a number or a name: {text!r}") from None


def _location(name: str) -> str:
    parse_zone(name)
    return name


TimeOfDay = Annotated[str, BeforeValidator(_minutes)]
Weekdays = Annotated[tuple[str, ...], AfterValidator(lambda texts: _spans(texts, _DAYS, 0, 6))]
DaysOfMonth = Annotated[tuple[str, ...], AfterValidator(lambda texts: _spans(texts, (), -31, 31))]
Months = Annotated[tuple[str, ...], AfterValidator(lambda texts: _spans(texts, _MONTHS, 1, 12))]
Years = Annotated[tuple[str, ...], AfterValidator(lambda texts: _spans(texts, (), 1, 9999))]


class TimesOfDay(StrictModel):
    """``[start_time, end_time)``."""

    start_time: TimeOfDay
    end_time: TimeOfDay

    def contains(self, at: datetime) -> bool:
        """Whether the time of day is inside."""
        return self.start_time <= f"{at:%H:%M}" < self.end_time


class TimeInterval(StrictModel):
    """All that is given must hold; of each list, one."""

    times: tuple[TimesOfDay, ...] = ()
    weekdays: Weekdays = ()
    days_of_month: DaysOfMonth = ()
    months: Months = ()
    years: Years = ()
    location: Annotated[str, AfterValidator(_location)] = "UTC"

    def contains(self, at: datetime) -> bool:
        """Whether the instant is inside."""
        local = at.astimezone(self._zone)
        days = calendar.monthrange(local.year, local.month)[1]
        return (
            (not self.times or any(each.contains(local) for each in self.times))
            and _inside(self.weekdays, _DAYS, local.isoweekday() % 7, 7)
            and _inside(self.days_of_month, (), local.day, days)
            and _inside(self.months, _MONTHS, local.month, 12)
            and _inside(self.years, (), local.year, 9999)
        )

    @cached_property
    def _zone(self) -> ZoneInfo:
        return parse_zone(self.location)


class NamedIntervals(StrictModel):
    """Time intervals under a name that routes refer to; one of them is enough."""

    name: Annotated[str, Field(min_length=1)]
    time_intervals: tuple[TimeInterval, ...]

    def contains(self, at: datetime) -> bool:
        """Whether the instant is inside one of them."""
        return any(each.contains(at) for each in self.time_intervals)


def _inside(texts: tuple[str, ...], names: tuple[str, ...], value: int, last: int) -> bool:
    """A negative day counts from the month's end: -1 is its last day."""
    if not texts:
        return True
    spans = (_span(text, names, -31, 9999) for text in texts)
    return any(_from_end(start, last) <= value <= _from_end(end, last) for start, end in spans)


def _from_end(number: int, last: int) -> int:
    return last + 1 + number if number < 0 else number
