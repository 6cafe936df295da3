"""Decoded rows → Parquet files in their hour's folder, not yet part of the table."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from faultline.archive.table import StagedFile
from faultline.errors import TransientError
from faultline.records.schema import EVENT_SCHEMA

PARTITION_COLUMNS = ("dt", "hr")
# What readers prune files by; statistics of the rest would only make the log larger.
STATISTICS = ("timestamp", "level", "service", "kafka_topic_id", "kafka_partition", "kafka_offset")

_DICTIONARY = ["time_source", "level", "service", "environment", "host", "logger", "exception_type", "fingerprint"]
_DICTIONARY += ["parse_error", "kafka_topic_id", "kafka_partition"]
# A column with a longer value goes without statistics: a service named by a megabyte belongs into no log.
_LONGEST = 100


def add_action(file: StagedFile) -> AddAction:
    """The file as the Delta log names it."""
    partition = {"dt": file.dt, "hr": file.hr}
    return AddAction(file.path, file.size, partition, round(time.time() * 1000), True, file.statistics)


def stage_file(filesystem: pyarrow.fs.FileSystem, rows: pa.Table, dt: str, hr: str) -> StagedFile:
    """Write one hour's rows, read back the size: a file cut short must never be committed."""
    path = f"dt={dt}/hr={hr}/part-{uuid.uuid4()}.zstd.parquet"
    with filesystem.open_output_stream(path) as out:
        with pq.ParquetWriter(
            out, EVENT_SCHEMA, compression="zstd", use_dictionary=_DICTIONARY, write_page_index=True, store_schema=False
        ) as writer:
            writer.write_table(rows)
        written = out.tell()
    size = filesystem.get_file_info(path).size
    if size != written:
        raise TransientError(f"{path} has {size} bytes after {written} were written")
    return StagedFile(path, dt, hr, size, len(rows), json.dumps(_statistics(rows)))


def _statistics(rows: pa.Table) -> dict[str, Any]:
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    for name in STATISTICS:
        ends = pc.min_max(rows[name])
        low, high = _plain(ends["min"].as_py()), _plain(ends["max"].as_py())
        if low is not None and _is_short(low) and _is_short(high):
            lowest[name], highest[name] = low, high
    nulls = {name: rows[name].null_count for name in STATISTICS}
    return {"numRecords": len(rows), "minValues": lowest, "maxValues": highest, "nullCount": nulls}


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


def _is_short(value: Any) -> bool:
    return not isinstance(value, str) or len(value) <= _LONGEST
