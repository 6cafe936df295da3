"""How fast records get from Kafka into committed Parquet on HDFS, beside Spark Structured Streaming in the same run.

A real broker and a real HDFS with three DataNodes are started for it. ``--growth 50`` lets a table grow to 50 million
rows instead, which takes a quarter of an hour; ``--batches`` tries commits of other sizes; ``--records`` makes either
shorter or longer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import spark
from benchmarks.archive_log import long_log
from benchmarks.archive_worker import append
from benchmarks.compaction import merge_all
from benchmarks.logs import mixed, short
from benchmarks.workers import Spent, Workers
from dev.errors import DevError
from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.verify import verify_topic
from faultline.settings import Settings
from tests.servers import HdfsServer, KafkaServer, running

RECORDS = 2_000_000
MIXED = 200_000
COMMITS = 10_000
GROWTH = (1, 10, 50)
BATCHES = (50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000)
MILLION = 1_000_000
ROUNDS = 3
PARTITIONS = 4
TOPIC = "bench"
HALVES = ("0,1", "2,3")

Row = tuple[str, str, float, float]


class Bench:
    """Servers, a topic full of records, and what was measured with them."""

    def __init__(self, kafka: KafkaServer, hdfs: HdfsServer, folder: Path, records: int, console: Console) -> None:
        self.bootstrap, self.url, self.records = kafka.bootstrap, hdfs.url, records
        self._webhdfs = hdfs.webhdfs
        self._log, self._console = folder / "workers.log", console
        self._spent: dict[str, list[Spent]] = {}
        self.remarks: list[str] = []

    @property
    def results(self) -> dict[str, Spent]:
        """What everything took, in the median of its rounds."""
        return {name: _median(spent) for name, spent in self._spent.items()}

    def fill(self, topic: str, values: Iterable[bytes], number: int) -> int:
        """Put records into the topic; the bytes of JSON in them."""
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "compression.type": "zstd",
                "linger.ms": 20,
                "queue.buffering.max.messages": 500_000,
            }
        )
        size = 0
        for index, value in enumerate(track(values, f"records into {topic}", number, console=self._console)):
            size += len(value)
            while len(producer) > 400_000:
                producer.poll(0.1)
            producer.produce(topic, value, partition=index % PARTITIONS)
            producer.poll(0)
        producer.flush()
        return size

    def create(self, topic: str) -> None:
        """A topic, empty."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()

    def workers(self, work: str, *groups: str, url: str = "", topic: str = TOPIC) -> Workers:
        """A process of ours for each group of partitions."""
        command = [sys.executable, "-m", "benchmarks.archive_worker", work, self.bootstrap, url or self.url, topic]
        return Workers([[*command, group] for group in groups], self._log)

    def compare(self) -> None:
        """Ours and Spark's, in turns."""
        self.workers("append", "0").close()  # Python compiles what it imports for the first time
        with self.workers("append", *HALVES) as ours, self._spark() as peer:
            self._note("ours, first", ours.start + self._into(ours, "first"))
            if peer is not None:
                self._note("spark, first", peer.start + peer.work("spark-first"))
            for number in range(ROUNDS):
                self._note("ours", self._into(ours, f"warm-{number}"))
                if peer is not None:
                    self._note("spark", peer.work(f"spark-{number}"))
        with self.workers("append", ",".join(HALVES)) as one:
            self._note("ours, one", one.start + self._into(one, "one"))
        with self.workers("consume", ",".join(HALVES)) as consumer:
            self._note("consume", consumer.work(""))

    def startup(self, commits: int) -> Spent:
        """Start a process and let it look up positions in a table of so many commits; and prove that table."""
        long_log(f"{self.url}/long", self._webhdfs, TOPIC, commits, self._console)
        with self.workers("open", "0", url=f"{self.url}/long") as worker:
            start = worker.start
        self.remarks += [self.verify("long"), self.verify("long", deep=True)]
        return start

    def stored(self, topic: str) -> tuple[float, float]:
        """Bytes on HDFS, of one replica, for each byte of JSON of a mixed landscape: as appended, and as merged."""
        self.create(topic)
        size = self.fill(topic, mixed(MIXED), MIXED)
        TopicTable.open_or_create(f"{self.url}/stored", topic)
        with KafkaSource(self.bootstrap) as source:
            append(source, f"{self.url}/stored", topic, list(source.watermarks(source.partitions(topic)).values()))
        appended = _stored(f"{self.url}/stored", topic)
        merge_all(f"{self.url}/stored", topic, until=datetime.now(UTC) + timedelta(hours=1))
        return appended / size, _stored(f"{self.url}/stored", topic) / size

    def grow(self, topic: str, steps: Sequence[int]) -> list[tuple[int, Spent]]:
        """A million records at a time into one table; what the last million took when it had so many."""
        self.create(topic)
        TopicTable.open_or_create(f"{self.url}/grown", topic)
        values = list(short(MILLION))
        found: list[tuple[int, Spent]] = []
        with self.workers("append", *HALVES, topic=topic) as ours:
            for millions in range(1, max(steps) + 1):
                self.fill(topic, values, MILLION)
                spent = ours.work("grown")
                if millions in steps:
                    found.append((millions, spent))
        return found

    def batches(self, sizes: Sequence[int]) -> list[tuple[int, Spent, int]]:
        """Two processes that commit after so many records: what the work took in the median, and the commits made."""
        found: list[tuple[int, Spent, int]] = []
        for size in sizes:
            os.environ["FAULTLINE_ARCHIVE_BATCH_ROWS"] = str(size)
            with self.workers("append", *HALVES) as ours:
                spent = [self._into(ours, f"batch-{size}-{number}") for number in range(ROUNDS)]
            del os.environ["FAULTLINE_ARCHIVE_BATCH_ROWS"]
            found.append((size, _median(spent), TopicTable.open(f"{self.url}/batch-{size}-0", TOPIC).version))
        return found

    def verify(self, name: str, *, deep: bool = False) -> str:
        """What the proof says of a table; of the topic's records when Kafka has had them."""
        started = time.perf_counter()
        table = TopicTable.open(f"{self.url}/{name}", TOPIC)
        with KafkaSource(self.bootstrap) as source:
            report = verify_topic(table, source if name == "first" else None, deep=deep)
        took, verdict = time.perf_counter() - started, "proven" if report.ok else "NOT PROVEN"
        what = f"verify {'--deep ' if deep else ''}of {table.version:,} commits"
        return f"{what}: {verdict}, {report.rows:,} rows in {took:.2f} s"

    def _note(self, name: str, spent: Spent) -> None:
        self._spent.setdefault(name, []).append(spent)
        self._console.print(f"{name}: {spent.seconds:.1f} s, {spent.processor:.1f} CPU s")

    def _into(self, workers: Workers, name: str) -> Spent:
        TopicTable.open_or_create(f"{self.url}/{name}", TOPIC)
        return workers.work(name)

    @contextmanager
    def _spark(self) -> Iterator[Workers | None]:
        try:
            with self._console.status("starting Spark …"):
                peer = Workers([spark.command(self.bootstrap, self.url, TOPIC)], self._log)
        except (DevError, RuntimeError, subprocess.CalledProcessError) as error:
            self.remarks.append(f"no figures of Spark: {error}")
            yield None
            return
        with peer:
            yield peer


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    with _servers(console) as (kafka, hdfs, folder):
        bench = Bench(kafka, hdfs, folder, options.records, console)
        if options.growth:
            steps = [step for step in GROWTH if step <= options.growth]
            console.print(_growth(bench.grow("growing", steps)))
            return
        bench.create(TOPIC)
        size = bench.fill(TOPIC, short(options.records), options.records)
        if options.batches:
            console.print(_batches(options.records, bench.batches(BATCHES)))
            return
        bench.compare()
        console.print(_rates(bench, size))
        bench.remarks += [bench.verify("first"), bench.verify("first", deep=True)]
        console.print(_targets(bench, bench.stored("mixed"), bench.startup(COMMITS)))
        console.print(*bench.remarks, sep="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--growth", type=int, metavar="MILLIONS", help="instead, let a table grow: 10 or 50")
    parser.add_argument("--batches", action="store_true", help="instead, commit after fewer or more records")
    return parser


