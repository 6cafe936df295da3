"""Append planned ranges to a topic's table: consume and decode in one thread, write and commit in the other.

Every commit carries its rows and the positions behind them, so a run killed anywhere is simply run again: it goes on
from the stored positions and adds nothing that is there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.prefetch import prefetch
from faultline.archive.ranges import missing
from faultline.archive.table import ArchiveTable, by_hour
from faultline.errors import PermanentError, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.records.source import RecordSource
from faultline.settings import TopicConfig

log = logging.getLogger(__name__)

# What ``checkpoint`` is told, in this order; "consuming" to "after_commit" once per batch, the first from the reader's
# thread. A process may die at any of them.
STEPS = ("planned", "consuming", "staged", "before_commit", "after_commit", "before_group_offset_copy")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one commit takes at most; bytes may be exceeded by one message."""

    max_rows: int
    max_bytes: int


@dataclass(slots=True)
class AppendReport:
    """What an append did. ``rows_per_hour`` is by event time, as in ``2026-11-22T05``."""

    topic: str
    ranges: int = 0
    rows: int = 0
    raw_bytes: int = 0
    batches: int = 0
    parse_errors: int = 0
    explained: int = 0  # offsets without a record: markers of transactions, compacted away
    already_archived: int = 0
    rows_per_hour: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"rows_per_hour": dict(sorted(self.rows_per_hour.items()))}


@dataclass(frozen=True, slots=True)
class _Batch:
    events: pa.Table
    covered: tuple[OffsetRange, ...]
    explained: tuple[OffsetRange, ...]


def append_ranges(
    table: ArchiveTable,
    source: RecordSource,
    topic: TopicConfig,
    ranges: Sequence[OffsetRange],
    limits: Limits,
    *,
    event_time_span: timedelta,
    group: str | None = None,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> AppendReport:
    """Append what of the ranges is not archived yet. ``group`` gets a copy of the positions, for lag tools."""
    checkpoint("planned")
    table.refresh()
    todo = outstanding(ranges, table.positions([span.partition for span in ranges]))
    report = AppendReport(topic.name, len(todo))
    report.already_archived = sum(map(len, ranges)) - sum(map(len, todo))

    def read() -> Iterator[_Batch]:
        for raw, covered in source.read(todo, max_rows=limits.max_rows, max_bytes=limits.max_bytes):
            checkpoint("consuming")
            explained = tuple(gap for span in covered for gap in missing(span, _offsets(raw, span.partition)))
            yield _Batch(decode(raw, topic, event_time_span=event_time_span), covered, explained)

    if todo:
        with prefetch(read) as batches:
            for batch in batches:
                _append(table, batch, checkpoint)
                _count(report, batch)
    if group is not None:
        checkpoint("before_group_offset_copy")
        _copy_positions(table, source, group, [span.partition for span in ranges])
    return report


def outstanding(
    ranges: Sequence[OffsetRange], positions: Mapping[TopicPartition, int | None]
) -> tuple[OffsetRange, ...]:
    """The ranges without what is archived already; PermanentError when offsets before a range are missing."""
    todo = []
    for span in ranges:
        position = positions[span.partition]
        start = span.start if position is None else position
        if start < span.start:
            raise PermanentError(f"{span} was planned, but the table has only what is before {start}: plan again")
        if start < span.end:
            todo.append(OffsetRange(span.partition, start, span.end))
    return tuple(todo)


def _append(table: ArchiveTable, batch: _Batch, checkpoint: Callable[[str], None]) -> None:
    files = table.stage(batch.events)
    checkpoint("staged")
    checkpoint("before_commit")
    table.commit(files, batch.covered, batch.explained)
    checkpoint("after_commit")


def _offsets(raw: pa.Table, partition: TopicPartition) -> Any:
    mine = pc.equal(raw["kafka_partition"], partition.partition)
    return raw["kafka_offset"].filter(mine).to_numpy()


def _count(report: AppendReport, batch: _Batch) -> None:
    events = batch.events
    report.batches += 1
    report.explained += sum(map(len, batch.explained))
    report.rows += len(events)
    report.raw_bytes += pc.sum(pc.binary_length(events["raw"])).as_py() or 0
    report.parse_errors += len(events) - events["parse_error"].null_count
    for dt, hr, rows in by_hour(events.select(["timestamp"])):
        report.rows_per_hour[f"{dt}T{hr}"] += len(rows)


def _copy_positions(
    table: ArchiveTable, source: RecordSource, group: str, partitions: Sequence[TopicPartition]
) -> None:
    """The rows are archived whether or not this works."""
    try:
        positions = table.positions(partitions)
        source.commit_group_offsets(group, {part: at for part, at in positions.items() if at is not None})
    except (TransientError, PermanentError) as error:
        log.warning("the positions of group %s were not updated: %s", group, error)
