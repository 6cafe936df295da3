"""What is new in a table since a plan was made."""

from __future__ import annotations

from collections.abc import Sequence

from faultline.archive.appended import added_to
from faultline.archive.table import CommittedRange
from faultline.model import OffsetRange, TopicPartition

P0, P1 = (TopicPartition("app", "id", number) for number in (0, 1))


def commit(partition: TopicPartition, start: int, end: int, rows: int, hours: Sequence[str]) -> CommittedRange:
    files = tuple(f"dt=2026-11-22/hr={hour}/some-file.parquet" for hour in hours)
    return CommittedRange(1, OffsetRange(partition, start, end), rows, (), files=files)


def test_the_rows_and_hours_of_every_commit_of_the_ranges_count_and_no_others() -> None:
    planned = [OffsetRange(P0, 10, 30)]
    commits = [
        commit(P0, 0, 10, 10, ["01"]),
        commit(P0, 10, 20, 9, ["06", "05"]),
        commit(P1, 10, 30, 20, ["02"]),
        commit(P0, 20, 30, 10, ["06"]),
        commit(P0, 30, 40, 10, ["07"]),
    ]
    added = added_to(planned, commits)
    assert (added.rows, list(map(str, added.hours))) == (19, ["2026-11-22T05", "2026-11-22T06"])
    assert added.offsets == tuple(planned)


def test_ranges_that_no_commit_has_are_no_rows() -> None:
    added = added_to([OffsetRange(P0, 10, 30)], [])
    assert (added.rows, added.hours) == (0, ())
