"""A real broker that is refused, killed or suspended under an application, and an application that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.kafka_logging.broker import new_topic, read, read_all
from tests.processes import Started
from tests.servers import KafkaServer

# Logs as many records as a line on stdin says, and answers with its numbers; "close" ends it, as does the end of stdin.
APPLICATION = """
import json, logging, sys
from dataclasses import asdict
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler(**json.loads(sys.argv[1]))
logger = logging.Logger("shop")
logger.addHandler(handler)
logged = 0
for line in sys.stdin:
    if line.strip() == "close":
        handler.close()
    elif line.strip() == "flush":
        handler.flush()
    else:
        for _ in range(int(line)):
            logger.error("%d", logged)
            logged += 1
    print(json.dumps(asdict(handler.stats())), flush=True)
"""


class Stats(NamedTuple):
    emitted: int
    delivered: int
    queued: int
    dropped: dict[str, int]
    failed: int
    suppressed: int
    spilled: int


class Application:
    """A process that logs on demand."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def log(self, number: int) -> Stats:
        return self._do(str(number))

    def flush(self) -> Stats:
        return self._do("flush")

    def close(self) -> Stats:
        return self._do("close")

    def memory(self) -> int:
        """Bytes of physical memory."""
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _do(self, command: str) -> Stats:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return Stats(**json.loads(self.process.stdout.readline()))


@contextmanager
def application(bootstrap: str, topic: str, **options: Any) -> Iterator[Application]:
    arguments = json.dumps({"hosts_list": bootstrap, "topic": topic, "rate_limit": None, **options})
    with Started(
        [sys.executable, "-c", APPLICATION, arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Application(process)
        finally:
            process.kill()


def numbers(bootstrap: str, topic: str) -> list[int]:
    """What arrived, as logged."""
    return sorted(int(json.loads(message.value() or b"")["@message"]) for message in read_all(bootstrap, topic))


REFUSED = "127.0.0.1:1"


@pytest.mark.timeout(60)
def test_close_without_a_broker_spills_all(tmp_path: Path) -> None:
    with application(REFUSED, "logs", queue_max_messages=100, spill_dir=str(tmp_path), flush_timeout=0.5) as app:
        assert app.log(1000) == Stats(1000, 0, 100, {}, 0, 0, 900)
        assert app.close() == Stats(1000, 0, 0, {}, 0, 0, 1000)


def test_memory_is_bounded_by_the_queue_while_there_is_no_broker() -> None:
    with application(REFUSED, "logs", queue_max_messages=1_000_000, queue_max_kbytes=20_000) as app:
        app.log(1)
        before = app.memory()
        stats = app.log(100_000)
        assert stats.queued + stats.dropped["queue_full"] == 100_001
        assert stats.dropped["queue_full"] > 10_000
        assert app.memory() - before < 2 * 20_000 * 1024


@pytest.mark.parametrize("fault", ["kill", "suspend"])
def test_records_flow_again_after_an_outage_in_the_middle(
    kafka_server: KafkaServer, tmp_path: Path, fault: str
) -> None:
    topic = new_topic()
    options = {"queue_max_messages": 100, "spill_dir": str(tmp_path), "flush_timeout": 60}
    with application(kafka_server.bootstrap, topic, **options) as app:
        app.log(50)
        app.flush()
        getattr(kafka_server, fault)()
        assert app.log(1000) == Stats(1050, 50, 100, {}, 0, 0, 900)
        kafka_server.resume()
        kafka_server.start()
        app.log(50)
        while (stats := app.flush()).spilled:
            time.sleep(0.2)
        assert stats.delivered == 1100
        assert app.close() == Stats(1100, 1100, 0, {}, 0, 0, 0)
    assert numbers(kafka_server.bootstrap, topic) == list(range(1100))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", ["kill", "suspend"])
def test_close_after_the_broker_went_spills_what_did_not_arrive(
    kafka_server: KafkaServer, tmp_path: Path, fault: str
) -> None:
    with application(kafka_server.bootstrap, new_topic(), spill_dir=str(tmp_path), flush_timeout=0.5) as app:
        app.log(50)
        while app.flush().queued:
            pass
        getattr(kafka_server, fault)()
        app.log(1000)
        assert app.close() == Stats(1050, 50, 0, {}, 0, 0, 1000)


def test_kill_9_loses_no_more_than_is_logged_in_the_time_of_linger(kafka: str) -> None:
    topic, linger = new_topic(), 0.05
    program = """
import logging, sys, time
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler(sys.argv[1], sys.argv[2], rate_limit=None, flush_timeout=60)
logger = logging.Logger("shop")
logger.addHandler(handler)
logger.error("0")
handler.flush()
number = 0
while True:
    number += 1
    logger.error("%d", number)
    print(number, time.monotonic(), flush=True)
    time.sleep(0.001)
"""
    command = [sys.executable, "-c", program, kafka, topic]
    with Started(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        moments = [process.stdout.readline().split() for _ in range(500)]
        os.kill(process.pid, signal.SIGKILL)
        moments += [line.split() for line in process.stdout]
    arrived = len(numbers(kafka, topic))
    lost = [float(moment) for number, moment in moments if int(number) >= arrived]
    assert arrived + len(lost) == len(moments) + 1
    assert not lost or float(moments[-1][1]) - lost[0] < linger + 1  # a second for a broker that is slow to answer


def test_what_was_spilled_by_an_application_that_was_killed_arrives_once(kafka: str, tmp_path: Path) -> None:
    topic = new_topic()
    with application(REFUSED, topic, queue_max_messages=10, spill_dir=str(tmp_path)) as app:
        assert app.log(1000).spilled == 990
        app.kill()
    with application(kafka, topic, spill_dir=str(tmp_path), flush_timeout=60) as app:
        app.log(1)
        while app.flush().spilled or not read(kafka, topic, 1):
            time.sleep(0.2)
        assert app.close() == Stats(991, 991, 0, {}, 0, 0, 0)
    assert numbers(kafka, topic) == [0, *range(10, 1000)]
