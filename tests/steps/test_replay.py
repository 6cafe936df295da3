"""A replay's order, pace and ends, with a writer that remembers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from faultline.archive.replay import Failure, Outgoing, Replayed
from faultline.archive.search.query import EVERYTHING
from faultline.archive.search.scan import Progress
from faultline.model import Interval
from faultline.steps.replay import measure, replay
from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append, opened

DAY = Interval(NOON - timedelta(days=1), NOON + timedelta(days=1))


class Writer:
    """Takes all messages but those whose value is among the refused."""

    def __init__(self, *refused: bytes) -> None:
        self.sent: list[bytes | None] = []
        self._refused = refused

    def send(self, messages: Iterable[Outgoing]) -> list[Failure]:
        tried = list(messages)
        self.sent += [message.value for message in tried]
        return [Failure(message, "refused") for message in tried if message.value in self._refused]


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Five records, the later ones in an earlier hour."""
    for number in range(5):
        at = NOON + timedelta(hours=3 - number)
        append(str(tmp_path), raw_table([b"%d" % number], at=at, start=number))
    return str(tmp_path)


def steps(archive: str, writer: Writer, rate: float, sleeps: list[float]) -> list[Replayed]:
    run = replay(
        [opened(archive)],
        EVERYTHING,
        DAY,
        writer,
        partitions=1,
        rate=rate,
        sleep=sleeps.append,
        clock=lambda: 0.0,  # type: ignore[arg-type]
    )
    return list(run)


def test_the_oldest_event_goes_first_at_the_rate_asked_for(archive: str) -> None:
    writer, sleeps = Writer(), list[float]()
    done = steps(archive, writer, 0.5, sleeps)
    assert writer.sent == [b"4", b"3", b"2", b"1", b"0"]
    assert done[-1] == Replayed(5, 0, NOON + timedelta(hours=3))
    assert sleeps == [2, 4, 6, 8, 10]


def test_a_record_that_is_refused_is_counted_and_named(archive: str, caplog: pytest.LogCaptureFixture) -> None:
    done = steps(archive, Writer(b"2"), 10, [])
    assert (done[-1].delivered, done[-1].failed) == (4, 1)
    assert "app/0/2 was not taken: refused" in caplog.text


def test_it_ends_when_nothing_of_a_portion_is_taken(tmp_path: Path) -> None:
    append(str(tmp_path), raw_table([b"a"] * 10 + [b"b"] * 10, start=0))
    append(str(tmp_path), raw_table([b"b"] * 10, start=20))
    writer = Writer(b"b")
    [first, last] = steps(str(tmp_path), writer, 100, [])
    assert (first, last) == (Replayed(10, 0, NOON), Replayed(10, 10, NOON))
    assert len(writer.sent) == 20


def test_what_there_is_to_replay_is_measured(archive: str) -> None:
    extent = measure([opened(archive)], EVERYTHING, DAY, Progress())
    assert extent is not None
    assert (extent.records, extent.first, extent.last) == (5, NOON - timedelta(hours=1), NOON + timedelta(hours=3))
    assert measure([opened(archive)], EVERYTHING, Interval(DAY.start, DAY.start), Progress()) is None
