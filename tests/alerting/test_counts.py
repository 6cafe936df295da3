"""Counting: which records fall into which count, and that counts add up however a batch is split."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.alerting.counts import complete_to, count_events, merge_counts
from faultline.model import Labels, OffsetRange, TopicPartition
from faultline.records.schema import EVENT_SCHEMA
from faultline.topicfile import TopicConfig

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BUCKET = 10 * SECOND
TOPIC = TopicConfig(name="app-logs", count_labels=("shop",))
SCHEMA = EVENT_SCHEMA.append(pa.field("label.shop", pa.string()))


def record(second: float = 0, offset: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": NOON + second * SECOND,
        "time_source": "record",
        "level": "ERROR",
        "service": "db",
        "message": "boom",
        "raw": b"{}",
        "kafka_topic_id": "t1",
        "kafka_partition": 0,
        "kafka_offset": offset,
        **fields,
    }


def table(*records: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(records), schema=SCHEMA)


def count(*records: dict[str, Any]) -> list:
    return count_events(table(*records), TOPIC, bucket=BUCKET)


def test_no_records_are_no_counts() -> None:
    assert count() == []


def test_a_count_has_bucket_labels_times_and_the_earliest_record_as_its_sample() -> None:
    (found,) = count(
        record(7.5, 3, message="late", fingerprint="v1:a"), record(2.25, 4, message="early", fingerprint="v1:a")
    )
    assert found.bucket_start == NOON
    assert found.labels == {"service": "db", "level": "ERROR", "topic": "app-logs"}
    assert (found.count, found.first_ts, found.last_ts) == (2, NOON + 2.25 * SECOND, NOON + 7.5 * SECOND)
    assert (found.fingerprint, found.sample, found.sample_partition, found.sample_offset) == ("v1:a", "early", 0, 4)


def test_of_records_of_one_moment_the_lowest_coordinates_are_the_sample() -> None:
    (found,) = count(record(0, 5, kafka_partition=1), record(0, 9), record(0, 4, kafka_partition=1))
    assert (found.sample_partition, found.sample_offset) == (0, 9)


@pytest.mark.parametrize(
    ("second", "bucket"),
    [(0, 0), (9.999999, 0), (10, 1), (-0.000001, -1), (-10, -1), (-10.000001, -2)],
    ids=["start", "last microsecond", "next", "just before", "before", "two before"],
)
def test_buckets_are_aligned_to_the_epoch(second: float, bucket: int) -> None:
    (found,) = count(record(second))
    assert found.bucket_start == NOON + bucket * BUCKET


def test_a_time_before_1970_has_a_bucket_too() -> None:
    (found,) = count(record(timestamp=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)))
    assert found.bucket_start == datetime(1969, 12, 31, 23, 59, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"service": None, "level": None}, {}),
        ({"service": "", "level": ""}, {}),
        (
            {"environment": "prod", "host": "h1", "logger": "app.db", "exception_type": "OSError"},
            {
                "service": "db",
                "level": "ERROR",
                "environment": "prod",
                "host": "h1",
                "logger": "app.db",
                "exception_type": "OSError",
            },
        ),
        ({"label.shop": "数据"}, {"service": "db", "level": "ERROR", "shop": "数据"}),
        ({"parse_error": "not JSON", "level": None}, {"service": "db", "parse_error": "true"}),
        ({"service": "s" * 1_000_000}, {"service": "s" * 200, "level": "ERROR"}),
    ],
    ids=["absent", "empty", "every column", "count label", "not parsed", "a megabyte"],
)
def test_labels_are_the_fields_a_record_has(fields: dict[str, Any], labels: dict[str, str]) -> None:
    (found,) = count(record(**fields))
    assert found.labels == Labels({**labels, "topic": "app-logs"})


def test_labels_that_are_equal_once_cut_are_one_count() -> None:
    (found,) = count(record(service="s" * 200 + "a"), record(service="s" * 200 + "b"))
    assert found.count == 2


def test_a_count_label_that_the_batch_lacks_is_absent() -> None:
    (found,) = count_events(table(record()).drop_columns(["label.shop"]), TOPIC, bucket=BUCKET)
    assert "shop" not in found.labels


@pytest.mark.parametrize(
    ("fields", "sample"),
    [
        ({"message": "数" * 600}, "数" * 500),
        ({"message": None, "raw": b"\xff\xfe broken"}, "\ufffd\ufffd broken"),
        ({"message": None, "raw": "数".encode() * 600}, "数" * 500),
        ({"message": "", "raw": b"x"}, ""),
        ({"message": None, "raw": None}, None),
    ],
    ids=["long", "raw that is not UTF-8", "long raw", "empty message", "nothing"],
)
def test_a_sample_is_the_message_or_the_raw_text_cut_to_500_characters(fields: dict[str, Any], sample: str) -> None:
    (found,) = count(record(**fields))
    assert found.sample == sample


RECORDS = st.builds(
    record,
    second=st.integers(-25, 25),
    offset=st.integers(0, 2**62),
    kafka_partition=st.integers(0, 3),
    level=st.sampled_from([None, "", "INFO", "ERROR"]),
    service=st.sampled_from([None, "a", "b"]),
    host=st.sampled_from([None, "", "h1", "h2"]),
    fingerprint=st.sampled_from([None, "v1:a", "v1:b"]),
    parse_error=st.sampled_from([None, "empty"]),
    message=st.one_of(st.none(), st.text(max_size=5)),
    **{"label.shop": st.sampled_from([None, "x"])},
)


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(RECORDS, max_size=30, unique_by=lambda one: (one["kafka_partition"], one["kafka_offset"])),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    random=st.randoms(use_true_random=False),
)
def test_counts_are_additive_under_any_split_and_order(records: list, cuts: list[int], random: Any) -> None:
    whole = count(*records)
    random.shuffle(records)
    edges = [0, *sorted(cuts), len(records)]
    parts = [part for start, end in pairwise(edges) for part in count(*records[start:end])]
    assert merge_counts(parts) == merge_counts(whole)
    assert len(merge_counts(whole)) == len(whole)
    assert sum(part.count for part in parts) == len(records)


P0, P1, P2 = (TopicPartition("app-logs", "t1", number) for number in range(3))


def test_a_partition_is_complete_to_its_latest_record_or_to_now_when_caught_up() -> None:
    events = table(record(1), record(5), record(3, kafka_partition=1), record(99, kafka_partition=2))
    ranges = [OffsetRange(P0, 0, 9), OffsetRange(P1, 0, 9), OffsetRange(P2, 0, 9)]
    at = NOON + 60 * SECOND
    assert complete_to(events, ranges, caught_up=[P1], at=at) == {P0: NOON + 5 * SECOND, P1: at, P2: at}


def test_a_partition_of_which_nothing_is_known_is_left_out() -> None:
    assert complete_to(table(), [OffsetRange(P0, 0, 0)], caught_up=[], at=NOON) == {}
