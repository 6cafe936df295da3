"""The files of a table as three witnesses know them: the log, the storage, and the files' own footers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from faultline.adapters.delta_errors import table_errors
from faultline.archive.coordinates import COLUMNS as COORDINATES
from faultline.archive.table import FileFacts

_ROWS = 1 << 17


def logged_files(actions: pa.Table) -> tuple[FileFacts, ...]:
    """What the add actions of a snapshot say."""
    columns = [actions[name].to_pylist() for name in ("path", "size_bytes", "num_records")]
    lowest, highest = (_ends(actions, kind) for kind in ("min", "max"))
    return tuple(
        FileFacts(path, size, rows, low, high)
        for path, size, rows, low, high in zip(*columns, lowest, highest, strict=True)
    )


def stored_files(filesystem: pyarrow.fs.FileSystem) -> dict[str, int]:
    """Sizes in bytes by path; one listing of the whole table."""
    listing = filesystem.get_file_info(pyarrow.fs.FileSelector("", recursive=True))
    data = (entry for entry in listing if entry.is_file and not entry.path.startswith("_"))
    return {entry.path: entry.size for entry in data if entry.path.endswith(".parquet")}


class OpenFile:
    """One Parquet file."""

    def __init__(self, filesystem: pyarrow.fs.FileSystem, path: str) -> None:
        self._path = path
        self._source = filesystem.open_input_file(path)
        self._file = pq.ParquetFile(self._source)

    @property
    def facts(self) -> FileFacts:
        """What the footer says; its statistics are those of all row groups."""
        metadata = self._file.metadata
        lowest, highest = _footer_ends(metadata, min), _footer_ends(metadata, max)
        return FileFacts(self._path, self._source.size(), metadata.num_rows, lowest, highest)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows, portion by portion."""
        with table_errors(f"reading {self._path}"):
            yield from map(without_views, self._file.iter_batches(_ROWS, columns=list(columns), use_threads=False))


def without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """DataFusion answers in view types, and writes them, which most of Arrow's functions do not take."""
    return batch.cast(plain_schema(batch.schema))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without view types."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.large_binary()}
    return pa.schema([field.with_type(plain.get(field.type, field.type)) for field in schema])


def _ends(actions: pa.Table, kind: str) -> list[tuple[str, int, int] | None]:
    names = [f"{kind}.{name}" for name in COORDINATES]
    if not set(names) <= set(actions.column_names):
        return [None] * len(actions)
    rows = zip(*(actions[name].to_pylist() for name in names), strict=True)
    return [None if None in row else row for row in rows]


def _footer_ends(metadata: Any, choose: Any) -> tuple[str, int, int] | None:
    ends = []
    for name in COORDINATES:
        column = metadata.schema.names.index(name)
        found = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
        if not found or any(each is None or not each.has_min_max for each in found):
            return None
        ends.append(choose(each.min if choose is min else each.max for each in found))
    return ends[0], ends[1], ends[2]
