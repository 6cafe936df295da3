"""Which hours of a topic are complete in its table, as a grid of days and hours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import log

from faultline.archive.compact import closed_before
from faultline.archive.hours import Hour

# Marks are looked for once an hour; an hour that has waited for its mark longer than twice that waits for somebody.
MARKED_WITHIN = timedelta(hours=2)
_HEATS = 4


class HourState(StrEnum):
    """What the table has of an hour.

    COMPLETE: all that Kafka received of it, merged. OPEN: it is not closed yet. DUE: closed, and to be marked complete
    soon; OVERDUE: that should have been. BEFORE: the table begins later. UNKNOWN: nobody says whether it is complete.
    """

    COMPLETE = "complete"
    OPEN = "open"
    DUE = "due"
    OVERDUE = "overdue"
    BEFORE = "before"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour: its rows, None where that is not known, and how many they are beside the others, 0 to 4."""

    hour: Hour
    state: HourState
    rows: int | None
    heat: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day's hours, as far as they have begun."""

    dt: str
    cells: tuple[Cell, ...]

    @property
    def begun(self) -> bool:
        """Whether the table has anything of it, or should have."""
        return any(cell.state is not HourState.BEFORE for cell in self.cells)


def hours_until(now: datetime, days: int) -> dict[str, tuple[Hour, ...]]:
    """The hours of so many days, ``2026-11-22`` each, that have begun; today first."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    midnights = [today - timedelta(days=number) for number in range(days)]
    hours = {midnight: [Hour(midnight + timedelta(hours=number)) for number in range(24)] for midnight in midnights}
    return {f"{day:%Y-%m-%d}": tuple(hour for hour in each if hour.start <= now) for day, each in hours.items()}


def hour_grid(
    hours: Mapping[str, Sequence[Hour]],
    *,
    now: datetime,
    lateness: timedelta,
    rows: Mapping[Hour, int] | None,
    marked: Set[Hour] | None,
) -> tuple[Day, ...]:
    """These hours of some days; ``rows`` and ``marked`` are None where they are not known."""
    most = max((rows or {}).get(hour, 0) for each in hours.values() for hour in each) if rows else 0
    first = min(rows) if rows else None

    def cell(hour: Hour) -> Cell:
        held = None if rows is None else rows.get(hour, 0)
        state = _state(hour, now, lateness, marked, known=rows is not None, first=first)
        return Cell(hour, state, held, _heat(held or 0, most))

    return tuple(Day(day, tuple(map(cell, each))) for day, each in hours.items())


def overdue(days: Iterable[Day]) -> tuple[Hour, ...]:
    """The hours that should have been marked, oldest first."""
    return tuple(sorted(cell.hour for day in days for cell in day.cells if cell.state is HourState.OVERDUE))


def _state(
    hour: Hour, now: datetime, lateness: timedelta, marked: Set[Hour] | None, *, known: bool, first: Hour | None
) -> HourState:
    if marked is not None and hour in marked:
        return HourState.COMPLETE
    if hour.end > closed_before(now, lateness):
        return HourState.OPEN
    if known and (first is None or hour < first):
        return HourState.BEFORE
    if marked is None or not known:
        return HourState.UNKNOWN
    return HourState.DUE if hour.end > closed_before(now, lateness) - MARKED_WITHIN else HourState.OVERDUE


def _heat(rows: int, most: int) -> int:
    """On a scale of logarithms: a quiet night is not nothing."""
    if not rows:
        return 0
    return 1 + round((_HEATS - 1) * log(rows + 1) / log(most + 1))
