"""An episode's bar is where it went on; the axis has round moments; counts that are many share a column."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.dispatch.story import Measured
from faultline.model import Interval
from faultline.page.lanes import Bar, bar, columns, ticks
from faultline.testing.records import NOON

HOUR = timedelta(hours=1)
SPAN = Interval(NOON, NOON + 10 * HOUR)
NOW = NOON + 8 * HOUR


@pytest.mark.parametrize(
    ("starts", "ends", "drawn"),
    [
        (1, 3, Bar(10, 20, False)),
        (-5, 3, Bar(0, 30, False)),
        (7, 20, Bar(70, 30, False)),
        (7, None, Bar(70, 10, True)),
        (9, None, Bar(90, 0.4, True)),
        (4, 4, Bar(40, 0.4, False)),
        (10, 10, Bar(99.6, 0.4, False)),
        (-5, -5, Bar(0, 0.4, False)),
        (-5, 50, Bar(0, 100, False)),
    ],
    ids=["inside", "began before", "ends after", "goes on", "of the future", "short", "at the end", "before", "around"],
)
def test_a_bar_is_where_its_episode_went_on(starts: float, ends: float | None, drawn: Bar) -> None:
    end = None if ends is None else NOON + ends * HOUR
    assert bar(SPAN, NOON + starts * HOUR, end, NOW) == drawn


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (Interval(NOON, NOON + HOUR), ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50"]),
        (
            Interval(NOON + HOUR / 2, NOON + 24.5 * HOUR),
            ["15:00", "18:00", "21:00", "11-23", "03:00", "06:00", "09:00", "12:00"],
        ),
        (Interval(NOON, NOON + 72 * HOUR), ["12:00", "11-23", "12:00", "11-24", "12:00", "11-25"]),
        (Interval(NOON, NOON + timedelta(seconds=16)), [f"12:00:{second:02}" for second in range(0, 16, 2)]),
        (Interval(NOON, NOON), []),
    ],
    ids=["hour", "day", "days", "seconds", "nothing"],
)
def test_the_axis_has_round_moments(span: Interval, labels: list[str]) -> None:
    found = ticks(span)
    assert [tick.label for tick in found] == labels
    assert all(0 <= tick.x < 100 for tick in found)


def measured(second: int, count: int, *, over: bool = False) -> Measured:
    return Measured(NOON + timedelta(seconds=second), count, str(count), over)


def test_few_counts_have_a_column_each() -> None:
    found = columns([measured(0, 5), measured(10, 20, over=True), measured(30, 0)], timedelta(seconds=10))
    assert [(each.count, each.over, each.x, each.width, each.height) for each in found] == [
        (5, False, 0, 25, 25),
        (20, True, 25, 25, 100),
        (0, False, 75, 25, 0),
    ]


def test_many_counts_share_columns_and_none_is_lost() -> None:
    found = columns([measured(10 * number, 1, over=number == 999) for number in range(1000)], timedelta(seconds=10))
    assert len(found) <= 120
    assert sum(each.count for each in found) == 1000
    assert [each.over for each in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].x + found[-1].width == pytest.approx(100, abs=0.1)


def test_no_counts_are_no_columns() -> None:
    assert columns([], timedelta(seconds=10)) == []
