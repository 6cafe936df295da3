"""Records for the benchmarks: short ones of one program, and such as a mixed landscape of programs writes."""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import orjson

LEVELS = ["INFO"] * 90 + ["WARNING"] * 5 + ["ERROR"] * 5

# What varies in a message, by the name it has in the lines below.
_VALUES: dict[str, Callable[[random.Random], object]] = {
    "n": lambda rng: rng.randrange(10 ** rng.randrange(1, 6)),
    "ms": lambda rng: round(rng.lognormvariate(3, 1.5), 3),
    "ip": lambda rng: f"10.{rng.randrange(4)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
    "port": lambda rng: rng.randrange(32768, 61000),
    "user": lambda rng: f"user{int(rng.paretovariate(0.8)) % 100_000}",
    "id": lambda rng: f"{rng.getrandbits(64):016x}",
    "uuid": lambda rng: uuid.UUID(int=rng.getrandbits(128), version=4),
    "blk": lambda rng: f"blk_{rng.getrandbits(62)}",
    "path": lambda rng: f"/srv/data/out/{rng.randrange(2000):05d}/part-{rng.randrange(200):05d}.parquet",
    "verb": lambda rng: rng.choice(("GET", "GET", "GET", "POST", "PUT", "DELETE")),
    "status": lambda rng: rng.choice((200, 200, 200, 201, 204, 301, 304, 400, 404, 500, 503)),
    "sku": lambda rng: f"{rng.choice('ABCDEFGH')}{rng.randrange(5000):04d}",
}  # fmt: skip

_NAMES_OF_THINGS = ("ip", "user", "id", "uuid", "blk", "path", "sku")
_SAID_AGAIN = 0.8

# Service, logger, level and message.
_LINES = [line.split("\t") for line in Path(__file__).with_name("lines.tsv").read_text().splitlines()]

_TRACE = """\
Traceback (most recent call last):
  File "/srv/{service}/worker.py", line {line}, in handle
    result = self.backend.call(request, timeout=self.timeout)
  File "/srv/{service}/backend.py", line {other}, in call
    raise BackendTimeout(f"no answer within {{timeout}} s")
{service}.backend.BackendTimeout: no answer within {ms} s"""


def short(number: int) -> Iterator[bytes]:
    """Records as LogstashFormatterV1 writes them, a thousand a second, of 275 to 300 bytes."""
    rng, started = random.Random(1), datetime.now(UTC) - timedelta(minutes=45)
    for index in range(number):
        level = rng.choice(LEVELS)
        yield orjson.dumps(
            {
                "@timestamp": (started + timedelta(milliseconds=index)).isoformat(timespec="milliseconds"),
                "levelname": level,
                "appName": f"service-{index % 10}",
                "environment": "prod",
                "source_host": f"host-{rng.randrange(20)}",
                "name": "shop.orders",
                "message": f"order {rng.randrange(100_000)} of customer {rng.randrange(10_000)}: {level.lower()}",
                "pathname": "/srv/shop/orders.py",
                "lineno": rng.randrange(500),
                "process": 4711,
                "record_id": f"host-4711-{index}",
            }
        )


def mixed(number: int) -> Iterator[bytes]:
    """Records of many programs, some with a traceback, at times that are no pattern."""
    rng, at = random.Random(2), datetime.now(UTC) - timedelta(minutes=45)
    counters = {host: count(rng.randrange(10**6)) for host in (f"node-{index:02d}" for index in range(24))}
    values = _Values(rng)
    for _ in range(number):
        at += timedelta(microseconds=round(rng.expovariate(1 / 5000)))
        service, logger, level, line = rng.choice(_LINES)
        host, lineno = rng.choice(list(counters)), rng.choice((41, 88, 119, 230, 377))
        record = {
            "@timestamp": at.isoformat(timespec="microseconds"),
            "@version": 1,
            "levelname": level,
            "appName": service,
            "environment": "prod",
            "source_host": host,
            "name": logger,
            "message": values.fill(line),
            "pathname": f"/srv/{service}/{logger.rpartition('.')[2]}.py",
            "lineno": lineno,
            "funcName": "handle",
            "process": 4000 + lineno,
            "processName": "MainProcess",
            "threadName": f"Thread-{rng.randrange(16)}",
            "record_id": f"{host}-{4000 + lineno}-{next(counters[host])}",
        }
        if level == "ERROR" and rng.random() < 0.5:
            ms = round(rng.uniform(1, 30), 3)
            record["exc_info"] = _TRACE.format(service=service, line=lineno, other=lineno + 7, ms=ms)
        yield orjson.dumps(record)


class _Values:
    """Values for the names in a line. What names a thing is said again while the thing is dealt with."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._recent = {name: deque[object](maxlen=64) for name in _NAMES_OF_THINGS}

    def fill(self, line: str) -> str:
        """The line with values in it."""
        head, *rest = line.split("{")
        parts = (part.partition("}") for part in rest)
        return head + "".join(f"{self._value(name)}{text}" for name, _, text in parts)

    def _value(self, name: str) -> object:
        recent = self._recent.get(name)
        if recent and self._rng.random() < _SAID_AGAIN:
            return self._rng.choice(recent)
        value = _VALUES[name](self._rng)
        if recent is not None:
            recent.append(value)
        return value
