"""Where a replay goes, as what and how fast; no Kafka needed."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from faultline.archive.replay import COLUMNS, Destination, Replayed, pause, portion, to_messages
from faultline.archive.search.query import EVERYTHING
from faultline.archive.search.scan import Search, search
from faultline.errors import PermanentError
from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append, opened


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("kafka://again", Destination("again")),
        ("kafka://a:9092,b:9092/again", Destination("again", "a:9092,b:9092")),
    ],
)
def test_a_destination_is_a_topic_and_perhaps_a_cluster(url: str, destination: Destination) -> None:
    assert Destination.parse(url) == destination


@pytest.mark.parametrize("url", ["again", "kafka://", "kafka://a:9092/", "kafka:///again", "http://a/b"])
def test_anything_else_is_no_destination(url: str) -> None:
    with pytest.raises(ValueError, match="expected kafka://topic or kafka://host:9092/topic"):
        Destination.parse(url)


def test_an_archived_topic_is_refused_unless_it_is_meant() -> None:
    Destination("again").check(["app"], allow_same_topic=False)
    Destination("app").check(["app"], allow_same_topic=True)
    with pytest.raises(PermanentError, match="--allow-same-topic"):
        Destination("app").check(["app"], allow_same_topic=False)


def test_a_message_is_the_record_and_says_where_it_was(folder: str) -> None:
    append(folder, raw_table([b"\xff", None], partition=5, start=7))
    [rows] = search([opened(folder)], Search(EVERYTHING, columns=COLUMNS, newest_first=False))
    broken, tombstone = to_messages(rows, 3)
    assert (broken.partition, broken.value, broken.key, tombstone.value) == (2, b"\xff", None, None)
    assert broken.timestamp == NOON.timestamp() * 1000
    assert (tombstone.origin, dict(tombstone.headers)["faultline.origin.topic_id"]) == ("app/5/8", b"generation-1")


@pytest.mark.parametrize(
    ("sent", "elapsed", "rate", "seconds"), [(100, 0.5, 100, 0.5), (100, 2, 100, 0), (100, 0, 0, 0), (1, 0, 0.5, 2)]
)
def test_a_replay_waits_until_it_is_no_faster_than_asked(
    sent: int, elapsed: float, rate: float, seconds: float
) -> None:
    assert pause(sent, elapsed, rate) == seconds


def test_portions_are_short_in_time() -> None:
    assert [portion(rate) for rate in (0, 0.1, 1000, 10**9)] == [5000, 1, 100, 5000]


def test_it_is_counted_how_far_a_replay_is() -> None:
    rows = pa.table({"timestamp": pa.array([NOON, NOON + timedelta(seconds=1)], pa.timestamp("us", tz="UTC"))})
    assert Replayed(3, 1).after(rows, 1) == Replayed(4, 2, NOON + timedelta(seconds=1))
