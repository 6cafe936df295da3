"""What is merged, what is left alone, what has had its time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.archive.compact import DataFile, closed_before, plan_expiry, plan_merges, small_files
from faultline.archive.hours import Hour
from faultline.testing.records import NOON

HOUR = timedelta(hours=1)
TARGET = 100


def file(size: int, *, hour: int = 0, merged: bool = False, name: str = "x") -> DataFile:
    at = Hour(NOON + hour * HOUR)
    return DataFile(f"{at.folder}/{'merged' if merged else 'part'}-{name}-{size}.parquet", at, size, size * 10)


def plan(*files: DataFile, until: datetime = NOON + HOUR, since: datetime | None = None) -> list[tuple[int, int]]:
    """(files, outputs) of each merge."""
    merges = plan_merges(files, target=TARGET, until=until, since=since)
    return [(len(merge.files), merge.outputs) for merge in merges]


CASES = {
    "appended files become one": ([file(10), file(20)], [(2, 1)]),
    "one appended file is sorted": ([file(10)], [(1, 1)]),
    "an appended file of any size is sorted": ([file(500)], [(1, 5)]),
    "what is merged is left alone": ([file(90, merged=True), file(10, merged=True)], []),
    "late rows go with the smallest merged file": (
        [file(90, merged=True), file(10, merged=True), file(1)],
        [(2, 1)],
    ),
    "merged files that are small together become fewer": ([file(30, merged=True), file(40, merged=True)], [(2, 1)]),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_a_closed_hour(files: list[DataFile], expected: list[tuple[int, int]]) -> None:
    assert plan(*files) == expected


def test_an_hour_that_is_open_is_left_alone() -> None:
    assert plan(file(1), file(2), until=NOON + HOUR - timedelta(seconds=1)) == []
    assert closed_before(NOON + HOUR, timedelta(minutes=10)) == NOON + timedelta(minutes=50)


def test_hours_are_merged_each_on_its_own_and_only_those_asked_for() -> None:
    files = [file(size, hour=hour) for hour in range(3) for size in (1, 2)]
    merges = plan_merges(files, target=TARGET, until=NOON + 2 * HOUR, since=NOON + HOUR)
    assert [str(merge.hour) for merge in merges] == ["2026-11-22T13"]


sizes = st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=60)


@given(sizes)
def test_every_plan_takes_a_file_once_and_comes_to_an_end(sizes: list[tuple[int, bool]]) -> None:
    files = [file(size, merged=merged, name=str(number)) for number, (size, merged) in enumerate(sizes)]
    for _ in range(20):
        merges = plan_merges(files, target=TARGET, until=NOON + HOUR)
        taken = [each for merge in merges for each in merge.files]
        assert len(taken) == len(set(taken))
        assert all(
            TARGET * 2 / 3 <= merge.size / merge.outputs <= TARGET * 1.5 or merge.outputs == 1 for merge in merges
        )
        if not merges:
            break
        written = [
            file(merge.size // merge.outputs, merged=True, name=f"{number}-{part}")
            for number, merge in enumerate(merges)
            for part in range(merge.outputs)
        ]
        files = [each for each in files if each not in taken] + written
    assert not merges


def test_small_files_are_those_of_less_than_half_the_target() -> None:
    assert small_files([file(49), file(50), file(51)], target=TARGET) == 1


def test_hours_expire_whole() -> None:
    files = [file(1, hour=hour) for hour in range(4)]
    now = NOON + 10 * HOUR
    assert [str(hour) for hour in plan_expiry(files, retention=8 * HOUR, now=now)] == ["2026-11-22T12", "2026-11-22T13"]
    assert plan_expiry(files, retention=None, now=now) == ()
