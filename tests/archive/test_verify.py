"""A proof that accepts everything proves nothing: each kind of damage is found, with the exact offsets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from faultline.adapters.delta import TopicTable
from faultline.archive.table import CommittedRange
from faultline.archive.verify import VerifyReport, judge, verify_topic
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.settings import TopicConfig
from faultline.testing.kafka import MemorySource
from faultline.testing.records import raw_table

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

    report = judge("app", 3, [commit(1, 0, 5), commit(2, 3, 6), commit(3, 8, 9)], {PART: 6}, {}, {})
    found = [(fault.kind, fault.range.start, fault.range.end) for fault in report.faults]
    assert found == [("hole", 6, 8), ("duplicate", 3, 5), ("position", 0, 9), ("missing row", 0, 9)]
