"""Decoded rows → Parquet files in their hour's folder, not yet part of the table."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from faultline.adapters.delta_errors import table_errors
from faultline.adapters.delta_statistics import STATISTICS, FileStatistics
from faultline.archive.table import StagedFile, by_hour
from faultline.errors import TransientError
from faultline.records.schema import EVENT_SCHEMA

PARTITION_COLUMNS = ("dt", "hr")

_DICTIONARY = ["time_source", "level", "service", "environment", "host", "logger", "exception_type", "fingerprint"]
_DICTIONARY += ["parse_error", "kafka_topic_id", "kafka_partition"]
_ASCENDING = ("timestamp", "kafka_offset", "kafka_timestamp")
_CLOSERS = 8


def add_action(file: StagedFile, *, data_change: bool = True) -> AddAction:
    """The file as the Delta log names it; ``data_change`` is false when its rows are those of files it replaces."""
    partition = {"dt": file.dt, "hr": file.hr}
    return AddAction(file.path, file.size, partition, round(time.time() * 1000), data_change, file.statistics)


class HourFile:
    """A file of one hour in the making; every ``write`` is a row group."""

    def __init__(
        self, filesystem: pyarrow.fs.FileSystem, dt: str, hr: str, prefix: str = "part-", level: int | None = None
    ) -> None:
        self._filesystem = filesystem
        self._path, self._dt, self._hr = f"dt={dt}/hr={hr}/{prefix}{uuid.uuid4()}.zstd.parquet", dt, hr
        self._statistics = FileStatistics()
        self._out = filesystem.open_output_stream(self._path)
        self._writer = pq.ParquetWriter(
            self._out,
            EVENT_SCHEMA,
            compression="zstd",
            compression_level=level,
            use_dictionary=_DICTIONARY,
            column_encoding=dict.fromkeys(_ASCENDING, "DELTA_BINARY_PACKED"),
            write_statistics=list(STATISTICS),
            write_page_index=True,
            store_schema=False,
        )

    def write(self, rows: pa.Table) -> None:
        """Add rows in EVENT_SCHEMA."""
        self._writer.write_table(rows)
        self._statistics.add(rows)

    def finish(self) -> StagedFile:
        """Close it and read back the size: a file cut short must never be committed."""
        self._writer.close()
        written = self._out.tell()
        self._out.close()
        size = self._filesystem.get_file_info(self._path).size
        if size != written:
            raise TransientError(f"{self._path} has {size} bytes after {written} were written")
        return StagedFile(self._path, self._dt, self._hr, size, self._statistics.rows, self._statistics.to_json())

    def abandon(self) -> None:
        """Let go of it, finished or not; what nobody commits is vacuum's."""
        with suppress(OSError, pa.ArrowException):
            self._out.close()


class Staging:
    """Rows on their way into the files of their hours, which no reader sees before they are committed."""

    def __init__(self, filesystem: pyarrow.fs.FileSystem, doing: str) -> None:
        self._filesystem, self._doing = filesystem, doing
        self._files: dict[tuple[str, str], HourFile] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.abandon()

    def __len__(self) -> int:
        return len(self._files)

    def add(self, events: pa.Table) -> None:
        """Write rows; columns beyond EVENT_SCHEMA are left out."""
        with table_errors(self._doing):
            for dt, hr, rows in by_hour(events.select(EVENT_SCHEMA.names)):
                if (dt, hr) not in self._files:
                    self._files[dt, hr] = HourFile(self._filesystem, dt, hr)
                self._files[dt, hr].write(rows)

    def finish(self) -> tuple[StagedFile, ...]:
        """The files, closed side by side: HDFS takes its time to close one."""
        with table_errors(self._doing), ThreadPoolExecutor(_CLOSERS, "close") as pool:
            staged = tuple(pool.map(HourFile.finish, self._files.values()))
        self._files = {}
        return staged


def stage_file(
    filesystem: pyarrow.fs.FileSystem, row_groups: Iterable[pa.Table], dt: str, hr: str, *, prefix: str, level: int
) -> StagedFile:
    """Write rows of one hour into one file, at a compression level of zstd."""
    file = HourFile(filesystem, dt, hr, prefix, level)
    try:
        for rows in row_groups:
            file.write(rows)
        return file.finish()
    finally:
        file.abandon()
