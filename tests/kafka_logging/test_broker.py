"""The handler on a real Kafka: set up by fileConfig, before the broker is there, while it is away, across forks."""

from __future__ import annotations

import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka_logging import HandlerStats, KafkaLoggingHandler
from tests.kafka_logging.broker import new_topic, read
from tests.servers import KafkaServer

LOGGING_CONF = """
[loggers]
keys=root

[handlers]
keys=console,file,kafka

[formatters]
keys=logstash

[logger_root]
level=INFO
handlers=console,file,kafka

[handler_console]
class=StreamHandler
args=(sys.stderr,)

[handler_file]
class=handlers.WatchedFileHandler
formatter=logstash
args=("%(folder)s/app.log",)

[handler_kafka]
class=kafka_logging.KafkaLoggingHandler
formatter=logstash
args=("%(bootstrap)s", "%(topic)s")
kwargs={"key": "field:request_id", "linger_ms": 5}

[formatter_logstash]
class=kafka_logging.LogstashFormatter
format={"extra": {"appName": "shop", "environment": "test"}}
"""

DELIVERED_10 = HandlerStats(emitted=10, delivered=10, queued=0, dropped={}, failed=0)


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was, as fileConfig replaces its handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


def handler_for(bootstrap: str, topic: str, **options: Any) -> tuple[KafkaLoggingHandler, logging.Logger]:
    handler = KafkaLoggingHandler(bootstrap, topic, flush_timeout=60, **options)
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return handler, logger


def lines(bootstrap: str, topic: str, number: int) -> list[dict[str, Any]]:
    return [json.loads(message.value() or b"") for message in read(bootstrap, topic, number)]


def test_a_logging_conf_with_three_handlers(kafka: str, tmp_path: Path, root_logger: logging.Logger) -> None:
    conf, topic = tmp_path / "logging.conf", new_topic()
    conf.write_text(LOGGING_CONF)
    defaults = {"folder": str(tmp_path), "bootstrap": kafka, "topic": topic}
    logging.config.fileConfig(conf, defaults, disable_existing_loggers=False)
    try:
        raise ConnectionRefusedError("db is away")
    except ConnectionRefusedError:
        logging.getLogger("shop.payments").exception("order %s", "a-1", extra={"request_id": "r-1"})
    logging.getLogger().handlers[-1].flush()
    (message,) = read(kafka, topic, 1)
    line = json.loads(message.value() or b"")
    assert message.key() == b"r-1"
    assert (line["appName"], line["environment"], line["@message"]) == ("shop", "test", "order a-1")
    assert line["@fields"]["exc_type"] == "ConnectionRefusedError"
    assert line["@fields"]["exception"][-1] == "ConnectionRefusedError: db is away\n"
    assert "order a-1" in [json.loads(each)["@message"] for each in (tmp_path / "app.log").read_text().splitlines()]


def test_records_in_order_and_every_one_counted(kafka: str) -> None:
    topic = new_topic()
    handler, logger = handler_for(kafka, topic, key="logger")
    for number in range(10):
        logger.info("%d", number)
    handler.close()
    assert handler.stats() == DELIVERED_10
    assert [line["@message"] for line in lines(kafka, topic, 10)] == [str(number) for number in range(10)]


def test_an_oversized_record_arrives_cut(kafka: str) -> None:
    topic = new_topic()
    handler, logger = handler_for(kafka, topic)
    logger.error("%s", "x" * 3_000_000)
    handler.close()
    (line,) = lines(kafka, topic, 1)
    assert line["@fields"]["truncated"] is True
    assert line["@fields"]["original_size"] > 3_000_000


def test_kafka_comes_up_after_the_handler(kafka_server: KafkaServer) -> None:
    topic = new_topic()
    kafka_server.stop()
    handler, logger = handler_for(kafka_server.bootstrap, topic)
    for number in range(10):
        logger.error("%d", number)
    assert handler.stats().queued == 10
    kafka_server.start()
    handler.close()
    assert handler.stats() == DELIVERED_10
    assert len(lines(kafka_server.bootstrap, topic, 10)) == 10


def test_records_logged_while_the_broker_is_away_arrive(kafka_server: KafkaServer) -> None:
    topic = new_topic()
    handler, logger = handler_for(kafka_server.bootstrap, topic)
    logger.error("before")
    handler.flush()
    kafka_server.kill()
    for _ in range(9):
        logger.error("while it is away")
    kafka_server.start()
    handler.close()
    assert handler.stats() == DELIVERED_10
    ids = {line["@fields"]["record_id"] for line in lines(kafka_server.bootstrap, topic, 10)}
    assert len(ids) == 10


