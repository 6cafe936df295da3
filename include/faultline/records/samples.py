"""What a topic's format makes of sample records, for a person who is writing ``topics.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from faultline.records.decode import decode
from faultline.records.fingerprints import substance
from faultline.records.schema import LABEL_PREFIX
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig

_SHOWN = (
    "parse_error", "timestamp", "level", "service", "environment", "host", "logger", "message", "exception_type",
    "stack_trace", "record_id", "fingerprint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """One record as bytes, and what was found in it: columns and ``label.<name>``, without what it does not have."""

    value: bytes
    found: dict[str, str]

    @property
    def error(self) -> str | None:
        """Why it could not be read."""
        return self.found.get("parse_error")


def read_samples(values: Sequence[bytes], topic: TopicConfig) -> list[Sample]:
    """Each record as the archive and the rules would see it; a time only if the record itself has one."""
    columns = [*_kafka_columns(len(values)), pa.array(values, pa.large_binary())]
    events = decode(pa.table(columns, schema=RAW_SCHEMA), topic, event_time_span=timedelta(0))
    hashed = substance(*(_column(events, name) for name in ("exception_type", "message", "stack_trace"))).to_pylist()
    names = [*_SHOWN, *(LABEL_PREFIX + label for label in topic.count_labels)]
    return [
        Sample(value, {name: text for name in names if (text := _text(row, name, said)) is not None})
        for value, row, said in zip(values, events.to_pylist(), hashed, strict=True)
    ]


def _kafka_columns(rows: int) -> list[pa.Array]:
    no_time = pa.nulls(rows, pa.timestamp("us", tz="UTC"))
    return [
        pa.array([""] * rows, pa.string()),
        pa.array([0] * rows, pa.int32()),
        pa.array(range(rows), pa.int64()),
        no_time,
        pa.nulls(rows, pa.binary()),
    ]


def _column(events: pa.Table, name: str) -> pa.Array:
    return events[name].combine_chunks()


def _text(row: dict[str, object], name: str, said: str) -> str | None:
    value = row[name]
    if name == "timestamp":
        return _time(value) if row["time_source"] == "record" else None
    if name == "fingerprint" and value:
        return f"{value}, the hash of " + " · ".join(part for part in said.split("\n") if part)
    return None if value is None else str(value)


def _time(value: object) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
