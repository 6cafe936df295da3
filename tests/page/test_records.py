"""A record's line marks what was looked for, and shows nothing a reader could not see; bytes are shown as they are."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from faultline.archive.search.histogram import BUCKET_SCHEMA
from faultline.archive.search.parser import parse_query
from faultline.archive.search.scan import ORDER_COLUMNS
from faultline.model import Interval
from faultline.page.bars import bars
from faultline.page.records import LIST_COLUMNS, dump, listed, marked, shown_bytes
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "patterns", "pieces"),
    [
        ("a timeout", ["(?i:TimeOut)"], [("a ", False), ("timeout", True)]),
        ("支付超时", ["超时"], [("支付", False), ("超时", True)]),
        ("abc", ["b*", "(x)(c)?"], [("a", False), ("b", True), ("c", False)]),
        ("abc", [], [("abc", False)]),
        ("abc", ["x"], [("abc", False)]),
        ("", ["x"], []),
        ("x" * 500 + "here", ["here"], [("…" + "x" * 40, False), ("here", True)]),
        ("here" + "x" * 500, ["here"], [("here", True), ("x" * 396 + "…", False)]),
        ("(a+)+$" + "a" * 300 + "!", [r"(a+)+$"], [("(a+)+$" + "a" * 300 + "!", False)]),
    ],
    ids=[
        "any case",
        "wide",
        "nothing and groups",
        "no pattern",
        "no match",
        "empty",
        "cut before",
        "cut after",
        "slow",
    ],
)
def test_matches_are_marked(text: str, patterns: list[str], pieces: list[tuple[str, bool]]) -> None:
    assert [list(each) for each in marked([text], patterns)] == [pieces]


def lines(*values: bytes, query: str = "") -> list[str]:
    events = decode(raw_table(list(values)), TopicConfig(name="app"), event_time_span=timedelta(days=7))
    rows = events.select([*ORDER_COLUMNS, *LIST_COLUMNS[1:]]).add_column(0, "topic", pa.array(["app"] * len(values)))
    return [
        "".join(f"[{text}]" if found else text for text, found in line.message)
        for line in listed(rows, parse_query(query))
    ]


def test_a_line_says_the_message_and_its_exception_or_why_there_is_none() -> None:
    assert lines(
        b'{"message": "no answer", "exc_type": "TimeoutError"}',
        b'{"message": "TimeoutError: no answer", "exc_type": "TimeoutError"}',
        b"\xff no JSON",
        query="timeout",
    ) == ["no answer ([Timeout]Error)", "[Timeout]Error: no answer", "not UTF-8: invalid start byte at byte 0"]


def test_what_a_reader_could_not_see_is_an_escape_also_where_it_would_be_a_mark() -> None:
    assert lines(b'{"message": "a\\ue000b\\ue001c\\u202e"}', query="b") == ["a\\ue000[b]\\ue001c\\u202e"]


def test_bytes_that_are_no_text_are_dumped() -> None:
    assert shown_bytes("超\tx\r\n\x1b".encode()) == ("超    x\n\\x1b", True)
    assert shown_bytes(b"\xff\x00ab") == (dump(b"\xff\x00ab"), False)
    assert dump(b"\xff\x00abc" * 4) == (
        "00000000  ff 00 61 62 63 ff 00 61 62 63 ff 00 61 62 63 ff  ..abc..abc..abc.\n"
        "00000010  00 61 62 63                                      .abc"
    )


def test_bars_stand_in_the_interval_and_are_as_high_as_they_have_records() -> None:
    counts = pa.table(
        [[NOON, NOON, NOON + 2 * MINUTE], ["INFO", "ERROR", None], [150, 50, 1]], schema=BUCKET_SCHEMA
    ).to_pylist()
    drawn = bars(counts, Interval(NOON + MINUTE / 2, NOON + 3 * MINUTE), MINUTE)
    assert [(bar.count, bar.bad, bar.height, bar.bad_height) for bar in drawn] == [
        (200, 50, 100, 25),
        (0, 0, 0, 0),
        (1, 0, 2, 0),
    ]
    assert drawn[0].bucket == Interval(NOON + MINUTE / 2, NOON + MINUTE)


def test_nothing_found_is_bars_of_no_height() -> None:
    assert [bar.height for bar in bars([], Interval(NOON, NOON + 2 * MINUTE), MINUTE)] == [0, 0]