def test_what_was_spilled_in_an_outage_arrives_once_when_the_broker_is_back(
    kafka_server: KafkaServer, tmp_path: Path
) -> None:
    topic = new_topic()
    handler, logger = handler_for(kafka_server.bootstrap, topic, queue_max_messages=10, spill_dir=tmp_path)
    logger.error("before")
    handler.flush()
    kafka_server.kill()
    for number in range(100):
        logger.error("%d", number)
    assert handler.stats().spilled == 90
    handler._flush_timeout = 0.5
    handler.close()
    assert (handler.stats().spilled, handler.stats().dropped) == (100, {})
    kafka_server.start()
    after, logger = handler_for(kafka_server.bootstrap, topic, spill_dir=tmp_path)
    logger.error("after")
    found = lines(kafka_server.bootstrap, topic, 102)
    after.close()
    assert len({line["@fields"]["record_id"] for line in found}) == len(found) == 102
    assert (after.stats().delivered, after.stats().spilled) == (101, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
def test_close_ends_while_the_broker_hangs(kafka_server: KafkaServer) -> None:
    handler, logger = handler_for(kafka_server.bootstrap, new_topic())
    logger.error("before")
    handler.flush()
    kafka_server.suspend()
    logger.error("while it hangs")
    handler._flush_timeout = 0.5
    handler.close()
    stats = handler.stats()
    assert (stats.emitted, stats.delivered, stats.queued) == (2, 1, 0)
    assert sum(stats.dropped.values()) == 1


FORKS = {
    "os.fork": """
        child = os.fork()
        if child == 0:
            work("child")
            report("child")
            sys.exit()
        os.waitpid(child, 0)
    """,
    "os.fork of a fork": """
        child = os.fork()
        if child == 0:
            work("child")
            grandchild = os.fork()
            if grandchild == 0:
                logger.error("grandchild")
                sys.exit()
            os.waitpid(grandchild, 0)
            report("child")
            sys.exit()
        os.waitpid(child, 0)
    """,
    "multiprocessing": """
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=work, args=("child",))
        process.start()
        process.join()
        assert process.exitcode == 0, process.exitcode
    """,
}

PROGRAM = """
import gc, json, logging, os, sys
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler({bootstrap!r}, {topic!r}, flush_timeout={flush_timeout})
logger = logging.getLogger()
logger.addHandler(handler)

def work(name):
    for number in range(5):
        logger.error("%s %d", name, number)
    gc.collect()

def report(name):
    handler.flush()
    print(name, handler.stats(), flush=True)

work("parent")
if True:
{fork}
work("parent again")
report("parent")
"""


def run(fork: str, bootstrap: str, topic: str, flush_timeout: float) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(bootstrap=bootstrap, topic=topic, flush_timeout=flush_timeout, fork=fork)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("fork", FORKS)
def test_parent_and_child_of_a_fork_both_deliver(kafka: str, fork: str) -> None:
    topic = new_topic()
    done = run(FORKS[fork], kafka, topic, 60)
    assert done.returncode == 0, done.stderr
    expected = {f"{who} {number}" for who in ("parent", "child", "parent again") for number in range(5)}
    expected |= {"grandchild"} if "grandchild" in FORKS[fork] else set()
    assert {line["@message"] for line in lines(kafka, topic, len(expected))} == expected
    assert f"parent {DELIVERED_10}" in done.stdout


@pytest.mark.parametrize("fork", FORKS)
def test_nobody_hangs_after_a_fork_when_there_is_no_broker(fork: str) -> None:
    done = run(FORKS[fork], "127.0.0.1:1", "logs", 0.2)
    assert done.returncode == 0, done.stderr
    assert "emitted=10, delivered=0, queued=10" in done.stdout


def test_a_record_logged_at_exit_still_arrives(kafka: str) -> None:
    topic = new_topic()
    program = f"""
import atexit, logging
from kafka_logging import KafkaLoggingHandler
logging.getLogger().addHandler(KafkaLoggingHandler({kafka!r}, {topic!r}, flush_timeout=60))
atexit.register(logging.error, "good bye")
"""
    subprocess.run([sys.executable, "-c", program], timeout=120, check=True)
    assert [line["@message"] for line in lines(kafka, topic, 1)] == ["good bye"]
