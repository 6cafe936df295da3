"""Appending a topic: however it is split, repeated or interrupted, the table has every offset once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultline.adapters.delta import TopicTable
from faultline.archive.append import STEPS, AppendReport, Limits, append_ranges
from faultline.archive.plan import plan_archive
from faultline.archive.verify import verify_topic
from faultline.errors import PermanentError, Superseded, TransientError
from faultline.model import OffsetRange
from faultline.records.schema import EVENT_SCHEMA
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON
from faultline.topicfile import TopicConfig

TOPIC = TopicConfig(name="app", count_labels=("status",))
SPAN = timedelta(days=7)


def fill(source: MemorySource, count: int, partition: int = 0, at: datetime = NOON) -> None:
    for number in range(count):
        source.produce(
            "app", b'{"level": "ERROR", "message": "m%d", "status": 500}' % number, partition=partition, at=at
        )


def append(
    table: TopicTable,
    source: MemorySource,
    ranges: list[OffsetRange] | None = None,
    rows: int = 1000,
    age: timedelta = SPAN,
    **more: Any,
) -> AppendReport:
    """Append what a run that ends now would."""
    parts = source.partitions("app")
    marks = source.watermarks(parts)
    until = {part: mark.end for part, mark in marks.items()}
    planned = ranges or list(plan_archive("app", table.positions(parts), marks, until, group_size=8).ranges)
    return append_ranges(table, source, TOPIC, planned, Limits(rows, 2**20, age), event_time_span=SPAN, **more)


def rows_of(table: TopicTable) -> list[dict[str, Any]]:
    names = ", ".join(EVENT_SCHEMA.names)
    return table.query(f"SELECT {names} FROM logs ORDER BY kafka_topic_id, kafka_partition, kafka_offset").to_pylist()


def test_a_run_archives_what_is_there_and_the_next_one_what_is_new(archive: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(archive, "app")
    fill(source, 5)
    fill(source, 3, partition=2)
    source.produce("app", b"\xff not JSON")
    first = append(table, source, group="faultline")
    assert (first.rows, first.batches, first.parse_errors, first.rows_per_hour) == (9, 1, 1, {"2026-11-22T12": 9})
    assert source.group_offsets["faultline"] == {
        part: offset for part, offset in table.positions(source.partitions("app")).items() if offset is not None
    }
    fill(source, 4, partition=1)
    assert append(TopicTable.open(archive, "app"), source).rows == 4
    report = verify_topic(table, source)
    assert (report.ok, report.rows, report.commits, [part.lag for part in report.partitions]) == (
        True,
        13,
        2,
        [0, 0, 0],
    )
    assert b"\xff not JSON" in [row["raw"] for row in rows_of(table)]


def test_a_repeated_run_adds_nothing(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 10)
    spans = [span for span in source.watermarks(source.partitions("app")).values() if len(span)]
    append(table, source, spans)
    version = table.version
    again = append(table, source, spans)
    assert (again.rows, again.ranges, again.already_archived, table.version) == (0, 0, 10, version)


def test_a_retry_adds_only_the_rest(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 10)
    [part, *_] = source.partitions("app")
    append(table, source, [OffsetRange(part, 0, 4)])
    rest = append(table, source, [OffsetRange(part, 0, 10)])
    assert (rest.rows, rest.already_archived) == (6, 4)
    assert verify_topic(table, source).ok


def test_a_plan_that_skips_offsets_is_refused(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 10)
    [part, *_] = source.partitions("app")
    append(table, source, [OffsetRange(part, 0, 4)])
    with pytest.raises(PermanentError, match="plan again"):
        append(table, source, [OffsetRange(part, 6, 10)])


def test_offsets_without_a_record_are_explained(archive: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(archive, "app")
    fill(source, 3)
    source.gap("app", offsets=2)
    fill(source, 1)
    source.gap("app", offsets=1)
    source.gap("app", partition=1, offsets=5)
    assert append(table, source).explained == 8
    report = verify_topic(table, source)
    assert report.ok
    assert [(part.next, part.rows, part.explained) for part in report.partitions] == [(7, 4, 3), (5, 0, 5), (0, 0, 0)]


def test_rows_go_to_the_folder_of_their_hour(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 2, at=NOON - timedelta(hours=13))
    fill(source, 3)
    report = append(table, source)
    assert report.rows_per_hour == {"2026-11-21T23": 2, "2026-11-22T12": 3}
    found = table.query("SELECT dt, hr, count(*) AS n FROM logs GROUP BY dt, hr ORDER BY dt, hr").to_pylist()
    assert found == [{"dt": "2026-11-21", "hr": "23", "n": 2}, {"dt": "2026-11-22", "hr": "12", "n": 3}]


@pytest.mark.parametrize("year", [1970, 2099])
def test_records_of_an_absurd_time_are_in_the_folder_of_it_beside_the_others(
    folder: str, source: MemorySource, year: int
) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 2, at=datetime(year, 1, 1, tzinfo=UTC))
    fill(source, 3)
    report = append(table, source)
    assert report.rows_per_hour == {f"{year}-01-01T00": 2, "2026-11-22T12": 3}
    assert verify_topic(table, source).ok


def test_a_topic_created_again_is_archived_beside_its_past(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 5)
    append(table, source)
    source.delete("app")
    source.create("app", 1)
    fill(source, 2)
    append(table, source)
    report = verify_topic(table, source)
    assert (report.ok, sorted((part.next, part.rows) for part in report.partitions)) == (True, [(2, 2), (5, 5)])


def test_what_was_read_before_the_broker_goes_away_is_archived_and_the_rest_by_a_retry(
    folder: str, source: MemorySource
) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 5)
    fill(source, 5, partition=1)

    def cut(step: str) -> None:
        source.unreachable |= step == "consuming"

    with pytest.raises(TransientError):
        append(table, source, checkpoint=cut)
    assert len(rows_of(table)) == 5
    source.unreachable = False
    assert append(table, source).rows == 5
    assert verify_topic(table, source).ok


LIMITS: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 1),
    "rows": ({"rows": 4}, 3),
    "time": ({"age": timedelta(0)}, 3),
}


@pytest.mark.parametrize(("limit", "commits"), LIMITS.values(), ids=LIMITS)
def test_a_commit_is_made_when_it_has_taken_enough(
    folder: str, source: MemorySource, limit: dict[str, Any], commits: int
) -> None:
    for partition in range(3):
        fill(source, 4, partition)
    assert append(TopicTable.open_or_create(folder, "app"), source, **limit).batches == commits


def test_records_of_many_hours_do_not_wait_for_each_other(folder: str, source: MemorySource) -> None:
    """Every hour is a file, and every file that is open takes memory."""
    for hour in range(36):
        fill(source, 1, partition=hour // 12, at=NOON - timedelta(hours=hour))
    report = append(TopicTable.open_or_create(folder, "app"), source)
    assert (report.batches, len(report.rows_per_hour)) == (2, 36)


def test_a_group_copy_that_fails_fails_nothing(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 3)

    def cut(step: str) -> None:
        source.unreachable = step == "before_group_offset_copy"

    assert append(table, source, group="g", checkpoint=cut).rows == 3


def test_an_old_range_never_moves_a_group_back(folder: str, source: MemorySource) -> None:
    table = TopicTable.open_or_create(folder, "app")
    fill(source, 10)
    [part, *_] = source.partitions("app")
    append(table, source, group="g")
    append(table, source, [OffsetRange(part, 0, 4)], group="g")
    assert source.group_offsets["g"][part] == 10


def test_of_two_writers_from_one_snapshot_one_is_superseded(archive: str, source: MemorySource) -> None:
    one = TopicTable.open_or_create(archive, "app")
    fill(source, 10)
    spans = [span for span in source.watermarks(source.partitions("app")).values() if len(span)]
    late = TopicTable.open(archive, "app")

    def overtake(step: str) -> None:
        if step == "before_commit":
            append(one, source, spans)

    with pytest.raises(Superseded):
        append(late, source, spans, checkpoint=overtake)
    assert (verify_topic(one, source).ok, len(rows_of(one))) == (True, 10)


def test_the_steps_are_those_that_are_named(folder: str, source: MemorySource) -> None:
    steps: list[str] = []
    fill(source, 2)
    append(TopicTable.open_or_create(folder, "app"), source, checkpoint=steps.append, group="g")
    assert tuple(steps) == STEPS


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=5), st.integers(1, 7))
def test_however_a_topic_is_split_the_table_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, portions: list[tuple[int, int]], batch: int
) -> None:
    source = MemorySource()
    source.create("app", 3)
    split = TopicTable.open_or_create(str(tmp_path_factory.mktemp("split")), "app")
    whole = TopicTable.open_or_create(str(tmp_path_factory.mktemp("whole")), "app")
    for partition, count in portions:
        fill(source, count, partition)
        source.gap("app", partition)
        append(split, source, rows=batch)
        append(split, source, rows=batch)
    append(whole, source)
    assert rows_of(split) == rows_of(whole)
    assert verify_topic(split, source).ok
    assert verify_topic(whole, source).ok
