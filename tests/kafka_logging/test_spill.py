"""What Kafka cannot take waits on disk, bounded, and arrives later, whatever dies in between."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafka_logging import HandlerStats, replay
from kafka_logging.segments import Segment, Spilled, decode, encode
from kafka_logging.spill import Spill, SpillError
from kafka_logging.stats import Tally
from kafka_logging.testing import CaptureHandler


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replay looks for a broker a hundred times a second."""
    monkeypatch.setattr(replay, "PAUSE_SECONDS", 0.01)


messages = st.builds(
    Spilled,
    st.text(min_size=1),
    st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.text(), st.binary()), max_size=3).map(tuple),
)


def message(number: int, size: int = 10) -> Spilled:
    return Spilled("logs", f"{number}".encode().ljust(size), None, ())


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return logger


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def spill(folder: Path, origin: str = "a", max_bytes: int = 1_000_000) -> tuple[Spill, Tally]:
    tally = Tally()
    return Spill(folder, origin, max_bytes, tally), tally


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_the_size_is_that_of_the_files(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder = tmp_path_factory.mktemp("spill")
    kept, _ = spill(folder, max_bytes=20_000)
    for number, size in enumerate(sizes):
        kept.append(message(number, size))
        assert kept._size == sum(path.stat().st_size for path in folder.glob("*/*.spill")) <= 24_000
    while (segment := kept.next()) is not None:
        kept.finish(segment)
    assert kept._size == 0


def test_segments_are_small_whatever_the_disk_may_hold(tmp_path: Path) -> None:
    kept, _ = spill(tmp_path, max_bytes=2**30)
    for number in range(20):
        kept.append(message(number, size=2**19))
    kept.close()
    assert max(path.stat().st_size for path in tmp_path.glob("*/*.spill")) < 5 * 2**20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages)
def test_a_message_comes_back_as_it_was(given: Spilled) -> None:
    assert decode(encode(given)) == given


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.lists(messages, min_size=1, max_size=5), cut=st.integers(0, 200))
def test_a_torn_file_gives_its_whole_messages(
    tmp_path_factory: pytest.TempPathFactory, kept: list[Spilled], cut: int
) -> None:
    segment = Segment(tmp_path_factory.mktemp("spill") / "1.spill")
    ends = [segment.append(each) and segment.size for each in kept]
    segment.close()
    size = max(segment.size - cut, 0)
    os.truncate(segment.path, size)
    whole = sum(end <= size for end in ends)
    found = Segment.found(segment.path)
    assert (found.count, found.read()) == (whole, kept[:whole])


def test_a_damaged_message_ends_the_segment(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "1.spill")
    for number in range(3):
        segment.append(message(number))
    data = bytearray(segment.path.read_bytes())
    data[-1] ^= 1
    segment.path.write_bytes(data)
    assert Segment.found(segment.path).read() == [message(0), message(1)]


def test_the_oldest_segment_goes_when_the_folder_is_full(tmp_path: Path) -> None:
    kept, tally = spill(tmp_path, max_bytes=8_000)
    for number in range(100):
        kept.append(message(number, 200))
        tally.spill(sent=False)
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*/*.spill"))
    assert 6_000 < on_disk <= 8_000
    lost = tally.stats([]).dropped["spill_full"] if (oldest := kept.next()) else 0
    assert oldest
    assert oldest.read()[0] == message(lost, 200)
    kept.close()


def test_nobody_adopts_what_a_living_process_writes(tmp_path: Path) -> None:
    first, _ = spill(tmp_path, "a")
    first.append(message(1))
    second, tally = spill(tmp_path, "b")
    second.adopt()
    assert second.next() is None
    first.close()
    second.adopt()
    adopted = second.next()
    assert adopted
    assert adopted.read() == [message(1)]
    assert tally.stats([]).spilled == 1
    second.close()


def test_what_was_replayed_is_not_adopted_again(tmp_path: Path) -> None:
    first, tally = spill(tmp_path, "a")
    for number in range(3):
        first.append(message(number))
        tally.spill(sent=False)
    segment = first.next()
    assert segment
    first.advance(segment, 2, 0)
    first.close()
    second, tally = spill(tmp_path, "b")
    second.adopt()
    segment = second.next()
    assert segment
    assert segment.read() == [message(2)]
    second.advance(segment, 1, 0)
    second.finish(segment)
    assert tally.stats([]).spilled == 0
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_a_spill_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    kept, _ = spill(tmp_path / "file")
    with pytest.raises(SpillError, match="Not a directory"):
        kept.append(message(1))
    kept.adopt()
    kept.close()


def outage(folder: Path, number: int = 20, **options: Any) -> tuple[CaptureHandler, logging.Logger]:
    """A handler with so many errors logged while its broker is away; five fit into its queue."""
    handler = CaptureHandler(spill_dir=folder, queue_max_messages=5, **options)
    handler.reachable = False
    log = logger_with(handler)
    for each in range(number):
        log.error("%d", each, extra={"user": "ann"})
    return handler, log


def test_after_an_outage_all_arrive_once_and_nothing_is_left_on_disk(tmp_path: Path) -> None:
    handler, _ = outage(tmp_path, key="field:user", headers={"zone": "a"})
    assert handler.stats() == HandlerStats(emitted=20, delivered=0, queued=5, dropped={}, failed=0, spilled=15)
    handler.reachable = True
    until(lambda: handler.stats().spilled == 0)
    handler.close()
    assert handler.stats() == HandlerStats(emitted=20, delivered=20, queued=0, dropped={}, failed=0)
    arrived = [each for producer in handler.producers for each in producer.delivered]
    assert sorted(int(json.loads(each.value)["@message"]) for each in arrived) == list(range(20))
    assert {each.key for each in arrived} == {b"ann"}
    assert {name for each in arrived for name, _ in each.headers} == {"zone"}
    assert list(tmp_path.iterdir()) == []


def test_close_with_a_dead_broker_spills_all_and_the_next_handler_replays_it_once(tmp_path: Path) -> None:
    first, _ = outage(tmp_path)
    first.close()
    assert first.stats() == HandlerStats(emitted=20, delivered=0, queued=0, dropped={}, failed=0, spilled=20)
    ids = {json.loads(each.value)["@fields"]["record_id"] for producer in first.producers for each in producer.queued}
    second = CaptureHandler(spill_dir=tmp_path)
    logger_with(second).error("up again")
    until(lambda: second.stats().delivered == 20)
    second.close()
    assert second.stats() == HandlerStats(emitted=21, delivered=21, queued=0, dropped={}, failed=0)
    lines = [json.loads(each.value) for producer in second.producers for each in producer.delivered]
    assert sorted(line["@message"] for line in lines) == sorted([*map(str, range(20)), "up again"])
    assert len({line["@fields"]["record_id"] for line in lines} | ids) == 21
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_loses_the_oldest_and_says_how_many(tmp_path: Path) -> None:
    handler, _ = outage(tmp_path, 200, spill_max_kbytes=30)
    stats = handler.stats()
    assert stats.dropped == {"spill_full": 200 - 5 - stats.spilled}
    assert 0 < stats.spilled < 100
    handler.close()


def test_a_folder_that_cannot_be_written_costs_records_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    handler, _ = outage(tmp_path / "file")
    assert handler.stats().dropped == {"spill_failed": 15}
    handler.close()
    assert handler.stats().dropped == {"spill_failed": 15, "purge_queue": 5}


FULL_DISK = """
import logging, resource, signal, sys
from kafka_logging.testing import CaptureHandler

resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
handler = CaptureHandler(spill_dir=sys.argv[1], queue_max_messages=5)
handler.reachable = False
logger = logging.Logger("shop")
logger.addHandler(handler)
for number in range(50):
    logger.error("%d", number)
handler.close()
stats = handler.stats()
print(stats.emitted, stats.spilled + sum(stats.dropped.values()), stats.spilled)
"""


def test_a_full_disk_keeps_whole_what_it_took(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, timeout=60, check=True
    )
    emitted, accounted, spilled = map(int, done.stdout.split())
    assert emitted == accounted == 50
    assert sum(Segment.found(path).count for path in tmp_path.glob("*/*.spill")) == spilled > 3


