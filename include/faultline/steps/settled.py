"""Which hours of counts have become settled: nothing that happened in them is counted any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from faultline.adapters.database import Database
from faultline.alerting.windows import floor
from faultline.archive.hours import Hour
from faultline.model import Interval
from faultline.settings import Settings
from faultline.steps.counts import settled_at

_HOUR = timedelta(hours=1)


def settled_hours(settings: Settings, database: Database, told: datetime | None, *, at: datetime) -> Interval | None:
    """The whole hours settled since ``told``, the last one when nothing was told yet; None when there is none.

    Hours whose counts are forgotten are left out.
    """
    settled = settled_at(settings, database, at)
    until = floor(settled.judged, _HOUR)
    since = max(told or until - _HOUR, floor(settled.kept, _HOUR) + _HOUR)
    return Interval(since, until) if since < until else None


def settled_counts(
    settings: Settings, database: Database, told: datetime | None, *, at: datetime
) -> dict[str, Any] | None:
    """What there is to tell of them, as plain values: the hours, the records counted in them, and up to which offsets
    records are counted by now.
    """
    interval = settled_hours(settings, database, told, at=at)
    if interval is None:
        return None
    number = (interval.end - interval.start) // _HOUR
    return {
        "until": interval.end.isoformat(),
        "hours": [str(Hour(interval.start + _HOUR * hour)) for hour in range(number)],
        "rows": sum(database.totals(interval).values()),
        "offsets": [
            {
                "topic": each.partition.topic,
                "topic_id": each.partition.topic_id,
                "partition": each.partition.partition,
                "end": each.next_offset,
            }
            for each in database.counted()
        ],
    }
