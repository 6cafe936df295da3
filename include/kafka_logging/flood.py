"""Which records are too many, decided before they are formatted, and the summaries that say how many there were.

Two limits, each a token bucket kept as one time (GCRA, ITU-T I.371): one of the process and one of each call site,
which gets half of the process's, so that one loop gone wild leaves room for others. The last quarter of the process's
burst is for errors. ``full_at`` is when a bucket will be full again; it holds so much less as that is away.
A record is refused without a lock; places are taken with one, and by a busy site several at once, to be used later.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from kafka_logging import native
from kafka_logging.safe import attempt, text_of
from kafka_logging.stats import value_of

SUMMARY_SECONDS = 10.0
SITE_SHARE = 0.5
ERROR_SHARE = 0.25
MAX_SITES = 4096  # of code that is made while it runs; further ones share a bucket for each level
MAX_TEMPLATE = 1000
# A site takes at most so many places at once, no more than it has used so far, nor than this part of a burst. What it
# has left when it falls silent may come on top of a later burst.
MOST_AHEAD = 16
AHEAD_SHARE = 0.001

Clock: TypeAlias = Callable[[], float]
_ERROR = logging.ERROR
_EVER = float("-inf")
_Key: TypeAlias = tuple[str, int, int]


class Site:
    """A line of code that logs at one level: its bucket and what was suppressed of it."""

    __slots__ = ("ahead", "first", "full_at", "last", "name", "place", "places", "reported", "suppressed", "template")

    def __init__(self, place: _Key, record: logging.LogRecord) -> None:
        self.place = place
        self.name = record.name
        self.template = _template(record.msg)
        self.full_at = _EVER
        self.places = itertools.repeat(True, 0)  # taken and not used yet; threads draw from it without a lock
        self.ahead = 1
        self.suppressed = itertools.count()
        self.reported = 0
        self.first: float | None = None
        self.last = 0.0


class Flood:
    """Lets ``rate`` records a second pass and ``burst`` at once; call sites get half of both.

    ``clock`` gives seconds that never go back.
    """

    def __init__(self, rate: float, burst: int, clock: Clock = time.monotonic) -> None:
        if not rate > 0 or burst < 1:
            raise ValueError(f"rate_limit is above 0 and burst at least 1, not {rate} and {burst}")
        self._clock = clock
        self._interval = 1 / rate
        self._site_interval = 1 / (rate * SITE_SHARE)
        self._slack = _slack(burst, self._interval)
        self._common_slack = _slack(burst * (1 - ERROR_SHARE), self._interval)
        self._site_slack = _slack(burst * SITE_SHARE, self._site_interval)
        self._most_ahead = max(1, min(MOST_AHEAD, int(burst * AHEAD_SHARE)))
        self._full_at = _EVER
        self._sites: dict[_Key, Site] = {}
        self._lock = native.rlock()  # a signal handler that logs may interrupt the thread that holds it
        self._next_summary = clock() + SUMMARY_SECONDS

    def refuses(self, record: logging.LogRecord) -> bool:
        """Whether the record is one too many; then it is counted."""
        level = record.levelno
        key = (record.pathname, record.lineno, level)
        site = self._sites.get(key) or self._add(key, record)
        if next(site.places, False):
            return False
        slack = self._slack if level >= _ERROR else self._common_slack
        now = self._clock()
        if site.full_at - now <= self._site_slack and self._full_at - now <= slack and self._take(site, now, slack):
            return False
        next(site.suppressed)
        if site.first is None:
            site.first = record.created or 0.0
        site.last = record.created
        return True

    def _take(self, site: Site, now: float, slack: float) -> bool:
        """Take a place in both buckets, and some ahead where there is room; False when another thread has the last."""
        with self._lock:
            if next(site.places, False):  # another thread was first
                return True
            full_at, site_full_at = max(self._full_at, now), max(site.full_at, now)
            for number in (site.ahead, 1):
                ends, site_ends = full_at + number * self._interval, site_full_at + number * self._site_interval
                if ends - self._interval - now <= slack and site_ends - self._site_interval - now <= self._site_slack:
                    self._full_at, site.full_at = ends, site_ends
                    site.places = itertools.repeat(True, number - 1)
                    site.ahead = min(2 * number, self._most_ahead)
                    return True
            return False

    def suppressed(self) -> int:
        """How many records were refused."""
        return sum(value_of(site.suppressed) for site in list(self._sites.values()))

    def due(self) -> bool:
        """Whether it is time for summaries; True once in ``SUMMARY_SECONDS``."""
        now = self._clock()
        if now < self._next_summary:
            return False
        self._next_summary = now + SUMMARY_SECONDS
        return True

    def report(self, send: Callable[[logging.LogRecord], bool]) -> None:
        """``send`` a summary of each site with something new; when it says False, the next one has it as well."""
        for site in list(self._sites.values()):
            total, first = value_of(site.suppressed), site.first
            if total > site.reported and first is not None:
                site.first = None
                if send(_summary(site, total - site.reported, first)):
                    site.reported = total
                else:
                    site.first = first

    def _add(self, key: _Key, record: logging.LogRecord) -> Site:
        with self._lock:
            if len(self._sites) >= MAX_SITES:
                key = ("", 0, record.levelno)
            return self._sites.setdefault(key, Site(key, record))


def _slack(burst: float, interval: float) -> float:
    """How far ahead ``full_at`` may be for one more; a hundredth of a place is for what sums of floats lose."""
    return (max(int(burst), 1) - 0.99) * interval


def _template(msg: object) -> str:
    return msg[:MAX_TEMPLATE] if isinstance(msg, str) else f"<{type(msg).__name__}>"


def _summary(site: Site, number: int, first: float) -> logging.LogRecord:
    """A record in the name, at the place and of the level of those that it stands for."""
    path, line, level = site.place
    record = logging.LogRecord(site.name, level, path, line, "%d suppressed: %s", (number, site.template), None)
    record.__dict__.update(
        suppressed_count=number,
        suppressed_first=_iso(first),
        suppressed_last=_iso(attempt(lambda: max(site.last, first), lambda _: first)),
        suppressed_template=site.template,
    )
    return record


def _iso(created: float) -> str:
    """As text also what is no time, as somebody has replaced it."""
    return attempt(
        lambda: datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        lambda _: text_of(created),
    )
