"""What a chart shows: steps of time, stacks of the most frequent, and what a rule measures against its threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.adapters.database import Sum
from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.rules import load_rules
from faultline.model import Interval, Labels
from faultline.page.figures import (
    STEPS,
    WINDOWS,
    Figure,
    measure,
    stack,
    starts_of,
    step_width,
    tells_fingerprints,
    windows_of,
)
from tests.contracts.values import BUCKET, NOON

MINUTE = timedelta(minutes=1)
LABELS = {
    "web": Labels(service="web", level="ERROR"),
    "db": Labels(service="db", level="ERROR"),
    "db info": Labels(service="db", level="INFO"),
    "none": Labels(level="ERROR"),
}
HOUR = Interval(NOON, NOON + timedelta(hours=1))


def rule(**options: object) -> BaseRule:
    """A rule of these options, of the windows of a minute."""
    options = {"alert": "R", "timeframe": "1m", **options}
    ends = {"receivers": [{"name": "ops"}], "route": {"receiver": "ops"}}
    return load_rules(json.dumps({"groups": [{"name": "g", "rules": [options]}], **ends})).rules["R"]


def counted(*rows: tuple[int, str, int]) -> list[Sum]:
    """Sums in the minutes after noon."""
    return [Sum(NOON + minute * MINUTE, labels, None, number) for minute, labels, number in rows]


def stacked(sums: Sequence[Sum], by: str = "service", *, most: int = 8) -> Figure:
    starts = [NOON + number * MINUTE for number in range(3)]
    return stack(sums, LABELS, by, starts, MINUTE, most=most)


def measured(of: BaseRule, *sums: Sum, minutes: int = 3) -> Figure:
    windows = windows_of(of, Interval(NOON, NOON + minutes * MINUTE), MINUTE)
    return measure(windows, sums, LABELS)


def lines(figure: Figure) -> dict[str, tuple[float, ...]]:
    return {each.name: each.values for each in figure.series}


@pytest.mark.parametrize(
    ("length", "width"),
    [
        (timedelta(minutes=5), BUCKET),
        (timedelta(minutes=20), BUCKET),
        (timedelta(minutes=21), timedelta(seconds=30)),
        (timedelta(hours=6), timedelta(minutes=5)),
        (timedelta(days=7), timedelta(hours=2)),
        (timedelta(days=3650), timedelta(days=30, hours=10)),
    ],
    ids=str,
)
def test_a_step_is_as_fine_as_the_number_of_them_allows(length: timedelta, width: timedelta) -> None:
    assert step_width(Interval(NOON, NOON + length), BUCKET) == width


@given(
    length=st.integers(1, 10**9).map(lambda seconds: timedelta(seconds=seconds)),
    bucket=st.sampled_from([1, 7, 10, 60, 3600]).map(lambda seconds: timedelta(seconds=seconds)),
    offset=st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_steps_cover_the_interval_in_whole_buckets(length: timedelta, bucket: timedelta, offset: timedelta) -> None:
    interval = Interval(NOON + offset, NOON + offset + length)
    width = step_width(interval, bucket)
    starts = starts_of(interval, width)
    assert not width % bucket
    assert starts[0] <= interval.start < starts[0] + width
    assert starts[-1] < interval.end <= starts[-1] + width
    assert len(starts) <= STEPS + 1


def test_records_are_stacked_by_a_label_what_is_most_first() -> None:
    figure = stacked(counted((0, "web", 1), (2, "web", 2), (1, "db", 5), (1, "db info", 4)))
    assert lines(figure) == {"db": (0, 9, 0), "web": (1, 0, 2)}
    assert [{**each.labels} for each in figure.series] == [{"service": "db"}, {"service": "web"}]


def test_what_comes_after_the_most_frequent_is_one_series() -> None:
    figure = stacked(counted((0, "web", 3), (0, "db", 2), (1, "none", 1)), most=1)
    assert [(each.name, each.values, {**each.labels}) for each in figure.series] == [
        ("web", (3, 0, 0), {"service": "web"}),
        ("", (2, 1, 0), {}),
    ]
    assert figure.more == 2


def test_fingerprints_that_are_not_told_apart_are_together() -> None:
    apart = [Sum(NOON, "web", "v1:a", 2), Sum(NOON, "db", None, 7), Sum(NOON + MINUTE, "web", None, 1)]
    assert lines(stacked(apart, "fingerprint")) == {"v1:a": (2, 0, 0), "": (7, 1, 0)}


@pytest.mark.parametrize(
    ("timeframe", "minutes", "width", "span"),
    [("1m", 10, BUCKET, 6), ("1h", 60, BUCKET, 360), ("5m", 600, MINUTE, 5), ("7m", 6000, timedelta(minutes=7), 1)],
)
def test_a_rules_windows_end_as_close_as_their_number_allows(
    timeframe: str, minutes: int, width: timedelta, span: int
) -> None:
    interval = Interval(NOON, NOON + minutes * MINUTE)
    windows = windows_of(rule(num_events=1, timeframe=timeframe), interval, BUCKET)
    assert (windows.width, windows.span) == (width, span)
    assert len(starts_of(windows.interval, windows.width)) <= WINDOWS
    assert windows.counted.start == windows.interval.start - (span - 1) * width


def test_of_more_windows_than_are_drawn_the_newest_are() -> None:
    long = Interval(NOON, NOON + 7020 * MINUTE)
    windows = windows_of(rule(num_events=1, timeframe="7m"), long, BUCKET)
    assert long.start < windows.interval.start == windows.interval.end - WINDOWS * timedelta(minutes=7)


def test_a_window_is_what_was_counted_in_it_for_each_alert() -> None:
    of = rule(num_events=5, timeframe="2m", query_key=["service"], matchers=['level="ERROR"'])
    rows = counted((-1, "db", 4), (0, "db", 1), (1, "web", 2), (2, "db", 3), (2, "db info", 50))
    figure = measured(of, *rows)
    assert lines(figure) == {"db": (5, 1, 3), "web": (0, 2, 2)}
    assert figure.thresholds == (5,)


def test_an_alert_without_labels_of_its_own_is_one_line() -> None:
    assert lines(measured(rule(num_events=5), *counted((0, "db", 1), (0, "web", 2)))) == {"": (3, 0, 0)}


def test_alerts_that_are_left_out_are_counted() -> None:
    labels = {str(number): Labels(host=f"host-{number}") for number in range(10)}
    sums = [Sum(NOON, str(number), None, number + 1) for number in range(10)]
    windows = windows_of(rule(num_events=5, query_key=["host"]), Interval(NOON, NOON + MINUTE), MINUTE)
    figure = measure(windows, sums, labels)
    assert [each.name for each in figure.series] == [f"host-{number}" for number in range(9, 1, -1)]
    assert figure.more == 2


def test_a_share_is_measured_in_percent_where_enough_records_say_something() -> None:
    of = rule(
        type="percentage_match",
        match_bucket_filter=['level="ERROR"'],
        max_percentage=20,
        min_percentage=1,
        min_denominator=4,
    )
    figure = measured(of, *counted((0, "db", 1), (0, "db info", 3), (1, "db", 3)))
    assert lines(figure) == {"": (25, 0, 0)}
    assert (figure.thresholds, figure.percent) == ((20, 1), True)


def test_a_cardinality_is_the_number_of_values_in_the_window() -> None:
    of = rule(type="cardinality", cardinality_field="service", max_cardinality=1, timeframe="2m")
    figure = measured(of, *counted((0, "db", 9), (1, "web", 1), (1, "db info", 1), (1, "none", 1)))
    assert lines(figure) == {"": (1, 2, 2)}


@pytest.mark.parametrize(
    ("options", "thresholds"),
    [
        ({"type": "flatline", "threshold": 3}, (3,)),
        ({"type": "spike", "spike_height": 3, "spike_type": "up"}, ()),
        ({"type": "new_term", "fields": ["service"], "terms_window_size": "1d"}, ()),
        ({"type": "cardinality", "cardinality_field": "host", "max_cardinality": 9, "min_cardinality": 2}, (9, 2)),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else "",
)
def test_a_threshold_that_is_a_height_is_drawn(options: dict[str, object], thresholds: tuple[float, ...]) -> None:
    assert measured(rule(**options), *counted((0, "db", 1))).thresholds == thresholds


@pytest.mark.parametrize(
    "options",
    [
        {"num_events": 1, "query_key": ["fingerprint"]},
        {"num_events": 1, "matchers": ['fingerprint="v1:a"']},
        {"type": "cardinality", "cardinality_field": "fingerprint", "max_cardinality": 1},
        {"type": "percentage_match", "match_bucket_filter": ['fingerprint!="v1:a"'], "max_percentage": 1},
    ],
    ids=str,
)
def test_a_rule_that_asks_for_fingerprints_is_told_them_apart(options: dict[str, object]) -> None:
    assert tells_fingerprints(rule(**options))
    assert not tells_fingerprints(rule(num_events=1, query_key=["service"]))


@given(
    rows=st.lists(st.tuples(st.integers(-5, 20), st.sampled_from(sorted(LABELS)), st.integers(1, 9)), max_size=30),
    span=st.integers(1, 6),
)
def test_each_point_is_the_sum_of_its_window(rows: list[tuple[int, str, int]], span: int) -> None:
    figure = measured(rule(num_events=5, timeframe=f"{span}m"), *counted(*rows), minutes=20)

    def window(start: datetime) -> int:
        end = start + MINUTE
        return sum(row.count for row in counted(*rows) if end - span * MINUTE <= row.start < end)

    assert all(each.values == tuple(map(window, figure.starts)) for each in figure.series)
    assert len(figure.series) == bool(rows)
