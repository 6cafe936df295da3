"""Raw batches for tests, as a source would hand them over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from faultline.records.source import RAW_SCHEMA

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def raw_table(
    values: Sequence[bytes | None],
    *,
    at: datetime | None = NOON,
    topic_id: str = "generation-1",
    partition: int = 0,
    start: int = 0,
) -> pa.Table:
    """RAW_SCHEMA with one row per value, offsets from ``start``, all of them arrived ``at``."""
    rows = len(values)
    columns = [
        pa.array([topic_id] * rows, pa.string()),
        pa.array([partition] * rows, pa.int32()),
        pa.array(range(start, start + rows), pa.int64()),
        pa.array([at] * rows, pa.timestamp("us", tz="UTC")),
        pa.nulls(rows, pa.binary()),
        pa.array(values, pa.large_binary()),
    ]
    return pa.table(columns, schema=RAW_SCHEMA)
