"""Messages become columns, whatever a producer wrote into them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from faultline.adapters.kafka_messages import Accepted, MessageBuffer


class Message:
    """Stands for confluent_kafka.Message, which cannot be built."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def value(self) -> bytes:
        return b"{}"

    def key(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._milliseconds


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
    buffer = MessageBuffer("id")
    message = cast("Any", Message(milliseconds))
    buffer.add(Accepted([message], np.array([0]), np.array([7])))
    [row] = buffer.take().to_pylist()
    assert (row["kafka_offset"], row["kafka_timestamp"]) == (7, expected)
