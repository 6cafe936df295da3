"""Whatever Kafka, the disk or the process does: no exception in the application, no hang, every record counted."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from logging.config import fileConfig
from pathlib import Path
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError

from kafka_logging import HandlerStats, KafkaLoggingHandler
from kafka_logging.testing import CaptureHandler
from tests.kafka_logging.broker import new_topic, read
from tests.kafka_logging.mock import MockKafka, mock_kafka


@pytest.fixture
def broker() -> Iterator[MockKafka]:
    with mock_kafka() as running:
        yield running


def handler_for(broker: MockKafka, **options: Any) -> tuple[KafkaLoggingHandler, logging.Logger]:
    handler = KafkaLoggingHandler(broker.bootstrap, "logs", flush_timeout=30, linger_ms=1, **options)
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return handler, logger


def test_a_connection_that_breaks_and_comes_back(broker: MockKafka) -> None:
    handler, logger = handler_for(broker)
    logger.error("before")
    handler.flush()
    assert handler.stats().delivered == 1
    broker.down()
    for _ in range(99):
        logger.error("while it is down")
    assert handler.stats().queued == 99
    broker.up()
    handler.close()
    assert handler.stats() == HandlerStats(emitted=100, delivered=100, queued=0, dropped={}, failed=0)


@pytest.mark.parametrize("repeat", range(5))
def test_lines_of_the_clients_log_are_not_counted_as_records(broker: MockKafka, repeat: int) -> None:
    handler, logger = handler_for(broker, debug="msg")
    logger.error("before")
    handler.flush()
    broker.down()
    for _ in range(20):
        logger.error("while it is down")
    handler._flush_timeout = 0
    handler.close()
    assert handler.stats() == HandlerStats(emitted=21, delivered=1, queued=0, dropped={"purge_queue": 20}, failed=0)


def test_a_slow_network(broker: MockKafka) -> None:
    broker.slow(500)
    handler, logger = handler_for(broker)
    for _ in range(100):
        logger.error("slow")
    handler.close()
    assert handler.stats() == HandlerStats(emitted=100, delivered=100, queued=0, dropped={}, failed=0)


PASSING = [
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
]


@pytest.mark.parametrize("error", PASSING, ids=lambda code: KafkaError(code).name())
def test_errors_that_pass_cost_nothing(broker: MockKafka, error: int) -> None:
    broker.refuse(error, error)
    handler, logger = handler_for(broker)
    logger.error("in the end it arrives")
    handler.close()
    assert handler.stats() == HandlerStats(emitted=1, delivered=1, queued=0, dropped={}, failed=0)


LASTING = [
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_REQUIRED_ACKS,
    KafkaError.POLICY_VIOLATION,
]


@pytest.mark.parametrize("spilling", [False, True], ids=["", "with spill_dir"])
@pytest.mark.parametrize("error", LASTING, ids=lambda code: KafkaError(code).name())
def test_errors_that_last_are_counted_as_failed(broker: MockKafka, error: int, spilling: bool, tmp_path: Path) -> None:
    heard: list[str] = []
    handler, logger = handler_for(
        broker, on_drop=lambda reason, _: heard.append(reason), spill_dir=tmp_path if spilling else None
    )
    broker.refuse(error)
    logger.error("refused")
    handler.flush()
    logger.error("taken, unless the client remembers what the broker said of the topic")
    handler.close()
    stats = handler.stats()
    assert (stats.emitted, stats.failed, stats.queued, stats.spilled) == (2, 1, 0, 0)
    assert stats.failed + sum(stats.dropped.values()) == len(heard) == 2 - stats.delivered


def test_a_topic_that_is_missing_is_counted_when_the_time_is_up(broker: MockKafka) -> None:
    broker.forbid("logs", KafkaError.UNKNOWN_TOPIC_OR_PART)
    handler, logger = handler_for(broker, message_timeout_ms=1500, topic_metadata_propagation_max_ms=100)
    logger.error("where to?")
    handler.close()
    stats = handler.stats()
    assert (stats.emitted, stats.delivered, stats.queued) == (1, 0, 0)
    assert stats.failed == 1


def test_a_broker_that_does_not_speak_sasl(broker: MockKafka) -> None:
    handler, logger = handler_for(
        broker, security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="a", sasl_password="b"
    )
    handler._flush_timeout = 0.5
    logger.error("who are you?")
    handler.close()
    assert handler.stats() == HandlerStats(emitted=1, delivered=0, queued=0, dropped={"purge_queue": 1}, failed=0)


@pytest.mark.parametrize(
    "options",
    [
        {"sasl_user_name": "a"},
        {"security_protocol": "TLS"},
        {"ssl_ca_location": "/no/such/file", "security_protocol": "SSL"},
    ],
    ids=["unknown", "wrong value", "missing file"],
)
def test_a_wrong_property_is_named_at_once(options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", ".")
    with pytest.raises(ValueError, match=name):
        KafkaLoggingHandler("a:1", "logs", **options)


def test_the_root_logger_at_debug_with_librdkafkas_own_logger_attached(broker: MockKafka) -> None:
    root = logging.getLogger()
    level = root.level
    handler, _ = handler_for(broker, debug="all")
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        logging.getLogger("shop").error("one")
        handler.flush()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    handler.close()
    assert handler.stats() == HandlerStats(emitted=1, delivered=1, queued=0, dropped={}, failed=0)


def test_a_formatter_that_logs_does_not_recurse() -> None:
    log = logging.Logger("shop")

    class Chatty(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            log.error("formatting %s", record.getMessage())
            return super().format(record)

    handler = CaptureHandler()
    handler.setFormatter(Chatty())
    log.addHandler(handler)
    log.error("one")
    handler.close()
    assert handler.stats() == HandlerStats(emitted=2, delivered=1, queued=0, dropped={"recursion": 1}, failed=0)


class Registered(CaptureHandler):
    """What a logging.conf makes; all of them."""

    made: ClassVar[list[Registered]] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, rate_limit=None, **options)
        self.made.append(self)


RELOADED = """
[loggers]
keys=root,reloaded
[handlers]
keys=kafka
[formatters]
keys=
[logger_root]
handlers=
[logger_reloaded]
qualname=reloaded
handlers=kafka
propagate=0
[handler_kafka]
class=tests.kafka_logging.test_faults.Registered
args=("logs",)
"""


@pytest.mark.matrix
def test_fileconfig_is_read_again_while_four_threads_log(tmp_path: Path) -> None:
    conf = tmp_path / "logging.conf"
    conf.write_text(RELOADED)
    root = logging.getLogger()
    handlers, stop, faults = root.handlers[:], threading.Event(), []
    logger = logging.getLogger("reloaded")

    def work() -> None:
        try:
            while not stop.is_set():
                logger.error("paid")
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=work) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(10):
            fileConfig(conf, disable_existing_loggers=False)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        root.handlers[:] = handlers
        logger.handlers.clear()
    made = _registered()
    for handler in made:
        handler.close()
    assert faults == []
    assert len(made) == 10
    for handler in made:
        stats = handler.stats()
        assert stats.queued == 0
        assert stats.delivered == sum(len(producer.delivered) for producer in handler.producers)


def _registered() -> list[Any]:
    """Those made by the class as logging.config imports it, which need not be the module as pytest does."""
    return sys.modules["tests.kafka_logging.test_faults"].Registered.made


ENDS = {
    "os.fork and exit": "pid = os.fork()\n        if pid == 0:\n            child()\n            sys.exit()",
    "os.fork and os._exit": "pid = os.fork()\n        if pid == 0:\n            child()\n            os._exit(0)",
    "multiprocessing fork": "pid = started('fork')",
    "multiprocessing spawn": "pid = started('spawn')",
}

FORKING = """
import logging, multiprocessing, os, sys, threading, time
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler({bootstrap!r}, {topic!r}, flush_timeout=0.2)
logger = logging.getLogger()
logger.addHandler(handler)
stop = threading.Event()

