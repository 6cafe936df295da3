"""A topic's table for a search: the files of its snapshot with their statistics, and Parquet files part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import QueryBuilder

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_errors import table_errors
from faultline.adapters.delta_read import without_views
from faultline.adapters.delta_statistics import STATISTICS
from faultline.archive.search.files import ArchiveFile, RowGroup
from faultline.archive.search.prune import Statistics
from faultline.model import Interval
from faultline.records.schema import EVENT_SCHEMA
from faultline.topicfile import TopicConfig

_HOUR = timedelta(hours=1)
# Other writers may cut times in the log down to milliseconds.
_ROUNDING = timedelta(milliseconds=1)
_BATCH = 2**16
# What statistics compare as Python values do.
_COMPARED = {
    column.name: datetime if pa.types.is_timestamp(column.type) else int if pa.types.is_integer(column.type) else str
    for column in EVENT_SCHEMA
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type))
}


class SearchedTopic:
    """A snapshot of one topic's table; ``SearchedTable`` for ``faultline.archive.search``."""

    def __init__(self, topic: TopicConfig, table: TopicTable) -> None:
        self.topic = topic
        self.table = table

    def files(self) -> list[ArchiveFile]:
        """Every file of the snapshot."""
        return [_archive_file(row) for row in self.table.add_actions().to_pylist()]

    def open(self, file: ArchiveFile) -> ParquetParts:
        """Read the footer."""
        return ParquetParts(self.table, file.path)


class ParquetParts:
    """The row groups of a Parquet file. May be read by several threads: each has the file open for itself."""

    def __init__(self, table: TopicTable, path: str) -> None:
        self._table, self._path = table, path
        self._doing = f"reading {path} of {table.url}"
        with table_errors(self._doing), self._open() as file:
            self._metadata, self._names = file.metadata, file.schema_arrow.names

    @property
    def groups(self) -> Sequence[RowGroup]:
        """Its parts, in their order."""
        return [_row_group(number, self._metadata.row_group(number)) for number in range(self._metadata.num_row_groups)]

    def read(self, group: RowGroup, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some rows at a time; a column that the file lacks is null."""
        here = [name for name in columns if name in self._names]
        with table_errors(self._doing), self._open(self._metadata) as file:
            for batch in file.iter_batches(_BATCH, row_groups=[group.number], columns=here):
                yield _as_events(batch, columns)

    def _open(self, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return pq.ParquetFile(self._table.open_file(self._path), metadata=metadata, pre_buffer=True)


def _as_events(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Table:
    """The columns with the types of EVENT_SCHEMA, whoever wrote the file."""
    fields = [EVENT_SCHEMA.field(name).with_nullable(True) for name in columns]
    there = set(batch.schema.names)
    arrays = [
        batch[field.name].cast(field.type) if field.name in there else pa.nulls(len(batch), field.type)
        for field in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def _archive_file(action: Mapping[str, Any]) -> ArchiveFile:
    start = datetime.strptime(f"{action['partition.dt']} {action['partition.hr']}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    lowest = {name: low for name in STATISTICS if (low := action.get(f"min.{name}")) is not None}
    highest = {name: high for name in STATISTICS if (high := action.get(f"max.{name}")) is not None}
    if "timestamp" in highest:
        highest["timestamp"] += _ROUNDING
    nulls = {name: count for name in STATISTICS if (count := action.get(f"null_count.{name}")) is not None}
    # A file whose writer did not count its rows may have some.
    rows = 1 if action["num_records"] is None else action["num_records"]
    hour = Interval(start, start + _HOUR)
    return ArchiveFile(action["path"], action["size_bytes"], hour, Statistics(rows, lowest, highest, nulls))


def _row_group(number: int, group: Any) -> RowGroup:
    lowest: dict[str, Any] = {}
    highest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for column in map(group.column, range(group.num_columns)):
        name, known = column.path_in_schema, column.statistics
        if known is None or name not in _COMPARED:
            continue
        if known.has_null_count:
            nulls[name] = known.null_count
        if known.has_min_max and isinstance(known.min, _COMPARED[name]) and isinstance(known.max, _COMPARED[name]):
            lowest[name], highest[name] = known.min, known.max
    size = sum(group.column(place).total_compressed_size for place in range(group.num_columns))
    return RowGroup(number, size, Statistics(group.num_rows, lowest, highest, nulls))


def query_topics(topics: Sequence[SearchedTopic], sql: str, interval: Interval) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """The columns and rows of an SQL query; nothing but a query is taken, so it cannot change anything.

    A topic's table has the topic's name, and ``logs`` is the records of all of them in the interval, with ``topic``.
    """
    builder = QueryBuilder()
    for number, topic in enumerate(topics):
        topic.table.register(builder, f"topic_{number}")
    doing, watch = f"querying {', '.join(topic.table.url for topic in topics)}", topics[0].table.watch
    with table_errors(doing):
        answer = watch.work(builder.execute, _with_topics(topics, sql, interval))
        reader = pa.RecordBatchReader.from_stream(answer)
    return reader.schema, _tables(watch.each(reader), doing)


def _tables(batches: Iterator[pa.RecordBatch], doing: str) -> Iterator[pa.Table]:
    """In types that Arrow's functions take."""
    with table_errors(doing):
        for batch in batches:
            yield pa.table(without_views(batch))


def _with_topics(topics: Sequence[SearchedTopic], sql: str, interval: Interval) -> str:
    """The query in parentheses behind names for what it may ask: as a part of a query it cannot be a command."""
    names = {topic.topic.name: f"SELECT * FROM topic_{number}" for number, topic in enumerate(topics)}
    every = " UNION ALL ".join(
        f"SELECT '{topic.topic.name}' AS topic, * FROM topic_{number} WHERE {_condition(interval)}"
        for number, topic in enumerate(topics)
    )
    known = ", ".join(f'"{name}" AS ({select})' for name, select in (names | {"logs": every}).items())
    return f"WITH {known} ({sql.rstrip().removesuffix(';')}\n)"


def _condition(interval: Interval) -> str:
    def literal(time: datetime) -> str:
        return f"""arrow_cast('{time:%Y-%m-%dT%H:%M:%S.%fZ}', 'Timestamp(Microsecond, Some("UTC"))')"""

    start, end = interval.start, interval.end
    days = f"dt >= '{start:%Y-%m-%d}' AND dt <= '{end:%Y-%m-%d}'"
    return f"{days} AND timestamp >= {literal(start)} AND timestamp < {literal(end)}"
