"""A proof that accepts everything proves nothing: each kind of damage is found, with the exact offsets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.append import Limits, append_ranges
from faultline.archive.expire import expire_hour
from faultline.archive.findings import VerifyReport
from faultline.archive.hours import Hour
from faultline.archive.losses import record_losses
from faultline.archive.table import CommittedRange, Ledger
from faultline.archive.verify import judge, plan_coverage, verify_topic
from faultline.archive.vouch import Vouched
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

TOPIC = TopicConfig(name="app")
PART = TopicPartition("app", "generation-1", 0)


def put(
    table: TopicTable, *rows: tuple[int, int], covers: tuple[int, int], explained: tuple[int, int] = (0, 0)
) -> None:
    """Commit rows for the offset ranges ``rows``, saying that ``covers`` is now archived."""
    span = OffsetRange(PART, *covers)
    files = [
        file
        for start, end in rows
        for file in table.stage(
            decode(raw_table([b"{}"] * (end - start), start=start), TOPIC, event_time_span=timedelta(days=7))
        )
    ]
    gaps = [OffsetRange(PART, *explained)] if explained[0] < explained[1] else []
    table.commit(files, [span], gaps)


def forget(table: TopicTable, start: int, end: int) -> None:
    """Delete rows behind the log's back."""
    table._table.delete(f"kafka_offset >= {start} AND kafka_offset < {end}")


def sound(table: TopicTable) -> None:
    put(table, (0, 5), covers=(0, 5))
    put(table, (5, 8), covers=(5, 10), explained=(8, 10))


def holding(low: int, high: int) -> MemorySource:
    source = MemorySource()
    source.create("app")
    source.gap("app", offsets=high)
    source.delete_records("app", 0, low)
    return source


def first_range_skips(table: TopicTable) -> None:
    put(table, (5, 8), covers=(5, 8))


def a_row_is_gone(table: TopicTable) -> None:
    sound(table)
    forget(table, 2, 4)


def another_offset_twice(table: TopicTable) -> None:
    put(table, (0, 3), (1, 3), covers=(0, 5))


def a_row_beyond(table: TopicTable) -> None:
    put(table, (0, 3), (7, 9), covers=(0, 5))


CASES: dict[str, tuple[Callable[[TopicTable], None], MemorySource | None, list[tuple[str, int, int]]]] = {
    "sound": (sound, None, []),
    "sound, Kafka holds all of it": (sound, holding(0, 10), []),
    "sound, Kafka is ahead: lag": (sound, holding(7, 25), []),
    "sound, Kafka has deleted it since": (sound, holding(10, 10), []),
    "empty": (lambda table: None, None, []),
    "empty, Kafka is ahead: lag": (lambda table: None, holding(3, 9), []),
    "rows gone": (a_row_is_gone, None, [("missing row", 2, 4)]),
    "rows twice": (another_offset_twice, None, [("missing row", 3, 5), ("duplicate row", 1, 3)]),
    "rows nobody accounts for": (a_row_beyond, None, [("missing row", 3, 5), ("stray row", 7, 9)]),
    "begins behind Kafka's low mark": (first_range_skips, holding(2, 8), [("hole", 2, 5)]),
    "deleted by Kafka before it was archived": (sound, holding(13, 20), [("lost", 10, 13)]),
    "Kafka forgot": (sound, holding(0, 8), [("beyond", 8, 10)]),
}


@pytest.mark.parametrize(("damage", "source", "faults"), CASES.values(), ids=CASES)
def test_a_table_is_proven_or_the_exact_offsets_are_named(
    folder: str,
    damage: Callable[[TopicTable], None],
    source: MemorySource | None,
    faults: list[tuple[str, int, int]],
) -> None:
    table = TopicTable.open_or_create(folder, "app")
    damage(table)
    report = verify_topic(table, source)
    assert [(found.kind, found.range.start, found.range.end) for found in report.faults] == faults
    assert report.ok == (not faults)


