"""Times as a user writes them: Prometheus durations, instants in UTC, and the names of time zones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)
# A time so long ago can still be written down: whoever subtracts a duration need not think of the year 0.
_LONGEST = 100 * _UNITS["y"]


def parse_duration(text: object) -> timedelta:
    """A Prometheus duration (``30s``, ``1h30m``, ``0``) as a timedelta; ValueError says what is expected."""
    if isinstance(text, timedelta):
        return text
    if text == 0 or text == "0":
        return timedelta(0)
    if not isinstance(text, str) or not text or _DURATION.sub("", text):
        raise ValueError(f"not a duration: {text!r}; write a number and a unit, such as 30s, 5m or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"too long a duration: {text!r}; the longest is 100y")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """The shortest Prometheus duration that means the same, such as ``1h30m``."""
    milliseconds = round(value.total_seconds() * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, milliseconds = divmod(milliseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]


def _in_utc(value: object) -> object:
    """YAML's times without a zone are in UTC, and ruamel turns those with one into such."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Instant = Annotated[AwareDatetime, BeforeValidator(_in_utc)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


def parse_instant(text: str) -> datetime:
    """ISO 8601, in UTC where it names no offset; ValueError says what is expected."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"not a time: {text!r}; expected ISO 8601, such as 2026-11-22T12:00") from None


def parse_when(text: str, now: datetime) -> datetime:
    """A time as ``parse_instant`` takes it, or a duration such as 2h: so long before now."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(text)
    except ValueError:
        expected = "a duration, such as 2h, or ISO 8601, such as 2026-11-22T12:00, in UTC unless it says otherwise"
        raise ValueError(f"not a time: {text!r}; expected {expected}") from None


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name; ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"not a time zone: {name!r}; a name such as Europe/Berlin or Asia/Shanghai") from None
