"""Append planned ranges to a topic's table: one thread consumes, one decodes, one writes and commits.

Rows pass through in pieces, so memory depends neither on the backlog nor on how much one commit takes. Every commit
carries its rows and the positions behind them, so a run killed anywhere is simply run again: it goes on from the stored
positions and adds nothing that is there.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.prefetch import prefetch
from faultline.archive.ranges import missing, union
from faultline.archive.table import ArchiveTable, FileStaging, StagedFile
from faultline.errors import FaultlineError, PermanentError, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.records.source import RecordSource
from faultline.topicfile import TopicConfig

log = logging.getLogger(__name__)

# What ``checkpoint`` is told, in this order; "consuming" once a piece, from the reader's thread, "staged" to
# "after_commit" once a commit. A process may die at any of them.
STEPS = ("planned", "consuming", "staged", "before_commit", "after_commit", "before_group_offset_copy")

# A piece becomes a row group of a file. Up to six are in memory at once.
_PIECE_ROWS = 2**15
_PIECE_BYTES = 2**23
# Old records may be of many hours. Every file that is being written has buffers of its own.
_MOST_FILES = 24


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one commit takes: it is made when the first of these is reached, or passed by one piece."""

    max_rows: int
    max_bytes: int
    max_age: timedelta


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
class _Piece:
    """Some rows, the offsets they are of, and those among them that have no record."""

    rows: pa.Table
    covered: tuple[OffsetRange, ...]
    explained: tuple[OffsetRange, ...] = ()


@dataclass(slots=True)
class _Taken:
    """What one commit has taken so far."""

    rows: int = 0
    raw_bytes: int = 0
    parse_errors: int = 0
    covered: list[OffsetRange] = field(default_factory=list)
    explained: list[OffsetRange] = field(default_factory=list)

    def add(self, piece: _Piece) -> None:
        self.rows += len(piece.rows)
        self.raw_bytes += pc.sum(pc.binary_length(piece.rows["raw"])).as_py() or 0
        self.parse_errors += len(piece.rows) - piece.rows["parse_error"].null_count
        self.covered += piece.covered
        self.explained += piece.explained


class _UntilError:
    """The items before an error; the error is kept for when they are dealt with."""

    def __init__(self, items: Iterator[_Piece]) -> None:
        self._items = items
        self.error: FaultlineError | None = None

    def __iter__(self) -> Iterator[_Piece]:
        try:
            yield from self._items
        except FaultlineError as error:
            self.error = error


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

    def read() -> Iterator[_Piece]:
        rows, size = min(limits.max_rows, _PIECE_ROWS), min(limits.max_bytes, _PIECE_BYTES)
        for raw, covered in source.read(todo, max_rows=rows, max_bytes=size):
            checkpoint("consuming")
            yield _Piece(raw, covered)

    if todo:
        with prefetch(read) as raw, prefetch(lambda: (_decode(each, topic, event_time_span) for each in raw)) as pieces:
            _append(table, _UntilError(pieces), limits, report, checkpoint)
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


def _decode(piece: _Piece, topic: TopicConfig, event_time_span: timedelta) -> _Piece:
    explained = tuple(gap for span in piece.covered for gap in missing(span, _offsets(piece.rows, span.partition)))
    return _Piece(decode(piece.rows, topic, event_time_span=event_time_span), piece.covered, explained)


def _append(
    table: ArchiveTable,
    pieces: _UntilError,
    limits: Limits,
    report: AppendReport,
    checkpoint: Callable[[str], None],
) -> None:
    """Commit by commit. What was read before an error is archived before the error is raised."""
    waiting = iter(pieces)
    for first in waiting:
        with table.staging() as staging:
            taken = _write(staging, itertools.chain([first], waiting), limits)
            files = staging.finish()
        checkpoint("staged")
        checkpoint("before_commit")
        table.commit(files, union(taken.covered), taken.explained)
        checkpoint("after_commit")
        _count(report, taken, files)
    if pieces.error is not None:
        raise pieces.error


def _write(staging: FileStaging, pieces: Iterable[_Piece], limits: Limits) -> _Taken:
    """Write pieces until a limit is reached."""
    taken = _Taken()
    end = time.monotonic() + limits.max_age.total_seconds()
    for piece in pieces:
        staging.add(piece.rows)
        taken.add(piece)
        full = taken.rows >= limits.max_rows or taken.raw_bytes >= limits.max_bytes or len(staging) >= _MOST_FILES
        if full or time.monotonic() >= end:
            break
    return taken


def _offsets(raw: pa.Table, partition: TopicPartition) -> Any:
    mine = pc.equal(raw["kafka_partition"], partition.partition)
    return raw["kafka_offset"].filter(mine).to_numpy()


def _count(report: AppendReport, taken: _Taken, files: Sequence[StagedFile]) -> None:
    report.batches += 1
    report.rows += taken.rows
    report.raw_bytes += taken.raw_bytes
    report.parse_errors += taken.parse_errors
    report.explained += sum(map(len, taken.explained))
    for file in files:
        report.rows_per_hour[f"{file.dt}T{file.hr}"] += file.rows


def _copy_positions(
    table: ArchiveTable, source: RecordSource, group: str, partitions: Sequence[TopicPartition]
) -> None:
    """The rows are archived whether or not this works."""
    try:
        positions = table.positions(partitions)
        source.commit_group_offsets(group, {part: at for part, at in positions.items() if at is not None})
    except (TransientError, PermanentError) as error:
        log.warning("the positions of group %s were not updated: %s", group, error)
