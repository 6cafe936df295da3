"""Hours leave the table whole and on the record; the log gets shorter and still says everything."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_notes import expiry_note
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.expire import expire_hour, shorten_log, vacuum
from faultline.archive.hours import Hour
from faultline.archive.table import Loss
from faultline.archive.verify import verify_topic
from faultline.model import OffsetRange, TopicPartition
from tests.archive.upkeep import HOUR, NOON, PART, fill, merge_all, put


@pytest.fixture
def table(archive: str) -> TopicUpkeep:
    return TopicUpkeep.open_or_create(archive, "app")


@pytest.fixture
def local(folder: str) -> TopicUpkeep:
    return TopicUpkeep.open_or_create(folder, "app")


def reopened(table: TopicTable) -> TopicUpkeep:
    return TopicUpkeep.open(table.url.rsplit("/app", 1)[0], "app")


def log_files(table: TopicTable) -> list[Path]:
    return sorted(Path(table.url.removeprefix("file://"), "_delta_log").glob("*"))


def age(files: list[Path], by: timedelta) -> None:
    for file in files:
        os.utime(file, (time.time() - by.total_seconds(),) * 2)


def test_an_expired_hour_is_gone_and_the_table_still_proven(table: TopicUpkeep) -> None:
    end = fill(table)
    assert expire_hour(table, Hour(NOON)) == 50
    assert [str(hour) for hour in sorted({file.hour for file in table.data_files()})] == ["2026-11-22T13"]
    report = verify_topic(table)
    assert (report.faults, report.rows, table.positions([PART])) == ((), 50, {PART: end})
    assert table.ledger().expired == (OffsetRange(PART, 0, 50),)
    assert expire_hour(table, Hour(NOON)) == 0


def test_offsets_of_an_expired_hour_are_known_one_by_one(local: TopicUpkeep) -> None:
    for number in range(6):
        put(local, number * 3, number * 3 + 3, hour=number % 2)
    merge_all(local)
    expire_hour(local, Hour(NOON + HOUR))
    assert local.ledger().expired == tuple(OffsetRange(PART, at, at + 3) for at in (3, 9, 15))
    assert verify_topic(local).faults == ()
    local._table.delete("kafka_offset = 7")
    assert [finding.range for finding in verify_topic(local).faults] == [OffsetRange(PART, 7, 8)]


def test_late_rows_of_an_expired_hour_expire_with_the_next_round(local: TopicUpkeep) -> None:
    end = fill(local, hours=1)
    expire_hour(local, Hour(NOON))
    put(local, end, end + 3)
    assert verify_topic(local).faults == ()
    assert expire_hour(local, Hour(NOON)) == 3
    assert local.ledger().expired == (OffsetRange(PART, 0, 50), OffsetRange(PART, 50, 53))
    assert verify_topic(local).faults == ()


def test_an_append_from_before_an_expiry_commits_after_it(table: TopicUpkeep) -> None:
    end = fill(table, hours=1)
    writer = reopened(table)
    expire_hour(table, Hour(NOON))
    put(writer, end, end + 5, hour=1)
    report = verify_topic(table)
    assert (report.faults, report.rows) == ((), 5)


def test_an_append_during_an_expiry_keeps_its_rows(local: TopicUpkeep) -> None:
    end = fill(local, hours=1)
    writer, waiting = reopened(local), [1]

    def checkpoint(step: str) -> None:
        if step == "before_expiry_commit" and waiting:
            waiting.pop()
            put(writer, end, end + 4)

    assert expire_hour(local, Hour(NOON), checkpoint=checkpoint) == 54
    assert verify_topic(local).faults == ()


def test_a_shortened_log_says_the_same_of_offsets(local: TopicUpkeep) -> None:
    end = fill(local)
    gone = OffsetRange(PART, end, end + 2)
    local.commit(
        (), [OffsetRange(PART, end, end + 3)], [OffsetRange(PART, end + 2, end + 3)], [Loss(gone, "lost", NOON)]
    )
    other = TopicPartition("app", "generation-2", 0)
    local.commit((), [OffsetRange(other, 0, 1)], [OffsetRange(other, 0, 1)])
    expire_hour(local, Hour(NOON))
    before = verify_topic(local)
    age(log_files(local), timedelta(days=31))
    shorten_log(local)
    again = reopened(local)
    assert len([file for file in log_files(again) if file.suffix == ".json"]) <= 2
    after = verify_topic(again)
    assert (after.partitions, after.losses, after.faults) == (before.partitions, before.losses, ())
    assert again.positions([PART, other]) == {PART: end + 3, other: 1}
    put(again, end + 3, end + 5)
    assert verify_topic(again).faults == ()


def test_faults_outlive_the_log_that_shows_them(local: TopicUpkeep) -> None:
    fill(local, hours=1)
    local._table.delete("kafka_offset = 7")
    before = verify_topic(local).faults
    age(log_files(local), timedelta(days=31))
    shorten_log(local)
    assert verify_topic(reopened(local)).faults == before != ()


def test_many_gaps_fit_into_a_commit() -> None:
    """A topic with transactions has a marker every few records."""
    gaps = [OffsetRange(PART, at, at + 1) for at in range(0, 1_000_000, 10)]
    assert len(json.dumps(expiry_note([Hour(NOON)], 0, gaps))) < 100_000


def test_vacuum_takes_what_left_the_table_and_what_never_was_in_it_when_it_is_old_enough(local: TopicUpkeep) -> None:
    fill(local, hours=1)
    folder = Path(local.url.removeprefix("file://"))
    merge_all(local)
    put(local, 50, 55)
    orphan = local.stage(next(local.read(local.data_files()[:1])))
    assert vacuum(local, timedelta(hours=1)) == []
    age([folder / file.path for file in orphan], timedelta(hours=2))
    assert vacuum(local, timedelta(hours=1)) == [orphan[0].path]
    assert local.vacuum(timedelta(0), dry_run=True)
    assert len(vacuum(local, timedelta(0))) == 5
    assert len(list(folder.glob("dt=*/hr=*/*"))) == 2
    assert verify_topic(reopened(local)).faults == ()


def test_a_reader_from_before_a_merge_reads_until_vacuum(table: TopicUpkeep) -> None:
    end = fill(table)
    reader = reopened(table)
    merge_all(table)
    vacuum(table, timedelta(hours=1))
    assert reader.query("SELECT count(*) AS n FROM logs WHERE raw IS NOT NULL")["n"][0].as_py() == end
