"""Groups of rules with an ``evaluation_interval`` of their own: when they are due, and what waits for them until then.

Due is the first evaluation in each interval since the epoch, so neither a restart nor a slow evaluation shifts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from faultline.alerting.windows import floor
from faultline.model import AlertKey

# Alerts with the earliest bucket that was added to; None for what is looked at anyway.
Keys = dict[AlertKey, datetime | None]


@dataclass
class Pace:
    """What rules of one interval have not seen yet: from which watermark on, and which alerts were added to."""

    interval: timedelta
    since: datetime | None = None
    waiting: dict[str, Keys] = field(default_factory=dict)

    def is_due(self, at: datetime, before: datetime | None) -> bool:
        """Whether an interval has begun since the evaluation before."""
        return before is None or floor(at, self.interval) != floor(before, self.interval)

    def wait(self, rule: str, keys: Mapping[AlertKey, datetime | None]) -> None:
        """Keep what was added to until the rule is due."""
        known = self.waiting.setdefault(rule, {})
        for key, start in keys.items():
            earliest = known.setdefault(key, start)
            if start is not None and (earliest is None or start < earliest):
                known[key] = start


def paces_of(intervals: Iterable[timedelta], since: datetime | None, lateness: timedelta) -> dict[timedelta, Pace]:
    """The paces after a start: what their rules saw last is not known, so they look back as far as it may be."""
    return {each: Pace(each, since and since - each - lateness) for each in intervals}
