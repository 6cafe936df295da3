"""How long a search takes in a large archive on HDFS, beside the same question asked of DataFusion and of Arrow.

The table is as compaction leaves it: an hour's rows in files sorted by service and time. Of 5 million rows unless
``ROWS=50000000 make bench ARGS=search`` says otherwise. Times are medians and include opening the table.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_files import stage_file
from faultline.adapters.delta_search import SearchedTopic, query_topics
from faultline.adapters.delta_upkeep import MERGED_LEVEL
from faultline.archive.compact import MERGED
from faultline.archive.search.parser import parse_query
from faultline.archive.search.scan import Search, search
from faultline.model import Interval, OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer, running

ROWS = int(os.environ.get("ROWS", 5_000_000))
HOUR_ROWS = 2_000_000
ROW_GROUP = 2**16
ROUNDS = 5
START = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOPIC = TopicConfig(name="bench")
SERVICES = [f"service-{number:02}" for number in range(20)]
POOL = 10_000  # different records of a service


@dataclass(frozen=True, slots=True)
class Question:
    """The same in three languages; ``limit`` asks for the newest only."""

    name: str
    query: str
    interval: Interval
    limit: int | None = None

    @property
    def sql(self) -> str:
        """For DataFusion."""
        text = " OR ".join(
            f"{column} ILIKE '%timeout%'" for column in ("message", "stack_trace", "CAST(raw AS VARCHAR)")
        )
        service = f"service = '{SERVICES[7]}' AND " if "service" in self.query else ""
        order = "ORDER BY timestamp DESC" + (f" LIMIT {self.limit}" if self.limit else "")
        return f"SELECT * FROM logs WHERE {service}({text}) {order}"


def main() -> None:
    """Print the table of times."""
    console = Console()
    with _server() as hdfs:
        url = f"{hdfs.url}/archive"
        topic = _fill(url, console)
        files = topic.files()
        hours = -(-ROWS // HOUR_ROWS)
        size = sum(file.size for file in files) / 2**20
        table = Table(title=f"{ROWS:,} rows of {hours} hours in {len(files)} files, {size:,.0f} MiB")
        for heading in ("question", "rows", "first s", "all s", "DataFusion s", "Arrow dataset s", "DataFusion / all"):
            table.add_column(heading, justify="left" if heading == "question" else "right")
        for question in track(_questions(hours), "asking", console=console, transient=True):
            table.add_row(*_compare(url, question))
        console.print(table)


def _questions(hours: int) -> list[Question]:
    last = Interval(START + (hours - 1) * HOUR, START + hours * HOUR)
    every = Interval(START, last.end)
    service = f"service={SERVICES[7]} timeout"
    return [
        Question("service, hour, text", service, last),
        Question("hour, text", "timeout", last),
        Question("service, text, the newest 100", service, every, 100),
        Question("service, text", service, every),
    ]


def _compare(url: str, question: Question) -> Iterator[str]:
    first, whole, found = _median(lambda: _search(url, question))
    _, fusion, found_there = _median(lambda: _datafusion(url, question))
    _, arrow, found_by_arrow = _median(lambda: _dataset(url, question))
    if len({found, found_there, found_by_arrow}) != 1:
        raise SystemExit(f"{question.name}: {found}, {found_there} and {found_by_arrow} rows are not the same answer")
    yield from (question.name, f"{found:,}", f"{first:.2f}", f"{whole:.2f}", f"{fusion:.2f}", f"{arrow:.2f}")
    yield f"{fusion / whole:.1f}"


def _median(ask: Callable[[], tuple[float, float, int]]) -> tuple[float, float, int]:
    answers = [ask() for _ in range(ROUNDS)]
    return statistics.median(each[0] for each in answers), statistics.median(each[1] for each in answers), answers[0][2]


def _search(url: str, question: Question) -> tuple[float, float, int]:
    started, first, found = time.perf_counter(), 0.0, 0
    topic = SearchedTopic(TOPIC, TopicTable.open(url, TOPIC.name))
    wanted = Search(parse_query(question.query), question.interval, limit=question.limit)
    for rows in search([topic], wanted):
        first = first or time.perf_counter() - started
        found += len(rows)
    return first, time.perf_counter() - started, found


def _datafusion(url: str, question: Question) -> tuple[float, float, int]:
    started = time.perf_counter()
    topic = SearchedTopic(TOPIC, TopicTable.open(url, TOPIC.name))
    _, tables = query_topics([topic], question.sql, question.interval)
    found = sum(map(len, tables))
    seconds = time.perf_counter() - started
    return seconds, seconds, found


def _dataset(url: str, question: Question) -> tuple[float, float, int]:
    started = time.perf_counter()
    table = TopicTable.open(url, TOPIC.name)
    time_of = pc.field("timestamp")
    start, end = question.interval.start, question.interval.end
    wanted = (time_of >= pa.scalar(start)) & (time_of < pa.scalar(end))
    if "service" in question.query:
        wanted &= pc.field("service") == SERVICES[7]
    has = [
        pc.match_substring(pc.field(name), "timeout", ignore_case=True) for name in ("message", "stack_trace", "raw")
    ]
    wanted &= has[0] | pc.coalesce(has[1], False) | has[2]
    dataset = table._table.to_pyarrow_dataset()
    found = dataset.to_table(filter=wanted).sort_by([("timestamp", "descending")])
    found = found.slice(0, question.limit)
    seconds = time.perf_counter() - started
    return seconds, seconds, len(found)


def _fill(url: str, console: Console) -> SearchedTopic:
    """ROWS rows, written as compaction writes them."""
    table = TopicTable.open_or_create(url, TOPIC.name)
    rng = np.random.default_rng(1)
    pool = {service: _records(service) for service in SERVICES}
    offset, part = 0, TopicPartition(TOPIC.name, "generation-1", 0)
    for start in track(range(0, ROWS, HOUR_ROWS), "writing the table", console=console):
        rows = min(HOUR_ROWS, ROWS - start)
        hour = START + start // HOUR_ROWS * HOUR
        groups = _groups(_hour(pool, hour, rows, offset, rng))
        file = stage_file(table._files, groups, f"{hour:%Y-%m-%d}", f"{hour:%H}", prefix=MERGED, level=MERGED_LEVEL)
        table.commit([file], [OffsetRange(part, offset, offset + rows)])
        offset += rows
    return SearchedTopic(TOPIC, table)


def _hour(
    pool: Mapping[str, pa.Table], hour: datetime, rows: int, offset: int, rng: np.random.Generator
) -> Iterator[pa.Table]:
    """An hour's rows service by service, each by time."""
    first = int(hour.timestamp()) * 1_000_000
    per_service = np.diff(np.linspace(0, rows, len(pool) + 1, dtype=np.int64))
    for events, count in zip(pool.values(), per_service.tolist(), strict=True):
        chosen = events.take(pa.array(rng.integers(0, len(events), count)))
        times = np.sort(rng.integers(0, 3_600_000_000, count)) + first
        offsets = np.arange(offset, offset + count)
        offset += count
        for name, values in (("timestamp", times), ("kafka_offset", offsets)):
            place = chosen.schema.get_field_index(name)
            field = chosen.schema.field(name)
            chosen = chosen.set_column(place, field, pa.array(values).cast(field.type))
        yield chosen


