"""Messages become columns, whatever a producer wrote into them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Message

from faultline.adapters.kafka_messages import Accepted, MessageBuffer

TIMES: dict[str, tuple[int, datetime | None]] = {
    "milliseconds": (1_790_000_000_123, datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)),
    "the epoch": (0, datetime(1970, 1, 1, tzinfo=UTC)),
    "the last that is a date": (253_402_300_799_999, datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
    "none": (-1, None),
    "microseconds, by mistake": (1_790_000_000_123_000, None),
    "nanoseconds, by mistake": (1_790_000_000_123_000_000, None),
}


@pytest.mark.parametrize(("milliseconds", "expected"), TIMES.values(), ids=TIMES)
def test_a_timestamp_that_is_no_date_is_none(milliseconds: int, expected: datetime | None) -> None:
    [row] = columns([Message(value=b"{}", timestamp=(1, milliseconds))])
    assert (row["kafka_offset"], row["kafka_timestamp"]) == (0, expected)


def test_what_a_message_lacks_is_null_and_what_is_empty_is_empty() -> None:
    messages = [Message(value=b"v", key=None), Message(value=None, key=b"k"), Message(value=b"", key=b"")]
    rows = columns([*messages, Message(value=b"w")])
    assert [row["raw"] for row in rows] == [b"v", None, b"", b"w"]
    assert [row["kafka_key"] for row in rows] == [None, b"k", b"", None]


def columns(messages: list[Message]) -> list[dict[str, Any]]:
    buffer = MessageBuffer("id")
    buffer.add(Accepted(messages, np.zeros(len(messages), np.int64), np.arange(len(messages))))
    return buffer.take().to_pylist()
