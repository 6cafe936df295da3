"""A table's rows against the records that Kafka still holds: the same bytes, keys and times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from faultline.archive.digests import COLUMNS, Digests
from faultline.archive.findings import Finding
from faultline.archive.ranges import subtract, to_ranges
from faultline.archive.reading import Progress
from faultline.archive.table import ArchiveTable
from faultline.errors import LostRange
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RecordSource

Record = tuple[Any, ...]

_ROWS, _BYTES = 100_000, 64 * 2**20


def compare_with_kafka(
    table: ArchiveTable,
    source: RecordSource,
    archived: Digests,
    ranges: Mapping[TopicPartition, OffsetRange],
    expired: Sequence[OffsetRange],
    progress: Progress,
) -> Iterator[Finding]:
    """What the table has otherwise than Kafka, or not at all.

    ``archived`` has the sums of the table's rows in the ranges; rows of ``expired`` were deleted on purpose.
    """
    held, done, total = Digests(), 0, sum(map(len, ranges.values()))
    for span in ranges.values():
        for records, covered in _records(source, span):
            held.add(span.partition, records)
            done += len(covered)
            progress("records in Kafka", done, total)
    for block in held.differing(archived, ranges.values()):
        gone = [span for span in expired if span.partition == block.partition]
        yield from _differences(table, source, block, gone)


def _records(source: RecordSource, span: OffsetRange) -> Iterator[tuple[pa.Table, OffsetRange]]:
    """What Kafka holds of the range; retention may take some of it meanwhile."""
    while len(span):
        try:
            for records, [covered] in source.read([span], max_rows=_ROWS, max_bytes=_BYTES):
                yield records, covered
                span = OffsetRange(span.partition, covered.end, span.end)
        except LostRange as error:
            span = OffsetRange(span.partition, error.ranges[0].end, span.end)


def _differences(
    table: ArchiveTable, source: RecordSource, block: OffsetRange, gone: Sequence[OffsetRange]
) -> Iterator[Finding]:
    """Record by record; a row that Kafka has compacted away since is none."""
    rows: dict[int, Record] = {}
    for batch in table.scan(_query(block)):
        rows.update(_by_offset(batch))
    wrong = [
        offset
        for records, _ in _records(source, block)
        for offset, record in _by_offset(records).items()
        if rows.get(offset) != record
    ]
    for span in subtract(to_ranges(block.partition, np.array(sorted(wrong), np.int64)), gone):
        yield Finding("differs", span, f"{span} is not in the table as Kafka holds it")


def _by_offset(records: pa.Table | pa.RecordBatch) -> dict[int, Record]:
    columns = [records[name].to_pylist() for name in COLUMNS]
    return {offset: tuple(values) for offset, *values in zip(*columns, strict=True)}


def _query(span: OffsetRange) -> str:
    part = span.partition
    return (
        f"SELECT {', '.join(COLUMNS)} FROM logs WHERE kafka_topic_id = '{part.topic_id}'"
        f" AND kafka_partition = {part.partition} AND kafka_offset >= {span.start} AND kafka_offset < {span.end}"
    )