KILLED = """
import logging, os, signal, sys
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler("127.0.0.1:1", "logs", spill_dir=sys.argv[1], queue_max_messages=5)
logger = logging.Logger("shop")
logger.addHandler(handler)
for number in range(100):
    logger.error("%d", number)
print(handler.stats().spilled, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_spilled_is_lost_by_kill_9(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, timeout=60, check=False)
    assert (done.returncode, int(done.stdout)) == (-signal.SIGKILL, 95)
    handler = CaptureHandler(spill_dir=tmp_path)
    logger_with(handler).error("again")
    until(lambda: handler.stats().delivered == 95)
    handler.close()
    assert sorted(int(line["@message"]) for line in handler.records if line["@message"] != "again") == list(
        range(5, 100)
    )


FORKED = """
import logging, os, sys
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler("127.0.0.1:1", "logs", spill_dir=sys.argv[1], queue_max_messages=5, flush_timeout=0.1)
logger = logging.getLogger()
logger.addHandler(handler)
def work():
    for number in range(10):
        logger.error("%d", number)
work()
child = os.fork()
work()
if child:
    os.waitpid(child, 0)
"""


def test_parent_and_child_of_a_fork_spill_each_their_own(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKED, tmp_path], timeout=60, check=True)
    assert len(list(tmp_path.iterdir())) == 2
    handler = CaptureHandler(spill_dir=tmp_path)
    logger_with(handler).error("again")
    until(lambda: handler.stats().delivered == 30)
    handler.close()
    ids = [line["@fields"]["record_id"] for line in handler.records]
    assert len(ids) == len(set(ids)) == 31


STEPS = ("log", "log", "down", "up", "flush", "restart", "close")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=15))
def test_every_record_arrives_or_is_counted_through_outages_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("spill")
    handlers = [CaptureHandler(spill_dir=folder, queue_max_messages=3)]
    logged, late = 0, 0
    for step in [*steps, "restart", "up", "log"]:
        handler = handlers[-1]
        match step:
            case "log":
                before = handler.stats().dropped.get("closed", 0)
                logger_with(handler).error("%d", logged)
                logged += 1
                late += handler.stats().dropped.get("closed", 0) - before
            case "down" | "up":
                handler.reachable = step == "up"
            case "flush":
                handler.flush()
            case "close":
                handler.close()
            case "restart":
                handler.close()
                handlers.append(CaptureHandler(spill_dir=folder, queue_max_messages=3))
                handlers[-1].reachable = handler.reachable
        assert handler.stats()
    until(lambda: not list(folder.glob("*/*.spill")))
    handlers[-1].close()
    arrived = [
        json.loads(each.value)["@fields"]["record_id"]
        for handler in handlers
        for producer in handler.producers
        for each in producer.delivered
    ]
    assert len(arrived) == len(set(arrived)) == logged - late
    assert [handler.stats().dropped.keys() - {"closed"} for handler in handlers] == [set()] * len(handlers)
