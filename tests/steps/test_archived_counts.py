"""Counting the archive: what was counted when the records came, hour by hour."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_search import SearchedTopic
from faultline.alerting.counts import count_events, merge_counts
from faultline.model import ErrorCount, Interval
from faultline.records.decode import decode
from faultline.steps.archived_counts import ArchivedHours, count_hours, find_hours
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig
from tests.archive.search.brute import append, compact

BUCKET = timedelta(seconds=10)
MINUTE = timedelta(minutes=1)
LABELLED = TopicConfig(name="app", count_labels=("tenant",))
AWKWARD = [b"not json", b"", b"\xff\xfe\x00", None]


def record(minute: float, service: str = "db", **more: str) -> bytes:
    fields = {"service": service, "level": "ERROR", "message": f"{service} failed", **more}
    return json.dumps({"@timestamp": (NOON + minute * MINUTE).isoformat(), **fields}).encode()


VALUES: Sequence[bytes | None] = [
    *(record(7.3 * number, ("db", "cart")[number % 2], tenant=f"t{number % 3}") for number in range(30)),
    *AWKWARD,
]


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Three and a half hours of records, in files of several commits; of one hour there are none."""
    url = str(tmp_path)
    for start in range(0, len(VALUES), 10):
        append(url, raw_table(VALUES[start : start + 10], start=start))
    append(url, raw_table([record(60 * 5)], at=NOON + timedelta(hours=5), start=len(VALUES)))
    return url


def opened(archive: str, topic: TopicConfig = LABELLED) -> SearchedTopic:
    return SearchedTopic(topic, TopicTable.open(archive, "app"))


def interval(start: float, end: float) -> Interval:
    return Interval(NOON + start * MINUTE, NOON + end * MINUTE)


def counted(archived: ArchivedHours) -> list[ErrorCount]:
    return merge_counts(count for stretch in count_hours(archived, BUCKET) for count in stretch.counts)


def live(topic: TopicConfig) -> list[ErrorCount]:
    events = decode(raw_table(VALUES), topic, event_time_span=timedelta(days=7))
    return merge_counts(count_events(events, topic, bucket=BUCKET))


@pytest.mark.parametrize("merged", [False, True], ids=["as appended", "merged and sorted by service"])
@pytest.mark.parametrize("topic", [LABELLED, TopicConfig(name="app")], ids=["count labels", "none"])
def test_counts_of_the_archive_are_those_made_of_the_records(archive: str, topic: TopicConfig, merged: bool) -> None:
    if merged:
        compact(archive)
    assert counted(find_hours([opened(archive, topic)], interval(0, 240))) == live(topic)


def test_every_hour_comes_once_also_one_without_records(archive: str) -> None:
    found = find_hours([opened(archive)], interval(30, 300.5))
    hours = [(each.interval, sum(count.count for count in each.counts)) for each in count_hours(found, BUCKET)]
    ends = [(30, 60), (60, 120), (120, 180), (180, 240), (240, 300), (300, 300.5)]
    assert [span for span, _ in hours] == [interval(*each) for each in ends]
    assert [records for _, records in hours] == [4, 8, 8, 5, 0, 1]


def test_what_is_left_out_is_not_counted(archive: str) -> None:
    found = find_hours([opened(archive)], interval(0, 240))
    some = count_hours(found, BUCKET, choose=lambda rows: rows.slice(0, 0))
    assert [list(each.counts) for each in some] == [[], [], [], []]


def test_covered_is_from_the_first_record_to_the_last(archive: str) -> None:
    covered = find_hours([opened(archive)], interval(-600, 6000)).covered
    assert covered is not None
    assert covered.start == NOON
    assert NOON + 300 * MINUTE < covered.end < NOON + 301 * MINUTE
    assert find_hours([opened(archive)], interval(240, 299)).covered is None


def test_progress_tells_of_every_row_that_the_plan_has(archive: str) -> None:
    compact(archive, group_rows=2)
    found, told = find_hours([opened(archive)], interval(10, 70)), list[tuple[datetime, int]]()
    for _ in count_hours(found, BUCKET, progress=lambda hour, rows: told.append((hour, rows))):
        pass
    assert sum(rows for _, rows in told) == found.rows > 10
    assert {hour for hour, _ in told} == {NOON, NOON + 60 * MINUTE}


def test_whoever_stops_reading_stops_the_counting(archive: str) -> None:
    compact(archive, group_rows=1)
    found, batches = find_hours([opened(archive)], interval(0, 301)), list[int]()
    stretches = count_hours(found, BUCKET, progress=lambda _, rows: batches.append(rows))
    next(stretches)
    stretches.close()
    told = len(batches)
    assert [each.name for each in threading.enumerate() if each.name.startswith("count")] == []
    assert len(batches) == told < found.rows
