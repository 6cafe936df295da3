"""What a logging handler kept back is known by its own summaries, in whichever shape they are written."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from faultline.alerting.floods import flood_counts
from faultline.model import FloodCount
from faultline.records.decode import decode
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig
from kafka_logging import EcsFormatter, LogstashFormatter, LogstashFormatterV1
from kafka_logging.flood import Flood

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(*raws: bytes) -> list[FloodCount]:
    rows = len(raws)
    columns = [
        pa.array(["id"] * rows, pa.string()),
        pa.array([0] * rows, pa.int32()),
        pa.array(range(rows), pa.int64()),
        pa.array([NOON] * rows, pa.timestamp("us", tz="UTC")),
        pa.nulls(rows, pa.binary()),
        pa.array(raws, pa.large_binary()),
    ]
    raw = pa.table(columns, schema=RAW_SCHEMA)
    return flood_counts(decode(raw, TopicConfig(name="app"), event_time_span=timedelta(days=7)), "app")


def record(number: Any, message: str = "7 suppressed: cart %d failed", at: str = "2026-11-22T12:30:00Z") -> bytes:
    return json.dumps({"message": message, "suppressed_count": number, "@timestamp": at}).encode()


@pytest.mark.parametrize("formatter", [LogstashFormatter, LogstashFormatterV1, EcsFormatter])
def test_the_summaries_of_the_handler_are_read_in_each_of_its_formats(formatter: type[logging.Formatter]) -> None:
    flood, summaries = Flood(1, 1, clock=lambda: 0.0), []
    logged = logging.LogRecord("shop", logging.ERROR, "cart.py", 7, "cart %d failed", (1,), None)
    refused = sum(flood.refuses(logged) for _ in range(50))
    flood.report(lambda summary: summaries.append(summary) is None)
    assert [each.count for each in read(*(formatter().format(each).encode() for each in summaries))] == [refused]
    assert refused > 40


def test_they_are_summed_by_the_hour() -> None:
    later = record(5, at="2026-11-22T13:00:00Z")
    assert read(record(7), record(30), later) == [
        FloodCount("app", NOON, 37),
        FloodCount("app", NOON + timedelta(hours=1), 5),
    ]


@pytest.mark.parametrize("number", [0, -4, 10**12, "12", True, None, 1.5, [7], {"a": 1}], ids=str)
def test_what_is_no_number_of_records_is_passed_over(number: Any) -> None:
    assert read(record(number)) == []


def test_a_record_that_only_looks_like_a_summary_is_none() -> None:
    said = [b"9 suppressed: text", b"[7]", b'{"message": "9 suppressed: x"}', record(9, message="cart failed")]
    assert read(*said) == []
