"""What a record means: one case per shape a service, a proxy or an accident may write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faultline.records.decode import decode, decoded_schema
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig, TopicFields

SPAN = timedelta(days=7)
JSON = TopicConfig(name="app")
NGINX = TopicConfig(
    name="web", format="nginx", service="gateway", count_labels=("status", "method", "path", "http_referer")
)
TEXT = TopicConfig(name="text", format="text")

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nshop.errors.CardRefused: no\n'
CHAINED = (
    "Traceback (most recent call last):\n  x\nKeyError: 1\n\nThe above exception was the direct cause of the following "
    "exception:\n\nTraceback (most recent call last):\n  y\nValueError: two\nlines: of text"
)
JAVA = "java.lang.IllegalStateException: closed\n\tat a.b.C.d(C.java:1)\nCaused by: java.io.IOException: x"


def decoded(value: bytes | None, topic: TopicConfig = JSON, at: datetime | None = NOON) -> dict[str, Any]:
    table = decode(raw_table([value], at=at), topic, event_time_span=SPAN)
    assert table.schema == decoded_schema(topic)
    [row] = table.to_pylist()
    return row


def at(hour: int, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    return datetime(2026, 11, 22, hour, minute, second, micro, tzinfo=UTC)


V0 = {
    "@message": "paid",
    "@timestamp": "2026-11-22T11:59:58.250Z",
    "@source_host": "web-1",
    "@fields": {"levelname": "INFO", "name": "shop.pay", "appName": "pay", "environment": "prod", "record_id": "h-1"},
}
WHOLE = {
    "timestamp": at(11, 59, 58, 250_000),
    "time_source": "record",
    "level": "INFO",
    "service": "pay",
    "environment": "prod",
    "host": "web-1",
    "logger": "shop.pay",
    "message": "paid",
    "record_id": "h-1",
    "parse_error": None,
}
V1 = {key: value for key, value in V0.items() if key == "@timestamp"} | {
    "message": "paid", "source_host": "web-1", "levelname": "INFO", "name": "shop.pay", "appName": "pay",
    "environment": "prod", "record_id": "h-1",
}  # fmt: skip
ECS_DOTTED = {
    "@timestamp": "2026-11-22T11:59:58.250Z", "message": "paid", "log.level": "info", "log.logger": "shop.pay",
    "service.name": "pay", "service.environment": "prod", "host.name": "web-1", "event.id": "h-1",
}  # fmt: skip
ECS_NESTED = {
    "@timestamp": "2026-11-22T11:59:58.250Z", "message": "paid", "log": {"level": "info", "logger": "shop.pay"},
    "service": {"name": "pay", "environment": "prod"}, "host": {"name": "web-1", "ip": ["10.0.0.1"]},
    "event": {"id": "h-1"},
}  # fmt: skip


@pytest.mark.parametrize("record", [V0, V1, ECS_DOTTED, ECS_NESTED], ids=["v0", "v1", "ecs dotted", "ecs nested"])
def test_the_known_shapes_say_the_same(record: dict[str, Any]) -> None:
    row = decoded(json.dumps(record).encode())
    assert {name: row[name] for name in WHOLE} == WHOLE


FIELDS = {
    "warn": ({"level": "warn"}, {"level": "WARNING"}),
    "fatal": ({"level": "FATAL"}, {"level": "CRITICAL"}),
    "python number": ({"level": 40}, {"level": "ERROR"}),
    "python number between names": ({"level": 25}, {"level": "INFO"}),
    "number as text": ({"level": "30"}, {"level": "WARNING"}),
    "syslog number": ({"severity": 3}, {"level": "ERROR"}),
    "syslog word": ({"severity": "emerg"}, {"level": "CRITICAL"}),
    "own word": ({"level": "audit"}, {"level": "AUDIT"}),
    "blank level": ({"level": "  "}, {"level": None}),
    "no level": ({"message": "x"}, {"level": None, "fingerprint": None}),
    "first name wins": ({"levelname": "INFO", "level": "ERROR"}, {"level": "INFO"}),
    "empty gives way": ({"levelname": "", "level": "ERROR"}, {"level": "ERROR"}),
    "null gives way": ({"levelname": None, "level": "ERROR"}, {"level": "ERROR"}),
    "an object is no service": ({"service": {"id": 1}, "app": "pay"}, {"service": "pay"}),
    "number as service": ({"service": 7}, {"service": "7"}),
    "object as message": ({"message": {"a": [1, "ü"]}}, {"message": '{"a":[1,"ü"]}'}),
    "truth as message": ({"msg": False}, {"message": "false"}),
    "fraction as message": ({"msg": 0.5}, {"message": "0.5"}),
    "list of lines": ({"exception": TRACEBACK.splitlines(True)}, {"stack_trace": TRACEBACK}),
    "list without line ends": ({"exception": ["a", "b"]}, {"stack_trace": "a\nb"}),
    "python type": ({"exc_info": TRACEBACK}, {"exception_type": "shop.errors.CardRefused"}),
    "last of a python chain": ({"exc_info": CHAINED}, {"exception_type": "ValueError"}),
    "java type": ({"stack_trace": JAVA}, {"exception_type": "java.lang.IllegalStateException"}),
    "stack without a type": ({"stack_trace": "at 0x1\nat 0x2"}, {"exception_type": None}),
    "named type": ({"error": {"type": "E", "stack_trace": TRACEBACK}}, {"exception_type": "E"}),
    "surrounding space": ({"level": " warning\t"}, {"level": "WARNING"}),
    "brackets": ({"level": "[crit]"}, {"level": "CRITICAL"}),
    "syslog prefix": ({"level": "<3>"}, {"level": "ERROR"}),
    "colours": ({"level": "\x1b[31mError\x1b[0m"}, {"level": "ERROR"}),
    "java": ({"level": "SEVERE"}, {"level": "ERROR"}),
    "java's finest": ({"level": "Finest"}, {"level": "DEBUG"}),
    "go": ({"level": "dpanic"}, {"level": "CRITICAL"}),
    ".net": ({"level": "fail"}, {"level": "ERROR"}),
    "serilog": ({"level": "FTL"}, {"level": "CRITICAL"}),
    "a level of python's without a name": ({"level": "Level 35"}, {"level": "WARNING"}),
    "eight is on no scale": ({"level": 8}, {"level": "8"}),
    "negative": ({"level": -4}, {"level": "-4"}),
    "a truth is no level": ({"level": True}, {"level": "TRUE"}),
    "a huge number is as bad as can be": ({"level": 999_999_999}, {"level": "CRITICAL"}),
    "huger is no number": ({"level": 10**30}, {"level": "1E+30"}),
    "offset": ({"time": "2026-11-22T20:00:00+08:00"}, {"timestamp": at(12), "time_source": "record"}),
    "compact offset": ({"time": "2026-11-22T20:00:00+0800"}, {"timestamp": at(12), "time_source": "record"}),
    "no offset means utc": ({"time": "2026-11-22T11:00:00"}, {"timestamp": at(11), "time_source": "record"}),
    "asctime": ({"time": "2026-11-22 11:00:00,123"}, {"timestamp": at(11, micro=123_000), "time_source": "record"}),
    "nine digits": ({"ts": "2026-11-22T11:00:00.123456789Z"}, {"timestamp": at(11, micro=123_456)}),
    "seconds": ({"ts": 1795345200}, {"timestamp": at(11)}),
    "fractional seconds": ({"ts": 1795345200.25}, {"timestamp": at(11, micro=250_000)}),
    "milliseconds": ({"ts": 1795345200250}, {"timestamp": at(11, micro=250_000)}),
    "microseconds": ({"ts": 1795345200250001}, {"timestamp": at(11, micro=250_001)}),
    "nanoseconds": ({"ts": 1795345200250001999}, {"timestamp": at(11, micro=250_001)}),
    "seconds as text": ({"ts": "1795345200.25"}, {"timestamp": at(11, micro=250_000)}),
    "nginx time": ({"time": "22/Nov/2026:13:00:00 +0200"}, {"timestamp": at(11)}),
    "nginx error time": ({"time": "2026/11/22 11:00:00"}, {"timestamp": at(11)}),
    "go time": ({"time": "2026-11-22 12:00:00.5 +0100 CET"}, {"timestamp": at(11, micro=500_000)}),
    "utc by name": ({"time": "2026-11-22 11:00:00 UTC"}, {"timestamp": at(11)}),
    "small z": ({"time": "2026-11-22t11:00:00z"}, {"timestamp": at(11)}),
    "compact": ({"time": "20261122T110000Z"}, {"timestamp": at(11)}),
    "leap second": ({"time": "2026-11-22T11:59:60Z"}, {"timestamp": at(12)}),
    "space around": ({"time": " 2026-11-22T11:00:00Z "}, {"timestamp": at(11)}),
    "offset of a day": ({"time": "2026-11-22T11:00:00+24:00"}, {"timestamp": NOON, "time_source": "kafka"}),
    "month 13": ({"time": "2026-13-01"}, {"timestamp": NOON, "time_source": "kafka"}),
    "year 0": ({"time": "0000-01-01T00:00:00Z"}, {"timestamp": NOON, "time_source": "kafka"}),
    "no time": ({"message": "x"}, {"timestamp": NOON, "time_source": "kafka"}),
    "nonsense time": ({"ts": "yesterday"}, {"timestamp": NOON, "time_source": "kafka"}),
    "31 February": ({"ts": "2026-02-31T00:00:00Z"}, {"timestamp": NOON, "time_source": "kafka"}),
    "far past": ({"ts": "1999-01-01T00:00:00Z"}, {"timestamp": NOON, "time_source": "kafka"}),
    "far future": ({"ts": 2**62}, {"timestamp": NOON, "time_source": "kafka"}),
    "number beyond 64 bits": ({"ts": 10**30}, {"timestamp": NOON, "time_source": "kafka"}),
    "just inside the span": ({"ts": "2026-11-15T12:00:00Z"}, {"time_source": "record"}),
    "just outside": ({"ts": "2026-11-15T11:59:59.999999Z"}, {"time_source": "kafka"}),
}


@pytest.mark.parametrize(("record", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field_means(record: dict[str, Any], expected: dict[str, Any]) -> None:
    row = decoded(json.dumps(record).encode())
    assert {name: row[name] for name in expected} == expected
    assert row["parse_error"] is None


UNREADABLE = {
    "tombstone": (None, "no value: the message is a tombstone"),
    "empty": (b"", "empty value"),
    "blank": (b"  ", "not JSON: Expecting value: line 1 column 3 (char 2)"),
    "text": (b"hello", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "cut short": (b'{"a": "b', "not JSON: Unterminated string starting at: line 1 column 7 (char 6)"),
    "two objects": (b"{}{}", "not JSON: Extra data: line 1 column 3 (char 2)"),
    "two lines": (b"{}\n{}", "not JSON: Extra data: line 2 column 1 (char 3)"),
    "list": (b"[1]", "not a JSON object: a list"),
    "number": (b"17", "not a JSON object: a number"),
    "null": (b"null", "not a JSON object: null"),
    "not UTF-8": (b'{"message": "\xff"}', "not UTF-8: invalid start byte at byte 13"),
    "not UTF-8 in a field nobody reads": (b'{"x": "\xc3("}', "not UTF-8: invalid continuation byte at byte 7"),
    "a megabyte of noise": (b"x" * 2**20, "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "bottomless": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON: nested too deeply"),
    "control character": (b'{"a": "\x01"}', "not JSON: Invalid control character at: line 1 column 8 (char 7)"),
}


@pytest.mark.parametrize(("value", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_no_parser_understands_is_a_row_that_says_why(value: bytes | None, reason: str) -> None:
    good = json.dumps(V0).encode()
    before, row, after = decode(raw_table([good, value, good]), JSON, event_time_span=SPAN).to_pylist()
    assert row["parse_error"] == reason
    assert (row["raw"], row["message"], row["level"]) == (value, None, None)
    assert (row["timestamp"], row["time_source"], row["kafka_offset"]) == (NOON, "kafka", 1)
    assert before["message"] == after["message"] == "paid"


READABLE = {
    "NaN": (b'{"message": "x", "load": NaN}', "x"),
    "unpaired surrogate": (b'{"message": "a\\udcff"}', "a?"),
    "emoji": ('{"message": "\\ud83d\\ude00 \u00e9t\u00e9"}'.encode(), "😀 été"),
    "NUL": (b'{"message": "a\\u0000b"}', "a\0b"),
    "byte order mark": (b'\xef\xbb\xbf{"message": "x"}', "x"),
    "pretty printed": (b'{\n  "message": "x"\n}\n', "x"),
    "CRLF": (b'{"message": "x"}\r\n', "x"),
    "said twice": (b'{"message": "x", "message": "y"}', "y"),
    "a megabyte of message": (b'{"message": "' + b"x" * 2**20 + b'"}', "x" * 2**20),
}


@pytest.mark.parametrize(("value", "message"), READABLE.values(), ids=READABLE)
def test_what_writers_really_send_is_read(value: bytes, message: str) -> None:
    row = decoded(value)
    assert (row["message"], row["parse_error"], row["raw"]) == (message, None, value)


LINE = '10.0.0.9 - bob smith [22/Nov/2026:11:59:58 +0000] "GET /cart?id=7 HTTP/1.1" {} 512 "-" "curl/8"'


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, "INFO"), (304, "INFO"), (404, "WARNING"), (499, "WARNING"), (500, "ERROR"), (503, "ERROR")],
)
def test_an_nginx_line_is_as_bad_as_its_status(status: int, level: str) -> None:
    row = decoded(LINE.format(status).encode(), NGINX)
    assert (row["level"], row["message"]) == (level, f"GET /cart?id=7 HTTP/1.1 {status}")
    assert (row["service"], row["timestamp"], row["label.status"]) == ("gateway", at(11, 59, 58), str(status))
    assert (row["label.method"], row["label.path"], row["label.http_referer"]) == ("GET", "/cart", None)
    assert (row["fingerprint"] is not None) == (level != "INFO")


NGINX_ODD = {
    "common format": (b'1.2.3.4 - - [22/Nov/2026:11:59:58 +0000] "GET / HTTP/1.1" 200 5', None),
    "with line end": (LINE.format(200).encode() + b"\n", None),
    "not http": (b'1.2.3.4 - - [22/Nov/2026:11:59:58 +0000] "\\x16\\x03" 400 0 "-" "-"', None),
    "json": (b'{"message": "x"}', "not in nginx's combined format"),
    "empty": (b"", "empty value"),
    "tombstone": (None, "no value: the message is a tombstone"),
    "not UTF-8": (b"\xff", "not UTF-8: invalid start byte at byte 0"),
}


@pytest.mark.parametrize(("value", "error"), NGINX_ODD.values(), ids=NGINX_ODD)
def test_an_odd_line_among_nginx_lines(value: bytes | None, error: str | None) -> None:
    good = LINE.format(200).encode()
    rows = decode(raw_table([good, value, good]), NGINX, event_time_span=SPAN).to_pylist()
    assert [row["parse_error"] for row in rows] == [None, error, None]
    assert (rows[1]["raw"], rows[1]["service"]) == (value, "gateway")


TEXTS = {
    "python": (b"2026-11-22 11:59:58,250 ERROR shop.pay: refused", "ERROR", at(11, 59, 58, 250_000)),
    "bracketed": (b"[2026-11-22T11:59:58Z] [warn] slow", "WARNING", at(11, 59, 58)),
    "nothing": (b"hello world\r\n", None, NOON),
    "level inside a word": (b"TERRORS everywhere", None, NOON),
}


@pytest.mark.parametrize(("value", "level", "timestamp"), TEXTS.values(), ids=TEXTS)
def test_a_text_line(value: bytes, level: str | None, timestamp: datetime) -> None:
    row = decoded(value, TEXT)
    assert (row["message"], row["level"], row["timestamp"]) == (value.decode().strip(), level, timestamp)


PINO = {"10": "DEBUG", "20": "DEBUG", "30": "INFO", "40": "WARNING", "50": "ERROR", "60": "CRITICAL"}


@pytest.mark.parametrize(
    ("level", "expected"), [(30, "INFO"), (60, "CRITICAL"), ("[audit]", "WARNING"), ("warn", "WARNING")]
)
def test_a_topic_says_what_its_levels_mean(level: object, expected: str) -> None:
    topic = TopicConfig(name="app", levels=PINO | {"AUDIT": "WARNING"})
    assert decoded(json.dumps({"level": level}).encode(), topic)["level"] == expected


@pytest.mark.parametrize(
    ("time", "hour", "minute"),
    [
        ("2026-11-22 11:30:00", 10, 30),
        ("2026-11-22T11:30:00,000", 10, 30),
        ("2026/11/22 11:30:00", 10, 30),
        ("2026-11-22T11:30:00Z", 11, 30),
        ("2026-11-22T11:30:00+08:00", 3, 30),
        ("22/Nov/2026:11:30:00 +0000", 11, 30),
        ("1795347000", 11, 30),
    ],
)
def test_a_topic_names_the_zone_of_times_without_an_offset(time: str, hour: int, minute: int) -> None:
    berlin = TopicConfig(name="app", timezone="Europe/Berlin")
    row = decoded(json.dumps({"time": time}).encode(), berlin)
    assert (row["timestamp"], row["time_source"]) == (at(hour, minute), "record")


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # comes twice: the first
        ("2026-03-29 02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # never comes
    ],
)
def test_a_wall_clocks_odd_hours_are_read(wall: str, utc: datetime) -> None:
    berlin = TopicConfig(name="app", timezone="Europe/Berlin")
    assert decoded(json.dumps({"time": wall}).encode(), berlin, at=None)["timestamp"] == utc


@pytest.mark.parametrize(
    "record",
    [
        {"kubernetes.labels.app.example/name": "pay"},
        {"kubernetes": {"labels": {"app.example/name": "pay"}}},
        {"kubernetes": {"labels.app": {"example/name": "pay"}}},
        {"@fields": {"kubernetes.labels": {"app.example/name": "pay"}}},
    ],
)
def test_a_name_with_dots_is_a_key_or_a_path_or_both(record: dict[str, Any]) -> None:
    topic = TopicConfig(name="app", fields=TopicFields(service=("kubernetes.labels.app.example/name",)))
    assert decoded(json.dumps(record).encode(), topic)["service"] == "pay"


LOG_FORMAT = """log_format main '$remote_addr [$time_local] "$request" $status '
                '"$http_user_agent" host=${server_name} ups="$upstream_addr" rt=$upstream_response_time';"""


def test_a_log_format_says_what_stands_where() -> None:
    topic = TopicConfig(
        name="web", format="nginx", log_format=LOG_FORMAT, fields=TopicFields(service="server_name"),
        count_labels=("upstream_addr", "upstream_response_time", "path"),
    )  # fmt: skip
    line = (
        rb'10.0.0.9 [22/Nov/2026:11:59:58 +0000] "GET /cart?id=\x22 HTTP/1.1" 502 "curl \"8\"" '
        rb'host=shop ups="10.0.0.1:80, 10.0.0.2:80" rt=0.1, 0.002 : -'
    )
    row = decoded(line, topic)
    assert (row["level"], row["service"], row["timestamp"]) == ("ERROR", "shop", at(11, 59, 58))
    assert row["message"] == r"GET /cart?id=\x22 HTTP/1.1 502"
    assert (row["label.upstream_addr"], row["label.path"]) == ("10.0.0.1:80, 10.0.0.2:80", "/cart")
    assert row["label.upstream_response_time"] == "0.1, 0.002 : -"


NGINX_FORMATS = {
    "msec is the most exact": (
        "$msec $time_local $status", b"1795345200.250 22/Nov/2026:11:59:58 +0000 200", at(11, micro=250_000), "INFO",
    ),
    "iso": ("$time_iso8601|$status", b"2026-11-22T12:00:00+01:00|404", at(11), "WARNING"),
    "without a status": ("$time_iso8601 $host", b"2026-11-22T12:00:00+01:00 a", at(11), None),
    "without a time": ("$status $host", b"500 a", NOON, "ERROR"),
    "adjacent": ("$scheme://$host$request_uri $status", b"https://a.b/c?d 500", NOON, "ERROR"),
}  # fmt: skip


@pytest.mark.parametrize(("log_format", "line", "time", "level"), NGINX_FORMATS.values(), ids=NGINX_FORMATS)
def test_a_line_of_a_log_format_means(log_format: str, line: bytes, time: datetime, level: str | None) -> None:
    row = decoded(line, TopicConfig(name="web", format="nginx", log_format=log_format))
    assert (row["timestamp"], row["level"], row["parse_error"]) == (time, level, None)


def test_a_line_of_another_log_format_says_so() -> None:
    topic = TopicConfig(name="web", format="nginx", log_format="$status $time_iso8601")
    row = decoded(b"hello", topic)
    assert (row["parse_error"], row["message"], row["level"]) == ("not in nginx's log_format", None, None)


PATTERNS = TopicConfig(
    name="text", format="text", count_labels=("user", "thread"),
    patterns=(
        r"^(?P<timestamp>\S+ \S+) \[(?P<thread>[^\]]*)\] (?P<level>\w+) +(?P<logger>\S+) - (?P<message>.*)"
        r"(?:\n(?P<stack_trace>(?s:.*)))?$",
        r"^(?P<severity>[A-Z])(?P<time>\d+) (?P<user>\w*)",
    ),
)  # fmt: skip


def test_the_first_pattern_that_matches_reads_the_line() -> None:
    row = decoded(b"2026-11-22 11:59:58,250 [main] WARN  shop.Pay - slow\n" + JAVA.encode(), PATTERNS)
    assert (row["timestamp"], row["level"], row["logger"]) == (at(11, 59, 58, 250_000), "WARNING", "shop.Pay")
    assert (row["message"], row["stack_trace"], row["label.thread"]) == ("slow", JAVA, "main")
    assert row["exception_type"] == "java.lang.IllegalStateException"


def test_a_later_pattern_reads_what_earlier_ones_do_not() -> None:
    lines = [b"E1795345200 ann: no", b"hello", b"2026-11-22 11:59:58 [] INFO x - y", b"I1795345200 "]
    rows = decode(raw_table(lines), PATTERNS, event_time_span=SPAN).to_pylist()
    assert [row["level"] for row in rows] == ["ERROR", None, "INFO", "INFO"]
    assert [row["label.user"] for row in rows] == ["ann", None, None, None]
    assert [row["message"] for row in rows] == ["E1795345200 ann: no", None, "y", "I1795345200 "]
    assert [row["parse_error"] for row in rows] == [None, "matches none of the topic's patterns", None, None]


def test_a_text_with_a_stack_trace_is_a_message_and_a_stack_trace() -> None:
    row = decoded(b"2026-11-22 11:59:58,250 ERROR shop.pay: refused\n" + TRACEBACK.encode(), TEXT)
    assert row["message"] == "2026-11-22 11:59:58,250 ERROR shop.pay: refused"
    assert (row["stack_trace"], row["exception_type"]) == (TRACEBACK.rstrip(), "shop.errors.CardRefused")


def test_count_labels_ride_beside_the_columns() -> None:
    topic = TopicConfig(name="app", count_labels=("status", "http.route", "tenant", "nobody"))
    row = decoded(b'{"status": 500, "http": {"route": "/a"}, "@fields": {"tenant": "t1"}}', topic)
    labels = {name: row[f"label.{name}"] for name in topic.count_labels}
    assert labels == {"status": "500", "http.route": "/a", "tenant": "t1", "nobody": None}


def test_a_topic_names_the_service_of_records_that_do_not() -> None:
    topic = TopicConfig(name="app", service="legacy", environment="prod")
    rows = decode(raw_table([b'{"service": "new"}', b"{}", b"broken"]), topic, event_time_span=SPAN).to_pylist()
    assert [(row["service"], row["environment"]) for row in rows] == [
        ("new", "prod"),
        ("legacy", "prod"),
        ("legacy", "prod"),
    ]


def test_without_kafkas_timestamp_the_records_own_is_taken() -> None:
    assert decoded(b'{"ts": "1999-01-01T00:00:00Z"}', at=None)["timestamp"].year == 1999
    assert decoded(b"{}", at=None)["timestamp"] == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("ts", ["-99999999999", "-60000000000", "0999-12-31T23:59:59Z"])
def test_a_time_without_a_year_of_four_digits_is_none(ts: str) -> None:
    assert decoded(json.dumps({"ts": ts}).encode(), at=None)["timestamp"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_empty_batch_has_the_columns() -> None:
    topic = TopicConfig(name="app", count_labels=("status",))
    assert decode(raw_table([]), topic, event_time_span=SPAN).schema == decoded_schema(topic)
