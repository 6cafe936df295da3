"""How long it takes to merge 1,000 small files of an hour on a real HDFS, beside deltalake's own ways on copies.

A reader polls all the time. What the order of rows is worth is counted in row groups that a search
for one service has to open.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, WriterProperties
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.compact import plan_merges
from faultline.archive.rewrite import merge_files
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.settings import Settings
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer, running

FILES, ROWS = 1_000, 1_000
TOPIC = TopicConfig(name="bench")
PART = TopicPartition(TOPIC.name, "bench", 0)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEARCHED = "service-3"


@dataclass(frozen=True, slots=True)
class Result:
    """One way of merging: wall and processor seconds, files, bytes, row groups a search opens, reads meanwhile."""

    name: str
    seconds: float
    processor: float
    files: int
    size: int
    opened: int
    groups: int
    reads: int
    failed: int


def main() -> None:
    """Print the table."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    ways: dict[str, Callable[[str], object]] = {
        "faultline: sorted, proven": lambda url: merge_all(url, TOPIC.name, START + timedelta(hours=1)),
        "peer: deltalake optimize.compact": lambda url: _table(url).optimize.compact(writer_properties=_zstd()),
        "peer: deltalake optimize.z_order": lambda url: _table(url).optimize.z_order(
            ["service", "timestamp"], writer_properties=_zstd()
        ),
    }
    with _hdfs() as hdfs:
        urls = [f"{hdfs.url}/copy-{number}" for number in range(len(ways))]
        before = _fill(urls, console)
        results = [_measure(name, url, way) for url, (name, way) in zip(urls, ways.items(), strict=True)]
    console.print(_report(results, before))
    console.print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB, the whole process")


def merge_all(url: str, topic: str, until: datetime) -> None:
    """Merge the hours that end until then, as a task of ``compact_archive`` does."""
    table = TopicUpkeep.open(url, topic)
    target = Settings().compact_target_mib * 2**20
    for merge in plan_merges(table.data_files(), target=target, until=until):
        assert merge_files(table, merge, memory=Settings().compact_memory_bytes) is not None


def _table(url: str) -> DeltaTable:
    return DeltaTable(f"{url}/{TOPIC.name}")


def _zstd() -> WriterProperties:
    return WriterProperties(compression="ZSTD", max_row_group_size=2**16)


def _fill(urls: list[str], console: Console) -> int:
    """The same small files into each; the bytes of one copy."""
    tables = [TopicUpkeep.open_or_create(url, TOPIC.name) for url in urls]
    rng = random.Random(1)
    per_commit = 100
    with ThreadPoolExecutor(8) as pool:
        for commit in track(range(FILES // per_commit), "writing small files", console=console):
            first = commit * per_commit * ROWS
            events = [_events(rng, first + number * ROWS) for number in range(per_commit)]
            for table in tables:
                staged = [file for files in pool.map(table.stage, events) for file in files]
                table.commit(staged, [OffsetRange(PART, first, first + per_commit * ROWS)])
    return sum(file.size for file in tables[0].data_files())


def _events(rng: random.Random, first: int) -> pa.Table:
    values = [_record(rng, number) for number in range(first, first + ROWS)]
    raw = raw_table(values, at=START, start=first, topic_id=PART.topic_id)
    return decode(raw, TOPIC, event_time_span=timedelta(days=7))


def _record(rng: random.Random, number: int) -> bytes:
    at = START + timedelta(seconds=number * 3600 / (FILES * ROWS))
    return orjson.dumps(
        {
            "@timestamp": at.isoformat(timespec="milliseconds"),
            "levelname": rng.choice(["INFO"] * 18 + ["WARNING", "ERROR"]),
            "appName": f"service-{rng.randrange(10)}",
            "environment": "prod",
            "source_host": f"host-{rng.randrange(20)}",
            "name": "shop.orders",
            "message": f"order {rng.randrange(100_000)} of customer {rng.randrange(10_000)}",
            "pathname": "/srv/shop/orders.py",
            "lineno": rng.randrange(500),
            "process": 4711,
            "record_id": f"host-4711-{number}",
        }
    )


def _measure(name: str, url: str, work: Callable[[str], object]) -> Result:
    with _polled(url) as outcome:
        started, processor = time.perf_counter(), time.process_time()
        work(url)
        seconds, used = time.perf_counter() - started, time.process_time() - processor
    table = TopicUpkeep.open(url, TOPIC.name)
    files = table.data_files()
    groups = [
        _ends(pq.ParquetFile(table.open_file(file.path)), number)
        for file in files
        for number in _groups(table, file.path)
    ]
    opened = sum(low <= SEARCHED <= high for low, high in groups)
    size = sum(file.size for file in files)
    return Result(name, seconds, used, len(files), size, opened, len(groups), *outcome)


def _groups(table: TopicUpkeep, path: str) -> range:
    return range(pq.ParquetFile(table.open_file(path)).num_row_groups)


def _ends(file: pq.ParquetFile, group: int) -> tuple[str, str]:
    column = file.metadata.row_group(group).column(file.schema_arrow.names.index("service"))
    return column.statistics.min, column.statistics.max


@contextmanager
def _polled(url: str) -> Iterator[list[int]]:
    """Reads the whole table over and over; [reads, reads that failed or had another number of rows]."""
    stop, outcome = threading.Event(), [0, 0]

    def read() -> None:
        while not stop.is_set():
            table = TopicUpkeep.open(url, TOPIC.name)
            found = table.query("SELECT count(*) AS n, max(message) AS message, count(raw) AS raw FROM logs")
            outcome[0] += 1
            outcome[1] += found["n"][0].as_py() != FILES * ROWS

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield outcome
        finally:
            stop.set()
        reading.result()


def _report(results: list[Result], before: int) -> Table:
    title = f"merging {FILES:,} files of {ROWS:,} records, {before / 2**20:.0f} MiB, on HDFS with three DataNodes"
    table = Table(title=title)
    for heading in (
        "what",
        "s",
        "s / faultline",
        "CPU s",
        "files",
        "MiB",
        "row groups opened",
        "reads, failed",
    ):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for each in results:
        table.add_row(
            each.name,
            f"{each.seconds:.1f}",
            f"{each.seconds / results[0].seconds:.2f}",
            f"{each.processor:.1f}",
            f"{each.files:,}",
            f"{each.size / 2**20:.1f}",
            f"{each.opened} of {each.groups}",
            f"{each.reads}, {each.failed}",
        )
    return table


@contextmanager
def _hdfs() -> Iterator[HdfsServer]:
    folder = profile_folder(f"bench-{os.getpid()}")
    try:
        with running(HdfsServer(folder / "hdfs", find_java(), fetch("hdfs", find_tool()), free_ports())) as hdfs:
            yield hdfs
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
