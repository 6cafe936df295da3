"""One contender in a process of its own, in the environment of the rivals: logs, and prints what it took as JSON.

``python handler_worker.py NAME RECORDS THREADS BOOTSTRAP TOPIC TCP_PORT``. Times are of each ``Logger.error`` call.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

Contender = tuple[logging.Handler, Callable[[], object]]


class NoOp(logging.Handler):
    """The least a handler can be."""

    def emit(self, record: logging.LogRecord) -> None:
        pass


def file(*_: object) -> Contender:
    from kafka_logging import LogstashFormatter

    handler = logging.FileHandler(Path(tempfile.mkdtemp(), "app.log"))
    handler.setFormatter(LogstashFormatter())
    return handler, handler.close


def queue_to_file(*_: object) -> Contender:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(-1)
    listener = logging.handlers.QueueListener(waiting, file()[0])
    listener.start()
    return logging.handlers.QueueHandler(waiting), listener.stop


def ours(bootstrap: str, topic: str, _: int, **options: object) -> Contender:
    from kafka_logging import KafkaLoggingHandler

    limits = {"rate_limit": 1e9, "burst": 10**9, "queue_max_messages": 200_000, "queue_max_kbytes": 200_000, **options}
    handler = KafkaLoggingHandler(bootstrap, topic, flush_timeout=60, **limits)  # type: ignore[arg-type]
    return handler, handler.close


def no_broker(_: str, topic: str, port: int) -> Contender:
    handler, close = ours("127.0.0.1:1", topic, port, queue_max_messages=50_000, queue_max_kbytes=32 * 1024)
    handler._flush_timeout = 1.0  # type: ignore[attr-defined]
    return handler, close


def suppressed(bootstrap: str, topic: str, port: int) -> Contender:
    return ours(bootstrap, topic, port, rate_limit=0.001, burst=2)


def flood(bootstrap: str, topic: str, port: int) -> Contender:
    return ours(bootstrap, topic, port, rate_limit=2000, burst=20_000)


def kafkaloghandler(bootstrap: str, topic: str, _: int) -> Contender:
    from kafkaloghandler import KafkaLogHandler

    more = {"queue.buffering.max.messages": 200_000}  # it has none of its own, and loses the rest
    handler = KafkaLogHandler([bootstrap], topic=topic, extra_config=more)
    return handler, lambda: handler.producer.flush(60)


def kafka_logging_handler(bootstrap: str, topic: str, _: int) -> Contender:
    from kafka_logger.handlers import KafkaLoggingHandler

    handler = KafkaLoggingHandler([bootstrap], topic, security_protocol="PLAINTEXT")
    return handler, lambda: (handler.flush(), handler.producer.flush(60))  # its close leaves the buffer as it is


def logstash_async(_: str, __: str, port: int) -> Contender:
    from logstash_async.handler import AsynchronousLogstashHandler

    handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=None)
    return handler, handler.close


def kafka_python(bootstrap: str, topic: str, _: int) -> Contender:
    """As taykey/python-kafka-logging does it, on the client of today."""
    from kafka import KafkaProducer
    from logstash_formatter import LogstashFormatter

    producer = KafkaProducer(bootstrap_servers=bootstrap)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith("kafka"):
                producer.send(topic, self.format(record).encode())

    handler = Handler()
    handler.setFormatter(LogstashFormatter())
    return handler, lambda: producer.flush(60)


CONTENDERS: dict[str, Callable[[str, str, int], Contender]] = {
    "no-op": lambda *_: (NoOp(), lambda: None),
    "ours": ours,
    "ours, suppressed": suppressed,
    "ours, no broker": no_broker,
    "flood": flood,
    "FileHandler": file,
    "QueueHandler": queue_to_file,
    "kafkaloghandler": kafkaloghandler,
    "kafka-logging-handler": kafka_logging_handler,
    "python-logstash-async": logstash_async,
    "kafka-python shape": kafka_python,
}


def work(logger: logging.Logger, number: int) -> list[int]:
    """Log so many errors; nanoseconds of each call."""
    clock, error, times = time.perf_counter_ns, logger.error, []
    for each in range(number):
        begin = clock()
        error(
            "order %s of %s failed: %d items, %.2f", "a-1", "ann", each, 2.5, extra={"request_id": "r-17", "user": 12}
        )
        times.append(clock() - begin)
    return times


def main(name: str, records: str, threads: str, bootstrap: str, topic: str, port: str) -> None:
    """Print the figures of one run."""
    logger = logging.Logger("shop.payments", logging.INFO)
    handler, finish = CONTENDERS[name](bootstrap, topic, int(port))
    logger.addHandler(handler)
    logger.error("connect")
    share, times = int(records) // int(threads), []
    workers = [threading.Thread(target=lambda: times.extend(work(logger, share))) for _ in range(int(threads))]
    began, processor = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    logged = time.perf_counter() - began
    finish()
    ended = time.perf_counter() - began
    cuts = statistics.quantiles(times, n=1000)
    figures = {
        "p50": cuts[499] / 1e3,
        "p99": cuts[989] / 1e3,
        "p99.9": cuts[998] / 1e3,
        "max": max(times) / 1e3,
        "calls": len(times) / logged,
        "rate": len(times) / ended,
        "processor": 1e6 * (time.process_time() - processor) / len(times),
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "close": ended - logged,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
