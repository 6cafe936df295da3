"""The query language: what a text asks, and where a wrong one is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from faultline.archive.search.parser import QueryError, parse_query
from faultline.archive.search.query import EVERYTHING, FIELDS, And, Compare, Field, Kind, Match, Not, Or, Query, Word

A, B, C = Word("a"), Word("b"), Word("c")
SERVICE, MESSAGE, OFFSET, TIME = (FIELDS[name] for name in ("service", "message", "kafka_offset", "timestamp"))
PAY = Compare(SERVICE, "=", "pay")


def own(name: str) -> Field:
    return Field(name, Kind.TEXT, in_raw=True)


def levels(*names: str) -> Or:
    return Or(tuple(Compare(FIELDS["level"], "=", name) for name in names))


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("a", A),
        ('"a b"', Word("a b")),
        ("'say \"a\"'", Word('say "a"')),
        (r'"a \"b\" \\ \d"', Word(r'a "b" \ \d')),
        ("a b", And((A, B))),
        ("a AND b and c", And((A, B, C))),
        ("a b or c", Or((And((A, B)), C))),
        ("a (b or c)", And((A, Or((B, C))))),
        ("not a", Not(A)),
        ("-a b", And((Not(A), B))),
        ("-(a or b)", Not(Or((A, B)))),
        ("NOT -a", Not(Not(A))),
        ('"or"', Word("or")),
        ("android 404", And((Word("android"), Word("404")))),
        ("10.0.0.1:80/x~y-z", Word("10.0.0.1:80/x~y-z")),
        ("服务=支付", None),
        ("service=pay", PAY),
        ("service == pay", PAY),
        ('service="a b"', Compare(SERVICE, "=", "a b")),
        ('service=""', Compare(SERVICE, "=", "")),
        ("service!=pay", Not(PAY)),
        ("message=/a?b=1&c<2", Compare(MESSAGE, "=", "/a?b=1&c<2")),
        ("(service=pay)", PAY),
        ("message=~^a.(b|c)$", Match(MESSAGE, "^a.(b|c)$")),
        ("(message=~a(b|c) a)", And((Match(MESSAGE, "a(b|c)"), A))),
        (r'message=~"\d+ \"ms\""', Match(MESSAGE, r'\d+ "ms"')),
        ("message!~x", Not(Match(MESSAGE, "x"))),
        ("level>=error", levels("ERROR", "CRITICAL")),
        ("level>warn", levels("ERROR", "CRITICAL")),
        ("level<INFO", levels("DEBUG")),
        ("level<=20", levels("DEBUG", "INFO")),
        ("level<DEBUG", Or(())),
        ("level=fatal", Compare(FIELDS["level"], "=", "CRITICAL")),
        ("level!=AUDIT", Not(Compare(FIELDS["level"], "=", "AUDIT"))),
        ("kafka_offset>=17", Compare(OFFSET, ">=", 17)),
        ("timestamp<2026-11-22T12:00+01:00", Compare(TIME, "<", datetime(2026, 11, 22, 11, tzinfo=UTC))),
        ("timestamp>=2026-11-22", Compare(TIME, ">=", datetime(2026, 11, 22, tzinfo=UTC))),
        ("raw.request_id=7", Compare(own("request_id"), "=", "7")),
        ("raw.user.id!=7", Not(Compare(own("user.id"), "=", "7"))),
        ("raw.ms>=1.5", Compare(own("ms"), ">=", "1.5")),
        ("raw=~secret", Match(FIELDS["raw"], "secret")),
    ],
)
def test_a_query_asks(text: str, asks: Query | None) -> None:
    if asks is None:
        with pytest.raises(QueryError, match="unknown field '服务'"):
            parse_query(text)
    else:
        assert parse_query(text) == asks


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("serv=pay", 0, "unknown field 'serv'; did you mean 'service'?; raw.serv is the record's own field"),
        ("a request_id=7", 2, "unknown field 'request_id'; raw.request_id is the record's own field"),
        ("raw.=7", 0, "unknown field 'raw.'"),
        ("level>=LOUD", 7, "not a level: 'LOUD'; expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("service=", 8, "expected a value after '='"),
        ("(service=)", 9, "expected a value after '='"),
        ("kafka_offset=ten", 13, "not a whole number: 'ten'"),
        ("kafka_offset=9223372036854775808", 13, "not a whole number"),
        ("kafka_offset=~1", 14, "kafka_offset is a number: compare it by ="),
        ("timestamp>noon", 10, "not a time: 'noon'; expected ISO 8601"),
        ("message=~a(", 9, "not a regular expression (RE2)"),
        ("a (b or c", 2, "this parenthesis is not closed"),
        ("a)", 1, "expected a word, a comparison, 'and' or 'or'"),
        ("()", 1, "expected a word, a comparison or '('"),
        ("a or", 4, "expected a word, a comparison or '('"),
        ("or a", 0, "expected a word or a comparison; quote it"),
        ("a and and b", 6, "expected a word or a comparison; quote it"),
        ("not", 3, "expected a word, a comparison or '('"),
        ("=a", 0, "expected a word, a comparison or '('"),
        ('a "b', 2, "this quote is not closed"),
        ('a ""', 2, "expected a text between the quotes"),
        ("(" * 51 + "a", 50, "nested deeper than 50 levels"),
    ],
)
def test_a_wrong_query_is_wrong_at_a_place(text: str, position: int, reason: str) -> None:
    with pytest.raises(QueryError) as fault:
        parse_query(text)
    assert (fault.value.position, fault.value.reason[: len(reason)]) == (position, reason)


def test_the_caret_stands_below_the_place_also_behind_wide_characters() -> None:
    with pytest.raises(QueryError) as fault:
        parse_query("超时\tlevel>=高")
    assert str(fault.value).splitlines()[1:] == ["  超时 level>=高", "              ^"]