def test_the_report_counts(folder: str) -> None:
    table = TopicTable.open_or_create(folder, "app")
    sound(table)
    report: VerifyReport = verify_topic(table, holding(7, 25))
    [part] = report.partitions
    assert (part.first, part.next, part.rows, part.explained) == (0, 10, 8, 2)
    assert (part.low, part.high, part.lag) == (7, 25, 15)
    assert report.to_dict()["partitions"][0]["lag"] == 15


@pytest.mark.parametrize(("damage", "proven"), [(sound, True), (a_row_is_gone, False)], ids=["sound", "rows gone"])
def test_a_topic_that_kafka_no_longer_has_is_proven_by_its_table(
    folder: str, damage: Callable[[TopicTable], None], proven: bool
) -> None:
    table = TopicTable.open_or_create(folder, "app")
    damage(table)
    assert verify_topic(table, MemorySource()).ok is proven


def test_commits_that_overlap_or_leave_holes_are_found() -> None:
    """The table's own fence does not let this happen; the proof must not rely on that."""

    def commit(version: int, start: int, end: int) -> CommittedRange:
        return CommittedRange(version, OffsetRange(PART, start, end), end - start, ())

    commits = [commit(1, 0, 5), commit(2, 3, 6), commit(3, 8, 9)]
    coverage = plan_coverage(Ledger(tuple(commits)), commits, Vouched((), ()))
    report = judge("app", 3, Ledger(tuple(commits)), {PART: 6}, coverage, {})
    found = [(fault.kind, fault.range.start, fault.range.end) for fault in report.faults]
    assert found == [
        ("hole", 6, 8),
        ("duplicate", 3, 5),
        ("position", 0, 9),
        ("missing row", 0, 6),
        ("missing row", 8, 9),
    ]


