"""Decoded rows → Parquet files in their hour's folder, not yet part of the table."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from faultline.adapters.delta_statistics import FileStatistics
from faultline.archive.table import StagedFile
from faultline.errors import TransientError
from faultline.records.schema import EVENT_SCHEMA

PARTITION_COLUMNS = ("dt", "hr")

_DICTIONARY = ["time_source", "level", "service", "environment", "host", "logger", "exception_type", "fingerprint"]
_DICTIONARY += ["parse_error", "kafka_topic_id", "kafka_partition"]


def add_action(file: StagedFile, *, data_change: bool = True) -> AddAction:
    """The file as the Delta log names it; ``data_change`` is false when its rows are those of files it replaces."""
    partition = {"dt": file.dt, "hr": file.hr}
    return AddAction(file.path, file.size, partition, round(time.time() * 1000), data_change, file.statistics)


def stage_file(
    filesystem: pyarrow.fs.FileSystem, row_groups: Iterable[pa.Table], dt: str, hr: str, *, prefix: str = "part-"
) -> StagedFile:
    """Write rows of one hour, read back the size: a file cut short must never be committed."""
    path = f"dt={dt}/hr={hr}/{prefix}{uuid.uuid4()}.zstd.parquet"
    statistics = FileStatistics()
    with filesystem.open_output_stream(path) as out:
        with pq.ParquetWriter(
            out, EVENT_SCHEMA, compression="zstd", use_dictionary=_DICTIONARY, write_page_index=True, store_schema=False
        ) as writer:
            for rows in row_groups:
                writer.write_table(rows)
                statistics.add(rows)
        written = out.tell()
    size = filesystem.get_file_info(path).size
    if size != written:
        raise TransientError(f"{path} has {size} bytes after {written} were written")
    return StagedFile(path, dt, hr, size, statistics.rows, statistics.to_json())
