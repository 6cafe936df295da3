"""One contender in a process of its own, in the environment of the rivals: logs, and prints what it took as JSON.

``python handler_worker.py NAME RECORDS THREADS BOOTSTRAP TOPIC TCP_PORT``. It logs one record, says ``connected``, and
goes on when it is sent a line: in between, the broker may be killed. Times are of each ``Logger.error`` call.
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
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

# The handler, what waits until all is delivered, and what closes it then.
Contender = tuple[logging.Handler, Callable[[], object], Callable[[], object]]


MESSAGE = "order %s of %s failed: %d items, %.2f"


class NoOp(logging.Handler):
    """The least a handler can be."""

    def emit(self, record: logging.LogRecord) -> None:
        pass


def nothing() -> None:
    """What there is to wait for when a call has done all."""


def file(*_: object) -> Contender:
    from kafka_logging import LogstashFormatter

    handler = logging.FileHandler(Path(tempfile.mkdtemp(), "app.log"))
    handler.setFormatter(LogstashFormatter())
    return handler, nothing, handler.close


def queue_to_file(*_: object) -> Contender:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(-1)
    listener = logging.handlers.QueueListener(waiting, file()[0])
    listener.start()
    return logging.handlers.QueueHandler(waiting), listener.stop, nothing


def ours(bootstrap: str, topic: str, _: int, **options: object) -> Contender:
    from kafka_logging import KafkaLoggingHandler

    limits = {"rate_limit": None, "queue_max_messages": 200_000, "queue_max_kbytes": 200_000, "flush_timeout": 60}
    handler = KafkaLoggingHandler(bootstrap, topic, **{**limits, **options})  # type: ignore[arg-type]
    return handler, handler.flush, handler.close


def limited(bootstrap: str, topic: str, port: int) -> Contender:
    """With the flood control on, but high: what it costs where it lets all pass."""
    return ours(bootstrap, topic, port, rate_limit=1e9, burst=10**9)


def suppressed(bootstrap: str, topic: str, port: int) -> Contender:
    return ours(bootstrap, topic, port, rate_limit=0.001, burst=2)


def flood(bootstrap: str, topic: str, port: int) -> Contender:
    return ours(bootstrap, topic, port, rate_limit=2000, burst=20_000)


def without_broker(bootstrap: str, topic: str, port: int) -> Contender:
    """The default queue, of which most is dropped."""
    return ours(bootstrap, topic, port, **OUTAGE)


def spilling(bootstrap: str, topic: str, port: int) -> Contender:
    return ours(bootstrap, topic, port, spill_dir=tempfile.mkdtemp(), **OUTAGE)


def kafkaloghandler(bootstrap: str, topic: str, _: int) -> Contender:
    from kafkaloghandler import KafkaLogHandler

    more = {"queue.buffering.max.messages": 200_000}  # it has none of its own, and loses the rest
    handler = KafkaLogHandler([bootstrap], topic=topic, extra_config=more)
    return handler, lambda: handler.producer.flush(60), nothing


def kafka_logging_handler(bootstrap: str, topic: str, _: int) -> Contender:
    from kafka_logger.handlers import KafkaLoggingHandler

    handler = KafkaLoggingHandler([bootstrap], topic, security_protocol="PLAINTEXT")
    # Its close leaves the buffer as it is.
    return handler, lambda: (handler.flush(), handler.producer.flush(60)), nothing


def logstash_async(_: str, __: str, port: int) -> Contender:
    from logstash_async.handler import AsynchronousLogstashHandler

    handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=None)
    return handler, handler.close, nothing


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
    return handler, lambda: producer.flush(60), nothing


OUTAGE = {"queue_max_messages": 50_000, "queue_max_kbytes": 32 * 1024, "flush_timeout": 1.0}
CONTENDERS: dict[str, Callable[[str, str, int], Contender]] = {
    "no-op": lambda *_: (NoOp(), nothing, nothing),
    "ours": limited,
    "ours, suppressed": suppressed,
    "ours, broker refused": lambda _, topic, port: without_broker("127.0.0.1:1", topic, port),
    "ours, broker killed": without_broker,
    "ours, broker suspended": without_broker,
    "ours, killed, spilling": spilling,
    "flood": flood,
    "FileHandler": file,
    "QueueHandler": queue_to_file,
    "kafkaloghandler": kafkaloghandler,
    "kafka-logging-handler": kafka_logging_handler,
    "python-logstash-async": logstash_async,
    "kafka-python shape": kafka_python,
}


def formatters() -> dict[str, float]:
    """Microseconds for the same record by our formatter and by logstash_formatter."""
    from logstash_formatter import LogstashFormatter as Theirs

    from kafka_logging import LogstashFormatter

    record = logging.LogRecord(
        "shop.payments", logging.ERROR, __file__, 7, MESSAGE, ("a-1", "ann", 3, 2.5), None, "pay"
    )
    record.__dict__.update(request_id="r-17", user=12)
    formats = {"ours": LogstashFormatter().format, "theirs": Theirs().format}
    rounds = [
        {name: timeit.timeit(partial(each, record), number=5000) for name, each in formats.items()} for _ in range(9)
    ]
    return {name: statistics.median(times[name] for times in rounds) / 5000 * 1e6 for name in formats}


def work(logger: logging.Logger, number: int) -> list[int]:
    """Log so many errors; nanoseconds of each call."""
    clock, error, times = time.perf_counter_ns, logger.error, []
    for each in range(number):
        begin = clock()
        error(MESSAGE, "a-1", "ann", each, 2.5, extra={"request_id": "r-17", "user": 12})
        times.append(clock() - begin)
    return times


def main(name: str, records: str, threads: str, bootstrap: str, topic: str, port: str) -> None:
    """Print the figures of one run."""
    logger = logging.Logger("shop.payments", logging.INFO)
    if name == "formatters":
        print(json.dumps(formatters()))
        return
    handler, deliver, close = CONTENDERS[name](bootstrap, topic, int(port))
    logger.addHandler(handler)
    logger.error("connect")
    handler.flush()
    print("connected", flush=True)
    sys.stdin.readline()
    share, times = int(records) // int(threads), []
    workers = [threading.Thread(target=lambda: times.extend(work(logger, share))) for _ in range(int(threads))]
    began, processor = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    logged = time.perf_counter() - began
    deliver()
    delivered = time.perf_counter() - began
    close()
    closed = time.perf_counter() - began
    cuts = statistics.quantiles(times, n=1000)
    figures = {
        "p50": cuts[499] / 1e3,
        "p99": cuts[989] / 1e3,
        "p99.9": cuts[998] / 1e3,
        "max": max(times) / 1e3,
        "calls": len(times) / logged,
        "rate": len(times) / delivered,
        "processor": 1e6 * (time.process_time() - processor) / len(times),
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "close": closed - logged,
        "lost": unaccounted(handler, len(times) + 1),
    }
    print(json.dumps(figures))


def unaccounted(handler: logging.Handler, calls: int) -> int:
    """How many records a closed handler of ours can say nothing about."""
    if not hasattr(handler, "stats"):
        return 0
    stats = handler.stats()  # raises ValueError unless its sum is right
    queued: int = stats.queued
    return queued + max(calls - stats.emitted, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
