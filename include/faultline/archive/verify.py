"""Prove a topic's table: archived offsets tile ``[first, next)`` of every partition, each with exactly one row.

Witnesses that must agree: what the commits say they covered, the positions, the files as log and storage have them,
and the rows. Rows are read only of files that the log alone does not prove (``vouch``), or of all for a deep proof.
Kafka is a further witness where it still holds the offsets; what it holds and the table lacks at the end is lag, not a
fault.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from faultline.archive.compare import compare_with_kafka
from faultline.archive.coverage import RowCoverage, expect
from faultline.archive.findings import Finding, PartitionReport, VerifyReport
from faultline.archive.ranges import tile, union
from faultline.archive.reading import Progress, RowReader, stored_faults
from faultline.archive.table import ArchiveTable, CommittedRange, FileFacts, Ledger
from faultline.archive.vouch import Vouched, vouch
from faultline.errors import TopicMissing
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RecordSource

log = logging.getLogger(__name__)


def silent(stage: str, done: int, total: int) -> None:
    """Nobody watches."""


def verify_topic(
    table: ArchiveTable,
    source: RecordSource | None = None,
    *,
    since: datetime | None = None,
    deep: bool = False,
    progress: Progress = silent,
) -> VerifyReport:
    """Prove the table against itself and, with a source, against what Kafka holds of the topic's current generation.

    ``since`` asks only for rows that were committed from then on; that offsets tile is always proven. ``deep`` reads
    every row and, with a source, compares its bytes, key and time with Kafka's. A topic that Kafka no longer has leaves
    nothing to compare with, and the table as provable as before.
    """
    table.refresh()
    progress("log", 0, 1)
    ledger, files = table.ledger(), table.files()
    commits = ledger.commits
    # The marks come after the snapshot: what is produced and archived meanwhile is not beyond Kafka's end.
    marks = {} if source is None else _marks(source, table.topic)
    positions = table.positions(sorted({commit.range.partition for commit in commits} | set(marks)))
    progress("log", 1, 1)
    asked = [commit for commit in commits if since is None or commit.at >= since]
    vouched = Vouched((), tuple(files)) if deep else vouch(commits, files)
    coverage = plan_coverage(ledger, asked, vouched)
    compare = _comparable(asked, marks) if deep else {}
    reader = RowReader(table, coverage, compare)
    unread = [file for file in vouched.unread if since is None or _may_have(file, coverage)]
    faults = [*stored_faults(files, table.stored()), *reader.read(unread, progress)]
    if compare and source is not None:
        faults += compare_with_kafka(table, source, reader.digests, compare, ledger.expired, progress)
    report = judge(table.topic, table.version, ledger, positions, coverage, marks)
    return report.with_faults(faults, files=len(files), files_read=len(unread))


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


def plan_coverage(
    ledger: Ledger, asked: Sequence[CommittedRange], vouched: Vouched
) -> dict[TopicPartition, RowCoverage]:
    """What to look for of each partition. Pure."""
    ranges = {commit.range for commit in asked}
    of_asked = _by_partition(ranges)
    of_vouched = _by_partition(span for span in vouched.ranges if span in ranges)
    gaps = _by_partition(gap for commit in ledger.commits for gap in _without_rows(commit))
    expired = _by_partition(ledger.expired)
    return {
        part: expect(part, of_asked[part], [*gaps[part], *expired[part]], of_vouched[part], span)
        for part, span in archived(ledger.commits).items()
    }


def _without_rows(commit: CommittedRange) -> tuple[OffsetRange, ...]:
    return (*commit.explained, *(loss.range for loss in commit.lost))


def _by_partition(
    ranges: Iterable[OffsetRange],
) -> defaultdict[TopicPartition, list[OffsetRange]]:
    found: defaultdict[TopicPartition, list[OffsetRange]] = defaultdict(list)
    for span in ranges:
        found[span.partition].append(span)
    return found


def _comparable(
    asked: Sequence[CommittedRange], marks: Mapping[TopicPartition, OffsetRange]
) -> dict[TopicPartition, OffsetRange]:
    """What of the archived offsets Kafka holds."""
    found = {}
    for part, span in archived(asked).items():
        if (held := marks.get(part)) and span.start < held.end and held.start < span.end:
            found[part] = OffsetRange(part, max(span.start, held.start), min(span.end, held.end))
    return found


def _may_have(file: FileFacts, coverage: Mapping[TopicPartition, RowCoverage]) -> bool:
    """Whether, by its statistics, a file may have one of the offsets that are looked for."""
    if file.lowest is None or file.highest is None:
        return True
    low, high = file.lowest, file.highest
    return any(
        low[0] <= part.topic_id <= high[0]
        and low[1] <= part.partition <= high[1]
        and any(span.start <= high[2] and low[2] < span.end for span in (*wanted.expected, *wanted.vouched))
        for part, wanted in coverage.items()
    )


def judge(
    topic: str,
    version: int,
    ledger: Ledger,
    positions: Mapping[TopicPartition, int | None],
    rows: Mapping[TopicPartition, RowCoverage],
    marks: Mapping[TopicPartition, OffsetRange],
) -> VerifyReport:
    """What commits, positions, rows and marks prove together. Pure."""
    commits, expired = ledger.commits, _by_partition(ledger.expired)
    spans = archived(commits)
    of_partition: defaultdict[TopicPartition, list[CommittedRange]] = defaultdict(list)
    for commit in commits:
        of_partition[commit.range.partition].append(commit)
    reports: list[PartitionReport] = []
    faults: list[Finding] = []
    for part in sorted(set(spans) | set(rows) | set(marks)):
        mine, held = of_partition[part], marks.get(part)
        start = held.start if held else 0
        span = spans.get(part, OffsetRange(part, start, start))
        coverage = rows.get(part, RowCoverage(part))
        faults += _faults_of_commits(span, mine, positions.get(part))
        faults += _faults_of_rows(coverage)
        faults += _faults_against_kafka(span, held) if held else ()
        explained = union(gap for commit in mine for gap in commit.explained)
        gone = sum(map(len, union(expired[part])))
        low, high = (held.start, held.end) if held else (None, None)
        reports.append(PartitionReport(part, span.start, span.end, coverage.rows, explained, gone, low, high))
    losses = tuple(loss for commit in commits for loss in commit.lost)
    versions = {commit.version for commit in commits}
    return VerifyReport(topic, version, len(versions), tuple(reports), losses, tuple(faults))


def _faults_of_commits(span: OffsetRange, commits: Sequence[CommittedRange], position: int | None) -> Iterator[Finding]:
    tiling = tile(commit.range for commit in commits)
    for hole in tiling.holes:
        yield Finding("hole", hole, f"{hole} was never archived, though offsets on both sides were")
    for twice in tiling.duplicates:
        yield Finding("duplicate", twice, f"{twice} was committed more than once")
    if commits and position != span.end:
        yield Finding("position", span, f"commits of {span.partition} end at {span.end}, its position is {position}")


def _faults_of_rows(coverage: RowCoverage) -> Iterator[Finding]:
    for gap in coverage.missing:
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
