"""A rule's value is that of its alert which is nearest to the threshold, of the newest window that says anything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from faultline.adapters.database import Outline, Sum
from faultline.alerting.rulekinds import BaseRule, Rule
from faultline.model import AlertState, Interval, Labels
from faultline.page.values import Now, Value, looked_at, names_fingerprint, values
from faultline.testing.records import NOON

SECOND, BUCKET = timedelta(seconds=1), timedelta(seconds=10)
AT = NOON + 5 * SECOND
CLOSED = NOON - 20 * SECOND
SETS = {
    name: Labels(topic="app-logs", service=name, level=level, host=f"host-{name}")
    for name, level in (("a", "ERROR"), ("b", "ERROR"), ("calm", "INFO"))
}
SETS["a-too"] = Labels(SETS["a"], level="INFO", host="other")


def rule(**fields: Any) -> BaseRule:
    made: BaseRule = TypeAdapter(Rule).validate_python(
        {"alert": "R", "topics": ["app-logs"], "timeframe": "1m", "query_key": ["service"], **fields}
    )
    return made


def counted(name: str, number: int, ago: int) -> Sum:
    """So many records of a label set in the bucket that began so many seconds before noon."""
    return Sum(NOON - ago * SECOND, name, None, number)


def value(one: BaseRule, *sums: Sum, live: tuple[Outline, ...] = (), **known: Any) -> Value | None:
    everything = looked_at([one], AT, CLOSED, BUCKET)
    now = Now(**{"at": AT, "bucket": BUCKET, "closed": CLOSED, "watched": {}, "known": everything, **known})
    return values([one], sums, SETS, live, now).get("R")


def said(found: Value | None) -> tuple[str, str, float, bool]:
    assert found is not None
    return found.alert.labels.get("service", ""), found.words, round(found.near, 2), found.over


FREQUENCY = {"type": "frequency", "num_events": 20}
FLATLINE = {"type": "flatline", "threshold": 10}


@pytest.mark.parametrize(
    ("fields", "sums", "expected"),
    [
        (FREQUENCY, [("a", 5, 30), ("b", 15, 0)], ("b", "15", 0.75, False)),
        (FREQUENCY, [("a", 25, 30), ("b", 15, 0)], ("a", "25", 1.0, True)),
        (FREQUENCY, [("a", 9, 60), ("a", 5, 50)], ("a", "5", 0.25, False)),
        (FLATLINE, [("a", 40, 30), ("b", 2, 30), ("b", 50, 90)], ("b", "2", 1.0, True)),
        (FLATLINE, [("a", 40, 30), ("a", 1, 10)], ("a", "40", 0.25, False)),
        (
            {"type": "cardinality", "cardinality_field": "host", "max_cardinality": 4},
            [("a", 1, 30), ("a-too", 1, 0)],
            ("a", "2 values", 0.5, False),
        ),
        (
            {"type": "percentage_match", "match_bucket_filter": ['level="ERROR"'], "max_percentage": 50},
            [("a", 30, 30), ("a-too", 10, 30)],
            ("a", "75% of 40", 1.0, True),
        ),
        (
            {"type": "percentage_match", "match_bucket_filter": ['level="ERROR"'], "max_percentage": 50}
            | {"min_denominator": 41},
            [("a", 30, 30), ("a-too", 10, 30)],
            ("a", "75% of 40", 0.0, False),
        ),
        (
            {"type": "spike", "spike_height": 4, "spike_type": "up"},
            [("a", 10, 30), ("a", 5, 90), ("a", 5, 150)],
            ("a", "10 after 5", 0.5, False),
        ),
        (
            {"type": "spike", "spike_height": 4, "spike_type": "down"},
            [("a", 1, 30), ("a", 50, 90), ("a", 5, 150)],
            ("a", "1 after 50", 1.0, True),
        ),
    ],
    ids=str,
)
def test_the_alert_nearest_to_the_threshold_is_shown(
    fields: dict[str, Any], sums: list[tuple[str, int, int]], expected: tuple[str, str, float, bool]
) -> None:
    assert said(value(rule(**fields), *(counted(*each) for each in sums))) == expected


def test_what_may_become_less_is_looked_at_where_nothing_comes_any_more() -> None:
    counts = (counted("a", 40, 30), counted("a", 99, 0))
    assert said(value(rule(**FLATLINE), *counts))[1] == "40"
    assert value(rule(**FLATLINE), *counts, closed=None) is None


def test_what_has_fallen_silent_is_shown_with_nothing() -> None:
    silent = Outline("e", "R", AlertState.FIRING, NOON, None, "", {"service": "gone"}, 3)
    assert said(value(rule(**FLATLINE), counted("a", 40, 30), live=(silent,))) == ("gone", "0", 1.0, True)


def test_without_a_key_there_is_always_something() -> None:
    assert said(value(rule(**FREQUENCY, query_key=[]))) == ("", "0", 0.0, False)
    assert value(rule(**FREQUENCY)) is None


def test_a_window_of_which_not_all_counts_are_known_has_no_value() -> None:
    known = Interval(NOON - 65 * SECOND, NOON + BUCKET)
    assert value(rule(**FREQUENCY), counted("a", 5, 30), known=known) is not None
    assert value(rule(**FREQUENCY, timeframe="2m"), counted("a", 5, 30), known=known) is None


def test_a_new_term_is_no_number() -> None:
    assert value(rule(type="new_term", fields=["host"]), counted("a", 5, 30)) is None


def test_fingerprints_are_told_apart_where_a_rule_asks_for_them() -> None:
    assert not names_fingerprint([rule(**FREQUENCY)])
    assert names_fingerprint([rule(**FREQUENCY), rule(**FREQUENCY, query_key=["fingerprint"])])
    assert names_fingerprint([rule(**FREQUENCY, matchers=['fingerprint="v1:0"'])])