def _rates(bench: Bench, size: int) -> Table:
    names = {
        "ours": "append, two processes, warm",
        "ours, first": "append, two processes, with their start",
        "ours, one": "append, one process, with its start",
        "spark": f"peer: Spark {spark.VERSION} availableNow, local[2], warm",
        "spark, first": "peer: its first run, with its start",
        "consume": "peer: confluent-kafka consume loop, one process",
    }
    table = Table(title=f"{bench.records:,} records of {size / bench.records:.0f} bytes, {PARTITIONS} partitions")
    for heading in ("what", "records/s", "append / this", "CPU s a million", "peak MiB a process"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, label in names.items():
        spent = bench.results.get(name)
        if spent is None:
            table.add_row(label, "could not be had", "", "", "")
            continue
        ratio = spent.seconds / bench.results["ours"].seconds
        rate, processor = bench.records / spent.seconds, spent.processor * MILLION / bench.records
        table.add_row(label, f"{rate:,.0f}", f"{ratio:.2f}", f"{processor:.2f}", f"{spent.memory:,.0f}")
    return table


def _stored(url: str, topic: str) -> int:
    return sum(TopicTable.open(url, topic).add_actions()["size_bytes"].to_pylist())


def _targets(bench: Bench, stored: tuple[float, float], start: Spent) -> Table:
    """What was aimed at, and what came of it in this run."""
    results = bench.results
    rows: list[Row] = []
    if "spark" in results:
        ours, first, warm, cold = (results[name] for name in ("ours", "ours, first", "spark", "spark, first"))
        rows = [
            ("records/s / Spark's, both warm", "≥", 2.5, warm.seconds / ours.seconds),
            ("records/s / Spark's, first runs, starts included", "≥", 4, cold.seconds / first.seconds),
            ("CPU / Spark's, both warm", "≤", 0.35, ours.processor / warm.processor),
        ]
    rows += [
        ("peak MiB an append process", "≤", 700, max(results[name].memory for name in results if "ours" in name)),
        ("bytes on HDFS a byte of JSON, as appended", "≤", 0.13, stored[0]),
        ("the same, once merged", "≤", 0.13, stored[1]),
        (f"seconds to start with {COMMITS:,} commits", "≤", 2, start.seconds),
    ]
    table = Table("aimed at", "", "reached", "", title="targets")
    for name, sign, target, value in rows:
        reached = value <= target if sign == "≤" else value >= target
        table.add_row(name, f"{sign} {target}", f"{value:.3g}", "yes" if reached else "no")
    return table


def _growth(found: Sequence[tuple[int, Spent]]) -> Table:
    table = Table("million rows archived", "records/s of the last", "/ the first", "CPU s", title="growth")
    for millions, spent in found:
        ratio = found[0][1].seconds / spent.seconds
        table.add_row(str(millions), f"{MILLION / spent.seconds:,.0f}", f"{ratio:.2f}", f"{spent.processor:.2f}")
    return table


def _batches(records: int, found: Sequence[tuple[int, Spent, int]]) -> Table:
    chosen = next(spent for size, spent, _ in found if size == Settings().archive_batch_rows)
    table = Table(
        "records a commit", "records/s", "/ chosen", "CPU s a million", "peak MiB", "commits", title="batches"
    )
    for size, spent, commits in found:
        rate, processor = records / spent.seconds, spent.processor * MILLION / records
        ratio = chosen.seconds / spent.seconds
        table.add_row(
            f"{size:,}", f"{rate:,.0f}", f"{ratio:.2f}", f"{processor:.2f}", f"{spent.memory:,.0f}", str(commits)
        )
    return table


def _median(spent: Sequence[Spent]) -> Spent:
    return Spent(
        statistics.median(each.seconds for each in spent),
        statistics.median(each.processor for each in spent),
        max(each.memory for each in spent),
    )


@contextmanager
def _servers(console: Console) -> Iterator[tuple[KafkaServer, HdfsServer, Path]]:
    folder = profile_folder(f"bench-{os.getpid()}")
    java, tool, ports = find_java(), find_tool(), free_ports()
    try:
        with (
            console.status("starting Kafka and HDFS …") as status,
            running(KafkaServer(folder / "kafka", java, fetch("kafka", tool), ports)) as kafka,
            running(HdfsServer(folder / "hdfs", java, fetch("hdfs", tool), ports)) as hdfs,
        ):
            status.stop()
            yield kafka, hdfs, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
