"""The span of time that an address asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from faultline.durations import parse_when
from faultline.model import Interval

# Nothing is shown of the time before it.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def read_span(since: str, until: str, usual: str, now: datetime, *, future: bool = False) -> tuple[Interval, str]:
    """From when to when, and what is wrong with how it is written; then it is the ``usual`` time before now.

    Without ``future`` it ends now at the latest.
    """
    try:
        start = max(parse_when(since or usual, now), _FIRST)
        end = parse_when(until, now) if until else now
        end = end if future else min(end, now)
        if start >= end:
            raise ValueError(f"nothing is between {start:%Y-%m-%d %H:%M:%S} and {end:%Y-%m-%d %H:%M:%S}")
    except ValueError as error:
        return Interval(parse_when(usual, now), now), str(error)
    return Interval(start, end), ""
