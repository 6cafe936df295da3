"""What statistics rule out, and what they must not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.search.parser import parse_query
from faultline.archive.search.prune import Statistics, may_match
from faultline.archive.search.query import EVERYTHING, FIELDS, Compare, within
from faultline.model import Interval
from faultline.testing.records import NOON

HOUR = Statistics(
    10,
    {"timestamp": NOON, "service": "checkout", "level": "ERROR", "kafka_offset": 100},
    {"timestamp": NOON + timedelta(minutes=59), "service": "pay", "level": "INFO", "kafka_offset": 199},
    {"timestamp": 0, "service": 0, "level": 0, "kafka_offset": 0, "host": 10},
)
ONE_SERVICE = Statistics(10, {"service": "pay"}, {"service": "pay"}, {"service": 0})


@pytest.mark.parametrize(
    ("query", "statistics", "may"),
    [
        ("service=gateway", HOUR, True),
        ("service=billing", HOUR, False),
        ("service>pay", HOUR, False),
        ("service>=pay", HOUR, True),
        ("service<checkout", HOUR, False),
        ("level>=ERROR", HOUR, True),
        ("level=WARNING", HOUR, False),
        ("level>=WARNING", HOUR, True),
        ("level=DEBUG", HOUR, False),
        ("kafka_offset=150", HOUR, True),
        ("kafka_offset=200", HOUR, False),
        ("kafka_offset>199", HOUR, False),
        ("kafka_offset<=100", HOUR, True),
        ("host=a", HOUR, False),
        ("host!=a", HOUR, True),
        ("logger=a", HOUR, True),
        ("service=pay", ONE_SERVICE, True),
        ("service!=pay", ONE_SERVICE, False),
        ("service!=pay", HOUR, True),
        ("not kafka_offset>=100", HOUR, False),
        ("not kafka_offset>100", HOUR, True),
        ("not (kafka_offset>=100 service>=a)", HOUR, False),
        ("timeout", HOUR, True),
        ("timeout service=zoo", HOUR, False),
        ("timeout or service=zoo", HOUR, True),
        ("service=aaa or service=zoo", HOUR, False),
        ("raw.service=zoo", HOUR, True),
        ("", Statistics(0), False),
        ("service=pay", Statistics(5), True),
    ],
)
def test_statistics_rule_out(query: str, statistics: Statistics, may: bool) -> None:
    assert may_match(parse_query(query), statistics) is may


def test_an_interval_rules_out_the_hours_beside_it() -> None:
    hour = timedelta(hours=1)
    assert [may_match(within(Interval(NOON + n * hour, NOON + (n + 1) * hour)), HOUR) for n in (-1, 0, 1)] == [
        False,
        True,
        False,
    ]
    assert may_match(EVERYTHING, HOUR)


@given(
    values=st.lists(st.integers(0, 5) | st.none(), min_size=1),
    order=st.sampled_from(["=", "<", "<=", ">", ">="]),
    value=st.integers(-1, 6),
    widen=st.integers(0, 1),
    negated=st.booleans(),
)
def test_what_is_there_is_never_ruled_out(
    values: list[int | None], order: str, value: int, widen: int, negated: bool
) -> None:
    known = [each for each in values if each is not None]
    statistics = Statistics(
        len(values),
        {"kafka_offset": min(known) - widen} if known else {},
        {"kafka_offset": max(known) + widen} if known else {},
        {"kafka_offset": len(values) - len(known)},
    )
    compare = {"=": int.__eq__, "<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}[order]
    rows = [(each is not None and compare(each, value)) != negated for each in values]
    query = Compare(FIELDS["kafka_offset"], order, value)  # type: ignore[arg-type]
    asked = parse_query(f"{'not ' if negated else ''}kafka_offset{order}{value}")
    assert query in (asked, getattr(asked, "operand", None))
    if any(rows):
        assert may_match(asked, statistics)
