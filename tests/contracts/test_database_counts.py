"""Counting in SQL: positions and counts move together, once, whoever else writes. On SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from threading import Barrier

import pytest

from faultline.adapters.database import BatchMark, Database
from faultline.alerting.counts import merge_counts
from faultline.errors import PermanentError, Superseded, TransientError
from faultline.model import LateCount, TopicPartition
from tests.contracts.values import BUCKET, NOON, P0, P1, SECOND, count, evaluation, span

ALWAYS = (NOON - timedelta(days=1), NOON + timedelta(days=1))


def test_a_partition_no_one_counted_has_no_position(database: Database) -> None:
    assert database.positions([P0, P1]) == {P0: None, P1: None}


def test_counts_and_positions_are_recorded_together(database: Database) -> None:
    database.record_counts([span(5, 10), span(0, 3, P1)], [count(8)])
    assert database.positions([P0, P1]) == {P0: 10, P1: 3}
    assert database.counts_between(["app-logs"], *ALWAYS) == [count(8)]


def test_the_same_batch_again_is_superseded_and_changes_nothing(database: Database) -> None:
    database.record_counts([span(0, 10)], [count(10)])
    with pytest.raises(Superseded, match=r"app-logs/0\[0, 10\)"):
        database.record_counts([span(0, 10)], [count(10)])
    assert database.totals() == {"app-logs": 10}


@pytest.mark.parametrize(
    "ranges",
    [[span(5, 12)], [span(11, 12)], [span(0, 12)], [span(10, 12), span(1, 2, P1)]],
    ids=["overlap", "hole", "from the start", "one of two"],
)
def test_a_range_that_does_not_start_at_the_stored_offset_writes_nothing(database: Database, ranges: list) -> None:
    database.record_counts([span(0, 10), span(0, 0, P1)], [count(10)])
    with pytest.raises(Superseded):
        database.record_counts(ranges, [count(2)])
    assert database.positions([P0, P1]) == {P0: 10, P1: 0}
    assert database.totals() == {"app-logs": 10}


def test_what_came_too_late_is_added_up_by_topic_and_hour_with_the_positions_or_not_at_all(database: Database) -> None:
    hour, before = NOON, NOON - timedelta(hours=1)
    database.record_counts([span(0, 10)], [], late=[LateCount("app-logs", hour, 3), LateCount("app-logs", before, 1)])
    database.record_counts([span(10, 20)], [count(8)], late=[LateCount("app-logs", hour, 2)])
    with pytest.raises(Superseded):
        database.record_counts([span(10, 20)], [], late=[LateCount("app-logs", hour, 100)])
    assert database.late_dropped() == [LateCount("app-logs", hour, 5), LateCount("app-logs", before, 1)]
    assert database.totals() == {"app-logs": 8}
    database.prune(NOON)
    assert database.late_dropped() == [LateCount("app-logs", hour, 5)]


def test_what_an_evaluation_knew_is_told_from_what_came_since(database: Database) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    database.record_counts([span(0, 10)], [count(10)])
    database.record_evaluation(lease, evaluation(), mark=database.batch_mark())
    database.record_counts([span(10, 13)], [count(3)])
    found = database.evaluated("alerts")
    assert found is not None
    now = database.batch_mark()
    assert sum(each.count for each in database.counts_between(["app-logs"], *ALWAYS, found.mark)) == 10
    assert sum(each.count for each in database.counts_between(["app-logs"], *ALWAYS, now, found.mark)) == 3


@pytest.mark.parametrize(
    "mark",
    [BatchMark(), BatchMark(7), BatchMark(0, frozenset({1, 2, 3})), BatchMark(10, frozenset({11, 14}))],
    ids=["nothing", "only a floor", "all above it", "with a gap"],
)
def test_a_mark_is_read_as_it_was_written(mark: BatchMark) -> None:
    assert BatchMark.from_text(mark.to_text()) == mark


def test_a_recreated_topic_starts_a_position_of_its_own(database: Database) -> None:
    again = TopicPartition("app-logs", "t2", 0)
    database.record_counts([span(0, 10)], [count(10)])
    database.record_counts([span(0, 4, again)], [count(4)])
    assert database.positions([P0, again]) == {P0: 10, again: 4}


def test_of_two_counters_that_race_exactly_one_writes(database_url: str, database: Database) -> None:
    database.record_counts([span(0, 1), span(0, 1, P1)], [])
    start = Barrier(4)

    def race(number: int) -> str:
        with Database(database_url) as mine:
            start.wait()
            try:
                mine.record_counts([span(1, 2 + number), span(1, 2 + number, P1)], [count(number + 1)])
            except Superseded:
                return "superseded"
            return f"wrote {number + 1}"

    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(race, range(4)))
    assert results[:3] == ["superseded"] * 3
    assert results[3] == f"wrote {database.totals()['app-logs']}"


def test_of_two_first_counters_exactly_one_writes(database_url: str, database: Database) -> None:
    start = Barrier(2)

    def race(_number: int) -> bool:
        with Database(database_url) as mine:
            start.wait()
            try:
                mine.record_counts([span(0, 5)], [count(5)])
            except Superseded:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(race, range(2))) == [False, True]
    assert database.totals() == {"app-logs": 5}


def test_counts_are_summed_over_batches_with_the_earliest_sample(database: Database) -> None:
    parts = [
        count(3, offset=7, sample="later"),
        count(2, offset=1, sample="first"),
        count(1, bucket=1),
        count(4, level="ERROR"),
        replace(count(6), fingerprint=None),
    ]
    for number, part in enumerate(parts):
        database.record_counts([span(number, number + 1)], [part])
    found = database.counts_between(["app-logs"], *ALWAYS)
    assert merge_counts(found) == merge_counts(parts)
    assert {error.sample for error in found if error.count == 5} == {"first"}


def test_only_the_buckets_and_topics_asked_for_are_returned(database: Database) -> None:
    database.record_counts([span(0, 1)], [count(1, bucket=0), count(2, bucket=1), count(4, bucket=2)])
    database.record_counts([span(1, 2)], [count(8, bucket=1, topic="other")])
    assert [error.count for error in database.counts_between(["app-logs"], NOON + BUCKET, NOON + 2 * BUCKET)] == [2]
    assert [error.count for error in database.counts_between(["app-logs", "other"], *ALWAYS)] == [1, 2, 8, 4]
    assert database.counts_between([], *ALWAYS) == []


def test_text_from_a_log_is_stored_whatever_it_holds(database: Database) -> None:
    hostile = count(1, sample="a\x00b \ud83d 数据库 '; DROP TABLE counts; --", host="h\x00\u202e\ud800")
    database.record_counts([span(0, 1)], [hostile])
    (found,) = database.counts_between(["app-logs"], *ALWAYS)
    assert found.labels == hostile.labels
    assert found.sample == "a\ufffdb ? 数据库 '; DROP TABLE counts; --"


def test_times_come_back_in_utc_to_the_microsecond(database: Database) -> None:
    beijing = timezone(timedelta(hours=8))
    moment = datetime(2026, 11, 22, 20, 0, 0, 123456, tzinfo=beijing)
    database.record_counts([span(0, 1)], [replace(count(1), first_ts=moment, last_ts=moment)])
    (found,) = database.counts_between(["app-logs"], *ALWAYS)
    assert found.first_ts == moment
    assert found.first_ts.isoformat() == "2026-11-22T12:00:00.123456+00:00"


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="without a zone"):
        database.record_counts([span(0, 1)], [replace(count(1), first_ts=datetime(2026, 1, 1))])  # noqa: DTZ001
    assert database.positions([P0]) == {P0: None}


def test_the_watermark_is_the_slowest_partition_less_the_lateness(database: Database) -> None:
    database.record_counts([span(0, 1), span(0, 1, P1)], [], {P0: NOON + 9 * SECOND, P1: NOON + 5 * SECOND})
    assert database.watermark([P0, P1], 2 * SECOND) == NOON + 3 * SECOND


def test_there_is_no_watermark_while_a_partition_is_unknown(database: Database) -> None:
    database.record_counts([span(0, 1)], [], {P0: NOON})
    assert database.watermark([P0, P1], SECOND) is None
    assert database.watermark([], SECOND) is None


def test_an_idle_partition_advances_by_an_empty_range_and_never_goes_back(database: Database) -> None:
    database.record_counts([span(7, 7)], [], {P0: NOON})
    database.record_counts([span(7, 7)], [], {P0: NOON + SECOND})
    database.record_counts([span(7, 7)], [], {P0: NOON})
    database.record_counts([span(7, 8)], [count(1)])
    assert database.watermark([P0], 0 * SECOND) == NOON + SECOND
    assert database.positions([P0]) == {P0: 8}


def test_counts_without_a_range_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="no offset range"):
        database.record_counts([span(0, 0)], [count(1)])
    with pytest.raises(ValueError, match="not in the batch"):
        database.record_counts([span(0, 1)], [], {P1: NOON})


def test_prune_forgets_old_buckets_and_keeps_positions(database: Database) -> None:
    database.record_counts([span(0, 1)], [count(1, bucket=0), count(2, bucket=5)])
    assert database.prune(NOON + 5 * BUCKET) == 1
    assert database.totals() == {"app-logs": 2}
    assert database.positions([P0]) == {P0: 1}


def test_status_says_how_far_each_partition_is(database: Database) -> None:
    database.record_counts([span(0, 4), span(0, 2, P1)], [count(6)], {P0: NOON})
    assert [(row.partition, row.next_offset, row.complete_to) for row in database.counted()] == [
        (P0, 4, NOON),
        (P1, 2, None),
    ]


def test_without_a_schema_the_error_says_what_to_do(database_url: str) -> None:
    with Database(database_url) as empty, pytest.raises(PermanentError, match="migrate"):
        empty.positions([P0])


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("postgresql+psycopg2://nobody@127.0.0.1:1/none", TransientError, "refused"),
        ("sqlite:////no/such/folder/faultline.db", PermanentError, "folder"),
        ("sqlite://", PermanentError, "needs a file"),
        ("mysql://host/db", PermanentError, "not supported|not a database URL"),
        ("nonsense", PermanentError, "not a database URL"),
    ],
    ids=["refused", "no folder", "in memory", "other product", "no URL"],
)
def test_a_database_that_cannot_be_opened_says_whether_waiting_helps(
    url: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        Database(url).positions([P0])


def test_new_counts_are_those_of_batches_that_the_mark_does_not_know(database: Database) -> None:
    database.record_counts([span(0, 10)], [count(10)])
    mark = database.batch_mark()
    database.record_counts([span(10, 15)], [count(5, bucket=1)])
    assert database.counts_between(["app-logs"], NOON, NOON + 10 * BUCKET, mark) == [count(10)]
    new, mark = database.new_counts(["app-logs"], mark)
    assert new == [count(5, bucket=1)]
    assert database.new_counts(["app-logs"], mark) == ([], mark)


def test_a_batch_that_is_committed_after_one_that_began_later_is_new(database: Database) -> None:
    for number in range(3):
        database.record_counts([span(number, number + 1)], [count(1, bucket=number)])
    without_the_second = BatchMark(0, database.batch_mark().above - {2})
    new, mark = database.new_counts(["app-logs"], without_the_second)
    assert (new, mark) == ([count(1, bucket=1)], database.batch_mark())
