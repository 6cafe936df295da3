"""Whatever is in a record, a formatter makes one line of strict JSON of it."""

from __future__ import annotations

import json
import logging
import math
import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_logging import EcsFormatter, LogstashFormatter, LogstashFormatterV1, json_lines
from tests.kafka_logging.golden import FORMAT, failed, record


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def formatted(made: logging.LogRecord, fmt: str | None = FORMAT, **options: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(LogstashFormatter(fmt, **options).format(made))
    return line


@pytest.fixture(params=["orjson", "json"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with orjson and once without, as on a machine where it is not installed."""
    if request.param == "json":
        monkeypatch.setattr(json_lines, "orjson", None)
    return str(request.param)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (1780000000.123456, "2026-05-28T20:26:40.123456Z"),
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1780000000.9999999, "2026-05-28T20:26:41.000000Z"),
    ],
)
def test_timestamp_is_the_time_of_the_record(created: float, expected: str) -> None:
    made = record()
    made.created = created
    assert formatted(made)["@timestamp"] == expected


def test_text_in_braces_is_no_template() -> None:
    assert formatted(record("{process} {name.__class__}"))["@message"] == "{process} {name.__class__}"


def test_str_format_can_be_asked_for() -> None:
    fmt = '{"str_format": true}'
    assert formatted(record("order of {user}", user="ann"), fmt)["@message"] == "order of ann"
    assert formatted(record("{missing} {user.nothing}", user="ann"), fmt)["@message"] == "{missing} {user.nothing}"


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(number: float) -> None:
    line = formatted(record(ratio=number, nested=[number]))
    assert line["@fields"]["ratio"] is None
    assert line["@fields"]["nested"] == [None]


@pytest.mark.usefixtures("encoder")
def test_lone_surrogates_become_visible() -> None:
    line = LogstashFormatter().format_bytes(record("file %s", ("\udcff.txt",)))
    assert json.loads(line)["@message"] == "file \\udcff.txt"


@pytest.mark.usefixtures("encoder")
def test_values_that_raise_and_structures_that_hold_themselves_are_kept_as_text() -> None:
    loop: list[Any] = []
    loop.append(loop)
    fields = formatted(record(broken=Broken(), loop=loop, keys={Broken(): 1, (1, 2): 2}))["@fields"]
    assert fields["broken"] == "<Broken: RuntimeError>"
    assert list(fields["keys"]) == ["<Broken: RuntimeError>", "(1, 2)"]
    assert "..." in json.dumps(fields["loop"])


@pytest.mark.parametrize(
    ("exc_info", "expected"),
    [
        (failed(), "ZeroDivisionError"),
        ((json.JSONDecodeError, json.JSONDecodeError("no", "", 0), None), "json.decoder.JSONDecodeError"),
        (ValueError("no tuple"), "ValueError"),
        ((None, None, None), None),
        ("some text", None),
    ],
    ids=["builtin", "of a module", "the error itself", "none", "text"],
)
def test_exc_type_names_the_exception_as_the_traceback_does(exc_info: Any, expected: str | None) -> None:
    assert formatted(record(exc_info=exc_info))["@fields"].get("exc_type") == expected


def test_a_json_encoder_class_is_used() -> None:
    class Upper(json.JSONEncoder):
        def encode(self, o: Any) -> str:
            return super().encode(o).upper()

    assert '"@MESSAGE"' in LogstashFormatter(json_cls=Upper).format(record())


def test_json_default_decides_on_unknown_types() -> None:
    line = formatted(record(tags={"b"}), json_default=sorted)
    assert line["@fields"]["tags"] == ["b"]


def test_json_default_decides_on_types_that_orjson_has_words_for() -> None:
    line = formatted(
        record(ids=[uuid.UUID(int=5)], at=date(2026, 5, 1)), json_default=lambda value: type(value).__name__
    )
    assert line["@fields"]["ids"] == ["UUID"]
    assert line["@fields"]["at"] == "date"


@pytest.mark.parametrize("created", [0.0, 1780000000.0, 1780000000.9999996, 1780000000.999999, 1780000001.0000004])
def test_the_timestamp_is_the_nearest_microsecond(created: float) -> None:
    formatter = LogstashFormatter()
    for each in (1780000000.5, created, 1779999999.25, created):
        made = record()
        made.created = each
        written = json.loads(formatter.format(made))["@timestamp"]
        expected = datetime(1970, 1, 1) + timedelta(microseconds=round(each * 1e6))  # noqa: DTZ001 - as it is written
        assert written == expected.isoformat(timespec="microseconds") + "Z"


def test_what_holds_itself_ends_somewhere() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert formatted(record(loop=loop))["@fields"]["loop"][0] == 1


def test_a_format_that_is_not_json_is_refused() -> None:
    with pytest.raises(json.JSONDecodeError):
        LogstashFormatter("%(message)s")


def test_the_line_is_utf8_on_one_line() -> None:
    line = LogstashFormatter().format_bytes(record("付款\n失败"))
    assert "付款\\n失败".encode() in line
    assert b"\n" not in line


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.dates()
    | st.builds(Broken),
    lambda inner: st.lists(inner) | st.dictionaries(st.none() | st.integers() | st.text(), inner),
    max_leaves=8,
)


@given(extras=st.dictionaries(st.text(min_size=1), anything), args=st.lists(anything), msg=anything)
def test_every_record_becomes_one_line_of_strict_json(extras: dict[str, Any], args: list[Any], msg: Any) -> None:
    made = record(msg if isinstance(msg, str | dict) else "m")
    made.__dict__.update({name: value for name, value in extras.items() if name not in made.__dict__})
    made.__dict__["more"] = args
    for formatter in (LogstashFormatter(), LogstashFormatterV1(), EcsFormatter()):
        line = formatter.format_bytes(made)
        assert isinstance(json.loads(line, parse_constant=pytest.fail), dict)
        line.decode()


def test_handlers_before_and_after_see_the_same_record() -> None:
    made = record(exc_info=failed())
    before = dict(made.__dict__)
    LogstashFormatter().format(made)
    assert made.__dict__ == before
