"""Counts summed for charts and lists of errors, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from faultline.adapters.database import Database
from faultline.model import ErrorCount, Interval
from tests.contracts.values import NOON, P0, count, span

MINUTE = timedelta(minutes=1)
ALL = Interval(NOON - timedelta(days=1), NOON + timedelta(days=1))


def of(fingerprint: str | None, number: int = 1, *, bucket: int = 0, sample: str = "boom", **labels: str) -> ErrorCount:
    return replace(count(number, bucket=bucket, sample=sample, **labels), fingerprint=fingerprint)


def record(database: Database, *batches: list[ErrorCount]) -> None:
    done = database.positions([P0]).get(P0) or 0
    for number, batch in enumerate(batches, done):
        database.record_counts([span(number, number + 1)], batch)


def sets_of(database: Database, **labels: str) -> list[str]:
    return [id for id, known in database.known_labels(100).items() if labels.items() <= known.items()]


def drawn(database: Database, width: timedelta = MINUTE, **asked: object) -> list[tuple[datetime, str | None, int]]:
    sums = database.sums(ALL, width, **asked)  # type: ignore[arg-type]
    return sorted(((each.start, each.fingerprint, each.count) for each in sums), key=str)


def test_counts_are_summed_by_steps_of_time(database: Database) -> None:
    record(database, [of("a", 3), of("b", 4, bucket=5)], [of("a", 5), of("a", 7, bucket=6)])
    assert drawn(database) == [(NOON, None, 12), (NOON + MINUTE, None, 7)]
    assert drawn(database, timedelta(hours=1)) == [(NOON, None, 19)]


def test_a_sum_is_of_one_label_set_and_of_those_asked_for(database: Database) -> None:
    record(database, [of("a", 3), of("a", 4, service="web")])
    [web] = sets_of(database, service="web")
    assert sorted(each.count for each in database.sums(ALL, MINUTE)) == [3, 4]
    assert [(each.label_set, each.count) for each in database.sums(ALL, MINUTE, [web])] == [(web, 4)]
    assert database.sums(ALL, MINUTE, []) == []


def test_fingerprints_are_told_apart_all_or_some(database: Database) -> None:
    record(database, [of("a", 3), of("b", 4), of(None, 5), of("c", 6)])
    assert drawn(database, apart=True) == sorted(
        [(NOON, "a", 3), (NOON, "b", 4), (NOON, None, 5), (NOON, "c", 6)], key=str
    )
    assert drawn(database, apart=["a"]) == sorted([(NOON, "a", 3), (NOON, None, 15)], key=str)
    assert drawn(database, fingerprint="c") == [(NOON, None, 6)]


def test_buckets_outside_the_interval_are_not_summed(database: Database) -> None:
    record(database, [of("a", 1), of("a", 2, bucket=1), of("a", 4, bucket=2)])
    span_of_one = Interval(NOON + timedelta(seconds=10), NOON + timedelta(seconds=20))
    assert [each.count for each in database.sums(span_of_one, MINUTE)] == [2]


@pytest.mark.parametrize(("most", "bucket"), [(1, 3), (2, 2), (4, None), (9, None)])
def test_an_interval_is_cut_to_as_many_rows_as_are_read(database: Database, most: int, bucket: int | None) -> None:
    record(database, [of("a", bucket=number) for number in range(1, 5)])
    start = ALL.start if bucket is None else NOON + bucket * timedelta(seconds=10)
    assert database.reach(ALL, most) == Interval(start, ALL.end)


def test_the_most_frequent_fingerprints_come_with_their_newest_sample(database: Database) -> None:
    record(
        database,
        [of("a", 3), of("b", 9), of(None, 100)],
        [of("a", 8, bucket=2, sample="again", service="web"), of("c", 1)],
    )
    frequent, _ = database.seen(ALL, limit=2)
    assert [(each.fingerprint, each.count) for each in frequent] == [("a", 11), ("b", 9)]
    assert (frequent[0].sample, frequent[0].labels["service"]) == ("again", "web")
    assert (frequent[0].first, frequent[0].last) == (NOON, NOON + timedelta(seconds=20))


def test_a_fingerprint_of_which_there_was_none_before_is_new(database: Database) -> None:
    record(database, [of("old"), of("old", bucket=6), of("first", bucket=6), of("second", bucket=7)])
    later = Interval(NOON + MINUTE, ALL.end)
    assert [each.fingerprint for each in database.seen(later)[1]] == ["second", "first"]
    assert database.seen(ALL)[1] == [], "nothing before it says what is new"


def test_what_is_seen_is_of_the_label_sets_asked_for(database: Database) -> None:
    record(database, [of("x"), of("a", 3, bucket=6), of("a", 4, bucket=6, service="web"), of("b", 2, bucket=6)])
    later = Interval(NOON + MINUTE, ALL.end)
    frequent, new = database.seen(later, sets_of(database, service="web"))
    assert [(each.fingerprint, each.count) for each in frequent] == [("a", 4)]
    assert [each.fingerprint for each in new] == ["a"]
    assert [each.count for each in database.seen(later, fingerprint="b")[0]] == [2]


def test_a_fingerprint_is_known_since_its_earliest_count_whenever_that_came(database: Database) -> None:
    later = Interval(NOON + MINUTE, ALL.end)
    record(database, [of("a", bucket=7), of("b", bucket=7), of("old")])
    assert [each.fingerprint for each in database.seen(later)[1]] == ["a", "b"]
    record(database, [of("a", bucket=8)], [of("b", bucket=1), of("b", bucket=9)])
    assert [each.fingerprint for each in database.seen(later)[1]] == ["a"]


def test_a_fingerprint_is_known_for_as_long_as_there_are_counts_of_it(database: Database) -> None:
    record(database, [of("over"), of("goes on"), of("goes on", bucket=6), of("x", bucket=6)])
    database.prune(NOON + MINUTE)
    record(database, [of("over", bucket=12), of("goes on", bucket=12)])
    after = Interval(NOON + 2 * MINUTE, ALL.end)
    assert [each.fingerprint for each in database.seen(after)[1]] == ["over"]