def test_a_table_that_was_merged_is_as_proven_as_before(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    sound(table)
    for number in range(10, 14):
        put(table, (number, number + 1), covers=(number, number + 1))
    assert verify_topic(table).files_read == 0
    table._table.optimize.compact()
    report = verify_topic(table)
    assert (report.faults, report.rows, report.files, report.files_read) == ((), 12, 1, 1)
    table._table.delete("kafka_offset = 11")
    assert [(found.kind, found.range) for found in verify_topic(table).faults] == [
        ("missing row", OffsetRange(PART, 11, 12))
    ]


def test_rows_that_somebody_else_added_are_found(folder: str) -> None:
    table = TopicTable.open_or_create(folder, "app")
    sound(table)
    write_deltalake(table._table, table.query("SELECT * FROM logs WHERE kafka_offset = 1"), mode="append")
    assert [(found.kind, found.range) for found in verify_topic(table).faults] == [
        ("duplicate row", OffsetRange(PART, 1, 2))
    ]


def test_a_file_that_is_gone_or_cut_short_is_found_without_reading_any(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    sound(table)
    gone, cut = (file.path for file in table.files())
    table._files.delete_file(gone)
    pq.write_table(pa.table({"a": [1]}), cut, filesystem=table._files)
    faults = verify_topic(table).faults
    assert [(found.kind, path in found.message) for found, path in zip(faults, (gone, cut), strict=True)] == [
        ("file", True),
        ("file", True),
    ]


def test_since_asks_only_for_rows_committed_from_then_on(folder: str) -> None:
    table = TopicTable.open_or_create(folder, "app")
    sound(table)
    forget(table, 0, 4)
    between = datetime.now(UTC)
    put(table, (10, 12), covers=(10, 12))
    assert [found.kind for found in verify_topic(table).faults] == ["missing row"]
    report = verify_topic(table, since=between)
    assert (report.faults, report.rows) == ((), 2)
    forget(table, 10, 11)
    assert [found.range for found in verify_topic(table, since=between).faults] == [OffsetRange(PART, 10, 11)]


def archived_from(source: MemorySource, folder: str) -> TopicTable:
    table = TopicTable.open_or_create(folder, "app")
    marks = list(source.watermarks(source.partitions("app")).values())
    append_ranges(
        table, source, TOPIC, marks, Limits(3, 2**20, timedelta(minutes=1)), event_time_span=timedelta(days=7)
    )
    return table


def filled() -> MemorySource:
    source = MemorySource()
    source.create("app")
    for number in range(10):
        source.produce("app", b"%d" % number, key=b"k" if number % 2 else None)
    return source


def test_a_deep_proof_reads_every_row_and_compares_it_with_what_kafka_holds(folder: str) -> None:
    source = filled()
    table = archived_from(source, folder)
    source.delete_records("app", 0, 4)
    report = verify_topic(table, source, deep=True)
    assert (report.faults, report.rows, report.files_read) == ((), 10, 4)


@pytest.mark.parametrize(
    "change", [{"value": b"other"}, {"key": b"other"}, {"at": NOON + timedelta(seconds=1)}], ids=str
)
def test_a_deep_proof_names_what_is_not_as_kafka_holds_it(folder: str, change: dict[str, Any]) -> None:
    source = filled()
    table = archived_from(source, folder)
    log = source._topics["app"][1][0]
    log.records[5] = replace(log.records[5], **change)
    assert verify_topic(table, source).ok
    assert [(found.kind, found.range) for found in verify_topic(table, source, deep=True).faults] == [
        ("differs", OffsetRange(PART, 5, 6))
    ]


def test_what_kafka_has_compacted_away_since_is_no_difference(folder: str) -> None:
    source = filled()
    table = archived_from(source, folder)
    del source._topics["app"][1][0].records[2:6]
    assert verify_topic(table, source, deep=True).faults == ()


def test_what_retention_deleted_on_purpose_is_no_difference_and_is_counted(folder: str) -> None:
    source = filled()
    source.produce("app", b"later", at=NOON + timedelta(hours=1))
    table = archived_from(source, folder)
    expire_hour(TopicUpkeep.open(folder, "app"), Hour(NOON))
    report = verify_topic(table, source, deep=True)
    assert (report.faults, report.rows, report.partitions[0].expired) == ((), 1, 10)


def test_a_record_where_the_commit_says_there_is_none_is_a_difference(folder: str) -> None:
    source = MemorySource()
    source.create("app")
    source.gap("app", offsets=3)
    table = archived_from(source, folder)
    again = MemorySource()
    again.create("app")
    for _ in range(3):
        again.produce("app", b"{}")
    assert [(found.kind, found.range) for found in verify_topic(table, again, deep=True).faults] == [
        ("differs", OffsetRange(PART, 0, 3))
    ]


def test_a_deep_proof_holds_footers_against_the_log(folder: str) -> None:
    table = TopicTable.open_or_create(folder, "app")
    files = table.stage(decode(raw_table([b"{}"] * 5), TOPIC, event_time_span=timedelta(days=7)))
    claimed = [
        replace(file, statistics=file.statistics.replace('"kafka_offset": 4', '"kafka_offset": 3')) for file in files
    ]
    table.commit(claimed, [OffsetRange(PART, 0, 5)])
    [fault] = verify_topic(table, deep=True).faults
    assert (fault.kind, "is not what the log says" in fault.message) == ("file", True)


def test_progress_is_told_and_ends_where_it_should(folder: str) -> None:
    source = filled()
    table = archived_from(source, folder)
    told: dict[str, tuple[int, int]] = {}
    verify_topic(table, source, deep=True, progress=lambda stage, done, total: told.update({stage: (done, total)}))
    assert told == {"log": (1, 1), "files": (4, 4), "records in Kafka": (10, 10)}


def test_a_report_is_json(folder: str) -> None:
    table = TopicTable.open_or_create(folder, "app")
    sound(table)
    record_losses(table, [OffsetRange(PART, 10, 12)], reason="deleted", at=NOON)
    report = json.loads(json.dumps(verify_topic(table).to_dict()))
    assert (report["ok"], report["rows"], report["partitions"][0]["gaps"]) == (True, 8, [[8, 10]])
    assert "gaps" not in verify_topic(table).to_summary()["partitions"][0]
    assert (report["losses"][0]["reason"], report["losses"][0]["at"]) == ("deleted", "2026-11-22T12:00:00+00:00")