def chatter():
    while not stop.is_set():
        logger.error("from another thread")
        time.sleep(0.0005)

def child():
    logger.error("child")
    assert handler.stats().emitted == 1, handler.stats()

def started(context):
    process = multiprocessing.get_context(context).Process(target=child)
    process.start()
    return process.pid

def main():
    thread = threading.Thread(target=chatter)
    thread.start()
    for repeat in range({repeats}):
        {end}
        deadline = time.monotonic() + {limit}
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(pid, 9)
                os.abort()
            time.sleep(0.005)
        assert ended[1] == 0, ended
    stop.set()
    thread.join()
    handler.stats()
    print("done")
    os._exit(0)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("repeats", [2, pytest.param(20, marks=pytest.mark.matrix)])
@pytest.mark.parametrize("reachable", [False, True], ids=["no broker", "broker"])
@pytest.mark.parametrize("end", ENDS)
def test_forks_while_another_thread_logs(
    request: pytest.FixtureRequest, tmp_path: Path, end: str, reachable: bool, repeats: int
) -> None:
    bootstrap = request.getfixturevalue("kafka") if reachable else "127.0.0.1:1"
    program = tmp_path / "program.py"
    limit = 60 if "spawn" in end else 5  # a spawned child starts an interpreter; a forked one that takes 5 s hangs
    names = {"bootstrap": bootstrap, "topic": new_topic(), "end": ENDS[end], "repeats": repeats, "limit": limit}
    program.write_text(FORKING.format(**names))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"


CYCLES = """
import gc, logging, sys, time, weakref
import psutil
from kafka_logging import KafkaLoggingHandler

def cycle(folder):
    handler = KafkaLoggingHandler("127.0.0.1:1", "logs", flush_timeout=0, spill_dir=folder)
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    logger.error("one")
    handler.close()
    return weakref.ref(handler)

def held():
    gc.collect()
    process = psutil.Process()
    return process.num_threads(), process.num_fds(), sum(each() is not None for each in handlers)

handlers = [cycle(sys.argv[1])]
before = held()
handlers += [cycle(sys.argv[1]) for _ in range(int(sys.argv[2]))]
deadline = time.monotonic() + 30
while held() > before and time.monotonic() < deadline:
    time.sleep(0.01)
print(before, held())
assert held() <= before
"""


@pytest.mark.parametrize("cycles", [10, pytest.param(100, marks=pytest.mark.matrix)])
def test_closed_handlers_leave_no_thread_no_file_and_nothing_in_memory(tmp_path: Path, cycles: int) -> None:
    command = [sys.executable, "-c", CYCLES, tmp_path, f"{cycles}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


EXITING = """
import logging
from kafka_logging import KafkaLoggingHandler

logger = logging.getLogger()
logger.addHandler(KafkaLoggingHandler({bootstrap!r}, {topic!r}, flush_timeout=60, linger_ms=5000))
for number in range(10_000):
    logger.error("%d", number)
"""


def test_ten_thousand_queued_records_arrive_when_the_interpreter_ends(kafka: str) -> None:
    topic = new_topic()
    subprocess.run([sys.executable, "-c", EXITING.format(bootstrap=kafka, topic=topic)], timeout=120, check=True)
    assert len(read(kafka, topic, 10_000)) == 10_000