def _groups(portions: Iterator[pa.Table]) -> Iterator[pa.Table]:
    held = pa.concat_tables(portions)
    for start in range(0, len(held), ROW_GROUP):
        yield held.slice(start, ROW_GROUP)


def _records(service: str) -> pa.Table:
    """Decoded records of a service, one in a thousand a timeout."""
    rng = random.Random(service)
    return decode(raw_table([_record(rng, service) for _ in range(POOL)]), TOPIC, event_time_span=timedelta(days=7))


def _record(rng: random.Random, service: str) -> bytes:
    what = "Timeout of" if rng.random() < 0.001 else "answered"
    number, took = rng.getrandbits(40), rng.randrange(2000)
    record = {
        "@timestamp": "2026-11-22T12:00:00.123Z",
        "levelname": rng.choices(["INFO", "WARNING", "ERROR"], [90, 5, 5])[0],
        "appName": service,
        "environment": "prod",
        "source_host": f"node-{rng.randrange(30):02}",
        "name": f"{service}.api",
        "message": f"{what} GET /orders/{number:x} for customer {rng.getrandbits(32)} after {took} ms",
        "request_id": f"{rng.getrandbits(64):016x}",
        "elapsed_ms": took,
    }
    return json.dumps(record).encode()


@contextmanager
def _server() -> Iterator[HdfsServer]:
    folder = profile_folder(f"bench-{os.getpid()}")
    java, tool, ports = find_java(), find_tool(), free_ports()
    try:
        with running(HdfsServer(folder / "hdfs", java, fetch("hdfs", tool), ports)) as hdfs:
            yield hdfs
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
