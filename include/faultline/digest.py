"""The digest of an interval, as a value: what went wrong, what is new, what was kept quiet, what did not get through.

What goes in is decided by ``dispatch.digest``; what it looks like, by the templates there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ErrorTrend:
    """Records that say the same thing in one service: how many, how many in the interval before, and when.

    ``series`` has the counts of equal parts of the interval. ``sample`` is the text of the earliest.
    """

    topic: str
    service: str
    level: str
    fingerprint: str
    count: int
    before: int
    series: tuple[int, ...]
    first_seen: datetime
    last_seen: datetime
    hosts: int = 0
    exception_type: str = ""
    sample: str = ""


@dataclass(frozen=True, slots=True)
class KeptQuiet:
    """Alerts that nobody was told of, for one reason, and the records they stand for."""

    reason: str
    alerts: int
    records: int


@dataclass(frozen=True, slots=True)
class DarkOutage:
    """A root that was silenced or muted, and what it explained: an outage that nobody was told of."""

    root: str
    reason: str
    effects: int
    records: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages that were given up at one target, with what its provider said last."""

    target: str
    messages: int
    answer: str


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Records of a topic that are not in its counts as they should be.

    ``unparsable`` were understood by no parser, ``late`` came after their bucket was closed, and ``flooded`` were kept
    back by the logging handler of their application, which sent their number.
    """

    topic: str
    unparsable: int = 0
    late: int = 0
    flooded: int = 0


@dataclass(frozen=True, slots=True)
class Digest:
    """What there is to know of ``[start, end)``. Errors are records of level ERROR and CRITICAL.

    ``top`` are the most frequent kinds of error, ``new`` those never seen since ``known_since`` (None while nothing
    older is known); ``more_kinds`` and ``more_new`` say how many are left out. ``fired`` has how often each alert
    fired.
    """

    start: datetime
    end: datetime
    errors: int = 0
    errors_before: int = 0
    series: tuple[int, ...] = ()
    series_before: tuple[int, ...] = ()
    top: tuple[ErrorTrend, ...] = ()
    more_kinds: int = 0
    new: tuple[ErrorTrend, ...] = ()
    more_new: int = 0
    known_since: datetime | None = None
    fired: tuple[tuple[str, int], ...] = ()
    quiet: tuple[KeptQuiet, ...] = ()
    dark: tuple[DarkOutage, ...] = ()
    more_dark: int = 0
    undelivered: tuple[Undelivered, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()

    @property
    def news(self) -> int:
        """How many kinds of error are new."""
        return len(self.new) + self.more_new

    @property
    def lost_messages(self) -> int:
        """How many messages were given up."""
        return sum(each.messages for each in self.undelivered)
