"""Our Logstash formatters beside logstash_formatter 0.5.17 itself, over the same records."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import logstash_formatter
import pytest

from kafka_logging import LogstashFormatter, LogstashFormatterV1, json_lines
from tests.kafka_logging.golden import CASES, FORMAT, failed, record

PEERS: dict[str, tuple[type[logging.Formatter], Callable[..., logging.Formatter]]] = {
    "V0": (LogstashFormatter, logstash_formatter.LogstashFormatter),
    "V1": (LogstashFormatterV1, logstash_formatter.LogstashFormatterV1),
}
PLAIN = logging.Formatter("%(asctime)s %(message)s")


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def loop() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


@pytest.fixture(params=["orjson", "json"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with orjson and once without, as on a machine where it is not installed."""
    if request.param == "json":
        monkeypatch.setattr(json_lines, "orjson", None)
    return str(request.param)


@pytest.fixture(params=PEERS)
def peers(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Our formatter and theirs."""
    ours, theirs = PEERS[request.param]
    return ours, theirs


def comparable(line: str) -> str:
    """A line without what differs always: the time, which is theirs of the formatter, and ``exc_type``, ours alone."""
    fields = json.loads(line)
    if fields.get("@timestamp") != "a":  # one case has this field in the record
        del fields["@timestamp"]
    fields.pop("exc_type", None)
    fields.get("@fields", {}).pop("exc_type", None)
    return json.dumps(fields)


def test_there_are_records_enough() -> None:
    assert len(CASES) >= 40


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("plain_first", [False, True], ids=["alone", "after a plain formatter"])
@pytest.mark.parametrize("name", CASES)
def test_same_keys_order_and_values(peers: tuple[Any, Any], name: str, plain_first: bool) -> None:
    ours, theirs = peers
    fmt, build = CASES[name]
    made = build()
    if plain_first:
        PLAIN.format(made)
    assert comparable(ours(fmt).format(made)) == comparable(theirs(fmt).format(made))


WE_KEEP_IT = {
    "a key that is a tuple": (lambda: record(stock={(1, 2): 3}), TypeError, {"stock": {"(1, 2)": 3}}),
    "a value that has no text": (lambda: record(bad=Broken()), RuntimeError, {"bad": "<Broken: RuntimeError>"}),
    "a list that holds itself": (lambda: record(bad=loop()), ValueError, {}),
    "exc_info in a dict that is no exception": (
        lambda: record({"exc_info": "failed"}),
        TypeError,
        {"exception": ["failed"]},
    ),
}


@pytest.mark.parametrize("name", WE_KEEP_IT)
def test_records_that_it_raises_on_are_kept(peers: tuple[Any, Any], name: str) -> None:
    build, error, expected = WE_KEEP_IT[name]
    ours, theirs = peers
    with pytest.raises(error):
        theirs(FORMAT).format(build())
    line = json.loads(ours(FORMAT).format(build()))
    assert expected.items() <= line.get("@fields", line).items()


WE_DIFFER = {
    "a template in user text reads the record's attributes: injection": (
        lambda: record("{process} {name.__class__}"),
        lambda line: line.get("@message", line.get("message")),
        "99 <class 'str'>",
        "{process} {name.__class__}",
    ),
    "NaN is no JSON": (
        lambda: record(ratio=math.nan),
        lambda line: repr(line.get("@fields", line)["ratio"]),
        "nan",
        "None",
    ),
    "infinity is no JSON": (
        lambda: record(ratio=-math.inf),
        lambda line: repr(line.get("@fields", line)["ratio"]),
        "-inf",
        "None",
    ),
    "half a character is no UTF-8": (
        lambda: record(path="\udcff"),
        lambda line: line.get("@fields", line)["path"],
        "\udcff",
        "\\udcff",
    ),
    "exc_type is ours": (
        lambda: record(exc_info=failed()),
        lambda line: line.get("@fields", line).get("exc_type"),
        None,
        "ZeroDivisionError",
    ),
}


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("reason", WE_DIFFER)
def test_we_differ_on_purpose(peers: tuple[Any, Any], reason: str) -> None:
    build, look, their_value, our_value = WE_DIFFER[reason]
    ours, theirs = peers
    assert look(json.loads(theirs(FORMAT).format(build()))) == their_value
    assert look(json.loads(ours(FORMAT).format(build()))) == our_value


@pytest.mark.parametrize(
    ("ours", "expected"),
    [(LogstashFormatter, "2026-05-28T20:26:40.123456Z"), (LogstashFormatterV1, "2026-05-28T20:26:40.123Z")],
)
def test_the_timestamp_is_the_records_in_their_resolution(ours: Callable[[], logging.Formatter], expected: str) -> None:
    assert json.loads(ours().format(record()))["@timestamp"] == expected


def test_str_format_when_asked_for_is_theirs(peers: tuple[Any, Any]) -> None:
    ours, theirs = peers
    fmt = '{"str_format": true, "source_host": "web-1"}'
    for message in ("order of {user}", "{missing} {user}", "{user.nothing}", "{0} {", "{user:>{width}}"):
        made = record(message, user="ann")
        assert comparable(ours(fmt).format(made)) == comparable(theirs(fmt).format(made))
