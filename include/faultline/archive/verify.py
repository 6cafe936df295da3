"""Prove a topic's table: archived offsets tile ``[first, next)`` of every partition, each with exactly one row.

Three witnesses must agree: what the commits say they covered, the positions, and the rows themselves. Kafka is the
fourth where it still holds the offsets; what it holds and the table lacks at the end is lag, not a fault.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from faultline.archive.coverage import RowCoverage, cover
from faultline.archive.ranges import tile
from faultline.archive.table import ArchiveTable, CommittedRange, Loss
from faultline.errors import TopicMissing
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RecordSource

log = logging.getLogger(__name__)

_ROWS = "SELECT kafka_topic_id, kafka_partition, kafka_offset FROM logs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, with the exact offsets.

    ``kind`` is hole, duplicate (both of commits), position, missing row, duplicate row, stray row, lost (deleted by
    Kafka before it was archived) or beyond (Kafka's log ends before the archive does).
    """

    kind: str
    range: OffsetRange
    message: str


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """One partition of one generation: archived ``[first, next)``, and what Kafka holds, if it was asked."""

    partition: TopicPartition
    first: int
    next: int
    rows: int
    explained: int  # archived offsets that have no record in Kafka
    low: int | None = None
    high: int | None = None

    @property
    def lag(self) -> int | None:
        """Offsets that Kafka holds and the table does not have yet; None when Kafka was not asked."""
        return None if self.high is None else max(0, self.high - self.next)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The proof, or why there is none."""

    topic: str
    version: int
    commits: int
    rows: int
    partitions: tuple[PartitionReport, ...]
    losses: tuple[Loss, ...]  # written down as gone for good: no fault of the table
    faults: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every archived offset is there once and none is missing."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        partitions = [asdict(each) | {"lag": each.lag} for each in self.partitions]
        return asdict(self) | {"ok": self.ok, "partitions": partitions}


def verify_topic(table: ArchiveTable, source: RecordSource | None = None) -> VerifyReport:
    """Prove the table against itself and, with a source, against what Kafka holds of the topic's current generation.

    A topic that Kafka no longer has leaves nothing to compare with, and the table as provable as before.
    """
    table.refresh()
    commits = table.commits()
    # The marks come after the snapshot: what is produced and archived meanwhile is not beyond Kafka's end.
    marks = {} if source is None else _marks(source, table.topic)
    positions = table.positions(sorted({commit.range.partition for commit in commits} | set(marks)))
    rows = cover(table.topic, table.scan(_ROWS), archived(commits))
    return judge(table.topic, table.version, commits, positions, rows, marks)


def _marks(source: RecordSource, topic: str) -> dict[TopicPartition, OffsetRange]:
    try:
        return dict(source.watermarks(source.partitions(topic)))
    except TopicMissing as error:
        log.warning("proving the table alone: %s", error)
        return {}


def archived(commits: Sequence[CommittedRange]) -> dict[TopicPartition, OffsetRange]:
    """Per partition, from the first offset any commit covers to the last."""
    spans: dict[TopicPartition, OffsetRange] = {}
    for span in (commit.range for commit in commits):
        seen = spans.get(span.partition, span)
        spans[span.partition] = OffsetRange(span.partition, min(seen.start, span.start), max(seen.end, span.end))
    return spans


def judge(
    topic: str,
    version: int,
    commits: Sequence[CommittedRange],
    positions: Mapping[TopicPartition, int | None],
    rows: Mapping[TopicPartition, RowCoverage],
    marks: Mapping[TopicPartition, OffsetRange],
) -> VerifyReport:
    """What the witnesses prove together. Pure."""
    spans = archived(commits)
    partitions = sorted(set(spans) | set(rows) | set(marks))
    reports: list[PartitionReport] = []
    faults: list[Finding] = []
    losses = tuple(loss for commit in commits for loss in commit.lost)
    for part in partitions:
        mine = [commit for commit in commits if commit.range.partition == part]
        held = marks.get(part)
        start = held.start if held else 0
        span = spans.get(part, OffsetRange(part, start, start))
        coverage = rows.get(part, RowCoverage(span))
        explained = [gap for commit in mine for gap in commit.explained]
        faults += _faults_of_commits(span, mine, positions.get(part))
        gone = [loss.range for loss in losses if loss.range.partition == part]
        faults += _faults_of_rows(coverage, [*explained, *gone])
        faults += _faults_against_kafka(span, held) if held else ()
        reports.append(
            PartitionReport(
                part,
                span.start,
                span.end,
                coverage.rows,
                sum(map(len, explained)),
                held.start if held else None,
                held.end if held else None,
            )
        )
    versions = {commit.version for commit in commits}
    total = sum(each.rows for each in reports)
    return VerifyReport(topic, version, len(versions), total, tuple(reports), losses, tuple(faults))


def _faults_of_commits(span: OffsetRange, commits: Sequence[CommittedRange], position: int | None) -> Iterator[Finding]:
    tiling = tile(commit.range for commit in commits)
    for hole in tiling.holes:
        yield Finding("hole", hole, f"{hole} was never archived, though offsets on both sides were")
    for twice in tiling.duplicates:
        yield Finding("duplicate", twice, f"{twice} was committed more than once")
    if commits and position != span.end:
        yield Finding("position", span, f"commits of {span.partition} end at {span.end}, its position is {position}")


def _faults_of_rows(coverage: RowCoverage, explained: Sequence[OffsetRange]) -> Iterator[Finding]:
    for gap in coverage.missing(explained):
        yield Finding("missing row", gap, f"{gap} is archived, but has no rows")
    for twice in coverage.duplicates:
        yield Finding("duplicate row", twice, f"{twice} has more than one row an offset")
    for stray in coverage.strays:
        yield Finding("stray row", stray, f"{stray} has rows that no commit accounts for")


def _faults_against_kafka(span: OffsetRange, held: OffsetRange) -> Iterator[Finding]:
    part = span.partition
    if held.start < span.start:
        skipped = OffsetRange(part, held.start, span.start)
        yield Finding("hole", skipped, f"{skipped} is in Kafka, but the archive begins behind it")
    if span.end < held.start:
        lost = OffsetRange(part, span.end, held.start)
        yield Finding("lost", lost, f"{lost} was deleted by Kafka before it was archived")
    if span.end > held.end:
        beyond = OffsetRange(part, max(span.start, held.end), span.end)
        yield Finding("beyond", beyond, f"{beyond} is archived, but Kafka's log ends at {held.end}")
