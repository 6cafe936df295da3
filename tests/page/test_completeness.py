"""What the grid of hours says of each."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta

import pytest

from faultline.archive.hours import Hour
from faultline.page.completeness import Cell, HourState, hour_grid, hours_until, overdue

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
LATENESS = timedelta(minutes=10)


def at(hour: int, day: int = 22) -> Hour:
    return Hour(datetime(2026, 11, day, hour, tzinfo=UTC))


def cells(rows: Mapping[Hour, int] | None, marked: Set[Hour] | None, now: datetime = NOW) -> dict[Hour, Cell]:
    days = hour_grid(hours_until(now, 2), now=now, lateness=LATENESS, rows=rows, marked=marked)
    return {cell.hour: cell for day in days for cell in day.cells}


ROWS = {at(3): 10, at(9): 1000, at(11): 5}


@pytest.mark.parametrize(
    ("hour", "state", "count"),
    [
        (at(12), HourState.OPEN, 0),
        (at(11), HourState.DUE, 5),
        (at(10), HourState.DUE, 0),
        (at(9), HourState.OVERDUE, 1000),
        (at(3), HourState.COMPLETE, 10),
        (at(4), HourState.COMPLETE, 0),
        (at(2), HourState.BEFORE, 0),
    ],
    ids=str,
)
def test_an_hour_is_what_its_rows_and_its_mark_say(hour: Hour, state: HourState, count: int) -> None:
    cell = cells(ROWS, {at(hour) for hour in range(3, 9)})[hour]
    assert (cell.state, cell.rows) == (state, count)


def test_an_hour_is_open_for_as_long_as_records_of_it_may_come() -> None:
    assert [cells(ROWS, set(), at(12).start + LATENESS + late)[at(11)].state for late in (-HOUR / 60, 0 * HOUR)] == [
        HourState.OPEN,
        HourState.DUE,
    ]


@pytest.mark.parametrize(("rows", "marked"), [(ROWS, None), (None, frozenset())], ids=["no marks", "no table"])
def test_without_one_of_both_nobody_knows(rows: Mapping[Hour, int] | None, marked: Set[Hour] | None) -> None:
    found = cells(rows, marked)
    assert found[at(9)].state is HourState.UNKNOWN
    assert found[at(9)].rows == (None if rows is None else 1000)


def test_of_a_table_without_a_row_every_hour_that_is_over_is_before() -> None:
    assert {cell.state for cell in cells({}, frozenset()).values()} == {HourState.BEFORE, HourState.OPEN}


def test_the_grid_has_the_hours_that_have_begun_and_today_first() -> None:
    hours = hours_until(NOW, 2)
    assert {day: len(each) for day, each in hours.items()} == {"2026-11-22": 13, "2026-11-21": 24}
    assert next(iter(hours)) == "2026-11-22"


def test_more_records_are_warmer_and_few_are_not_none() -> None:
    heats = [cells(ROWS | {at(8): 1, at(7): 100}, frozenset())[hour].heat for hour in (at(10), at(8), at(7), at(9))]
    assert heats == sorted(heats)
    assert (heats[0], heats[1], heats[-1]) == (0, 1, 4)


def test_hours_that_should_have_been_marked_are_listed_oldest_first() -> None:
    days = hour_grid(hours_until(NOW, 2), now=NOW, lateness=LATENESS, rows=ROWS, marked={at(4), at(5), at(6), at(7)})
    assert overdue(days) == (at(3), at(8), at(9))
