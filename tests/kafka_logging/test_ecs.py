"""EcsFormatter writes the Elastic Common Schema."""

from __future__ import annotations

import enum
import json
import logging
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from faultline.records.decode import decode
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig
from kafka_logging import EcsFormatter
from kafka_logging.safe import portable
from tests.kafka_logging.golden import failed, failed_because, record

FORMAT = {"extra": {"service.name": "shop", "service.environment": "test"}, "source_host": "web-1"}


class Colour(enum.Enum):
    RED = 1


def formatted(made: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(EcsFormatter(FORMAT).format(made))
    return line


def test_a_record_with_everything() -> None:
    made = record("order %s", ("a-1",), exc_info=failed(), record_id="web-1-9-1-0", request_id="r-1")
    line = formatted(made)
    assert line["error"].pop("stack_trace").endswith("ZeroDivisionError: division by zero\n")
    assert line == {
        "@timestamp": "2026-05-28T20:26:40.123Z",
        "log.level": "error",
        "message": "order a-1",
        "ecs.version": "8.11.0",
        "service.name": "shop",
        "service.environment": "test",
        "log": {
            "logger": "shop.payments",
            "origin": {"file": {"name": "payments.py", "line": 42}, "function": "pay"},
        },
        "process": {"pid": 99, "name": "MainProcess", "thread": {"id": 7, "name": "MainThread"}},
        "host": {"name": "web-1"},
        "event": {"id": "web-1-9-1-0"},
        "error": {"type": "ZeroDivisionError", "message": "division by zero"},
        "request_id": "r-1",
    }


def test_the_first_keys_are_in_the_order_of_the_logging_specification() -> None:
    assert list(formatted(record()))[:4] == ["@timestamp", "log.level", "message", "ecs.version"]


def test_extras_never_take_the_place_of_the_schema() -> None:
    line = formatted(record(log="mine", host="mine too", labels={"zone": "a"}))
    assert line["log"]["logger"] == "shop.payments"
    assert line["host"] == {"name": "web-1"}
    assert line["labels"] == {"zone": "a", "log": "mine", "host": "mine too"}


def test_extras_that_are_no_json_are_kept_as_text() -> None:
    line = formatted(record(colour=Colour.RED, keys={(1, 2): float("nan")}))
    assert line["colour"] == "Colour.RED"
    assert line["keys"] == {"(1, 2)": None}


def test_a_dict_as_the_message_is_extras() -> None:
    line = formatted(record({"order": "a-1"}))
    assert (line["message"], line["order"]) == ("", "a-1")


@pytest.mark.parametrize("before", [False, True], ids=["alone", "after a plain formatter"])
def test_what_other_formatters_leave_in_a_record_is_no_extra(before: bool) -> None:
    made = record(exc_info=failed_because())
    expected = set(formatted(made))
    if before:
        logging.Formatter("%(asctime)s %(message)s").format(made)
    assert set(formatted(made)) == expected


def test_a_cut_copy_keeps_type_and_stack() -> None:
    error = formatted(portable(record(exc_info=failed()), 200))["error"]
    assert error["type"] == "ZeroDivisionError"
    assert error["stack_trace"].startswith("Traceback")


def test_stack_info_is_a_stack_trace() -> None:
    assert formatted(record(stack_info="Stack …"))["error"] == {"stack_trace": "Stack …"}


def test_faultline_reads_it() -> None:
    made = record("order %s", ("a-1",), exc_info=failed(), record_id="web-1-9-1-0")
    value = EcsFormatter(FORMAT).format_bytes(made)
    columns = [["g"], [0], [0], [1780000000000000], [None], [value]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, RAW_SCHEMA, strict=True)]
    events = decode(
        pa.table(arrays, schema=RAW_SCHEMA), TopicConfig(name="app-logs"), event_time_span=timedelta(days=3650)
    )
    (event,) = events.to_pylist()
    names = ("level", "service", "environment", "host", "logger", "message", "exception_type", "record_id")
    assert [event[name] for name in names] == [
        "ERROR", "shop", "test", "web-1", "shop.payments", "order a-1", "ZeroDivisionError", "web-1-9-1-0",
    ]  # fmt: skip
