"""Times as a user writes them: Prometheus durations, and instants in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

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
