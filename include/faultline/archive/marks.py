"""The mark of an hour that is complete and merged, for jobs that wait for it. Pure.

An hour is complete when all that Kafka received up to its end, and for the lateness after it, is archived. Rows that
arrive later still, with an event time of long ago, change the hour: its mark is written again and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from faultline.archive.compact import DataFile
from faultline.archive.hours import Hour


@dataclass(frozen=True, slots=True)
class HourMark:
    """What a mark says: the hour's rows, files and bytes as of a version of the table."""

    topic: str
    hour: Hour
    rows: int
    files: int
    bytes: int
    version: int
    merged_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "topic": self.topic,
            "dt": self.hour.dt,
            "hr": self.hour.hr,
            "rows": self.rows,
            "files": self.files,
            "bytes": self.bytes,
            "version": self.version,
            "merged_at": self.merged_at.isoformat(timespec="seconds"),
        }


def hours_between(since: datetime, until: datetime) -> list[Hour]:
    """The whole hours in ``[since, until)``."""
    hour = Hour(since.replace(minute=0, second=0, microsecond=0))
    if hour.start < since:
        hour = Hour(hour.end)
    hours = []
    while hour.end <= until:
        hours.append(hour)
        hour = Hour(hour.end)
    return hours


def mark_hours(
    topic: str, files: Iterable[DataFile], hours: Iterable[Hour], *, version: int, at: datetime
) -> tuple[HourMark, ...]:
    """The marks of hours, those without a row too."""
    held: dict[Hour, list[DataFile]] = {}
    for file in files:
        held.setdefault(file.hour, []).append(file)
    marks = []
    for hour in hours:
        mine = held.get(hour, ())
        rows, size = sum(file.rows for file in mine), sum(file.size for file in mine)
        marks.append(HourMark(topic, hour, rows, len(mine), size, version, at))
    return tuple(marks)


def is_stale(found: Mapping[str, Any] | None, mark: HourMark) -> bool:
    """Whether a mark is missing or says other than it should; when it was written does not count."""
    said = mark.to_dict()
    return found is None or any(found.get(name) != said[name] for name in ("rows", "files", "bytes"))


def complete_hours_until(complete: datetime | None, lateness: timedelta) -> datetime | None:
    """Up to where hours are complete, from up to when all that Kafka received is archived."""
    return None if complete is None else complete - lateness
