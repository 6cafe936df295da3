"""How fast records get from Kafka into committed Parquet on HDFS, beside what the two ends manage on their own.

A real broker and a real HDFS with three DataNodes are started for it. The peers run in the same minute over the same
records: the plain loop of confluent-kafka's consumer, and deltalake's own write of rows that are decoded already.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import SimpleQueue

import orjson
import pyarrow as pa
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Position
from confluent_kafka.admin import AdminClient, NewTopic
from deltalake import WriterProperties, write_deltalake
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.append import Limits, append_ranges
from faultline.archive.plan import ranges_from_dicts, ranges_to_dicts
from faultline.archive.verify import verify_topic
from faultline.model import OffsetRange
from faultline.records.decode import decode
from faultline.settings import Settings, TopicConfig
from tests.servers import HdfsServer, KafkaServer, running

RECORDS = 1_000_000
PARTITIONS = 4
TOPIC = TopicConfig(name="bench")
LIMITS = Limits(Settings().archive_batch_rows, Settings().archive_batch_bytes)
SPAN = Settings().event_time_span
LEVELS = ["INFO"] * 90 + ["WARNING"] * 5 + ["ERROR"] * 5


@dataclass(frozen=True, slots=True)
class Result:
    """One way of doing it: seconds of wall and of processor time, and the largest process in MiB."""

    name: str
    seconds: float
    processor: float
    memory: float | None = None


def main() -> None:
    """Print the table of rates."""
    console = Console()
    with console.status("starting Kafka and HDFS …"), ExitStack() as stack:
        kafka, hdfs = stack.enter_context(_servers())
        stack = stack.pop_all()
    with stack, KafkaSource(kafka.bootstrap) as source:
        size = _produce(kafka.bootstrap, console)
        spans = list(source.watermarks(source.partitions(TOPIC.name)).values())
        results = list(_results(kafka.bootstrap, hdfs.url, source, spans))
        table = TopicTable.open(f"{hdfs.url}/two", TOPIC.name)
        started = time.perf_counter()
        report = verify_topic(table, source)
        verified = time.perf_counter() - started
        stored = sum(pa.table(table._table.get_add_actions(flatten=True))["size_bytes"].to_pylist())
    console.print(_table(results, size))
    console.print(f"{stored / size:.3f} bytes on HDFS (one replica) per byte of JSON, raw kept")
    console.print(f"verify: {'proven' if report.ok else 'NOT PROVEN'}, {report.rows:,} rows in {verified:.2f} s")


def _results(bootstrap: str, url: str, source: KafkaSource, spans: Sequence[OffsetRange]) -> Iterator[Result]:
    halves = [spans[: PARTITIONS // 2], spans[PARTITIONS // 2 :]]
    for name, groups in (("two", halves), ("one", [spans])):
        TopicTable.open_or_create(f"{url}/{name}", TOPIC.name)
        label = f"faultline: append, {name} process{'es' if len(groups) > 1 else ''}"
        yield _measure(label, [(_append, (bootstrap, f"{url}/{name}", ranges_to_dicts(group))) for group in groups])
    yield _measure("peer: confluent-kafka consume loop, one process", [(_consume, (bootstrap,))])
    batches = [raw for raw, _ in source.read(spans, max_rows=LIMITS.max_rows, max_bytes=LIMITS.max_bytes)]
    yield _here("  of it: decode", lambda raw: decode(raw, TOPIC, event_time_span=SPAN), batches)
    events = [decode(raw, TOPIC, event_time_span=SPAN) for raw in batches]
    yield _here("peer: deltalake write of decoded rows", lambda rows: _write(f"{url}/peer", rows), events)
    table = TopicTable.open_or_create(f"{url}/stage", TOPIC.name)
    yield _here("  of it: stage the same rows", table.stage, events)


def _append(bootstrap: str, url: str, ranges: list[dict[str, object]]) -> None:
    with KafkaSource(bootstrap) as source:
        table = TopicTable.open(url, TOPIC.name)
        append_ranges(table, source, TOPIC, ranges_from_dicts(ranges), LIMITS, event_time_span=SPAN)


def _consume(bootstrap: str) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "peer", "auto.offset.reset": "earliest"})
    consumer.assign([Position(TOPIC.name, number, 0) for number in range(PARTITIONS)])
    left = RECORDS
    while left:
        left -= len(consumer.consume(min(2000, left), 1.0))
    consumer.close()


def _write(url: str, events: pa.Table) -> None:
    hours = events["timestamp"].cast(pa.int64()).to_numpy() // 3_600_000_000
    rows = events.append_column("hour", pa.array(hours))
    properties = WriterProperties(compression="ZSTD")
    write_deltalake(url, rows, mode="append", partition_by=["hour"], writer_properties=properties)


def _measure(name: str, jobs: Sequence[tuple[Callable[..., None], tuple[object, ...]]]) -> Result:
    """Each job in a process of its own; the time from the first start to the last end, imports included."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    processes = [context.Process(target=_job, args=(queue, work, arguments)) for work, arguments in jobs]
    started = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - started
    if any(process.exitcode for process in processes):
        raise SystemExit(f"{name}: a process failed")
    usage = [queue.get() for _ in processes]
    return Result(name, seconds, sum(cpu for cpu, _ in usage), max(memory for _, memory in usage))


def _job(queue: SimpleQueue[tuple[float, float]], work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    work(*arguments)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    queue.put((usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))


def _here(name: str, work: Callable[[pa.Table], object], batches: Sequence[pa.Table]) -> Result:
    started, processor = time.perf_counter(), time.process_time()
    for batch in batches:
        work(batch)
    return Result(name, time.perf_counter() - started, time.process_time() - processor)


def _table(results: Sequence[Result], size: int) -> Table:
    table = Table(title=f"archiving {RECORDS:,} records of {size / RECORDS:.0f} bytes, {PARTITIONS} partitions")
    for heading in ("what", "records/s", "rate / faultline", "CPU s per million", "peak MiB a process"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{RECORDS / result.seconds:,.0f}",
            f"{results[0].seconds / result.seconds:.2f}",
            f"{result.processor * 1e6 / RECORDS:.2f}",
            f"{result.memory:,.0f}" if result.memory else "-",
        )
    return table


@contextmanager
def _servers() -> Iterator[tuple[KafkaServer, HdfsServer]]:
    folder = profile_folder(f"bench-{os.getpid()}")
    java, tool, ports = find_java(), find_tool(), free_ports()
    try:
        with (
            running(KafkaServer(folder / "kafka", java, fetch("kafka", tool), ports)) as kafka,
            running(HdfsServer(folder / "hdfs", java, fetch("hdfs", tool), ports)) as hdfs,
        ):
            yield kafka, hdfs
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _produce(bootstrap: str, console: Console) -> int:
    """Fill the topic; the bytes of JSON in it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC.name, PARTITIONS, 1)])[TOPIC.name].result()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "compression.type": "zstd",
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
        }
    )
    rng, started, size = random.Random(1), datetime.now(UTC) - timedelta(minutes=30), 0
    for number in track(range(RECORDS), "writing records to Kafka", console=console):
        value = _record(rng, number, started)
        size += len(value)
        while len(producer) > 400_000:
            producer.poll(0.1)
        producer.produce(TOPIC.name, value, partition=number % PARTITIONS)
        producer.poll(0)
    producer.flush()
    return size


def _record(rng: random.Random, number: int, started: datetime) -> bytes:
    """A record as LogstashFormatterV1 writes it, a thousand a second."""
    level = rng.choice(LEVELS)
    return orjson.dumps(
        {
            "@timestamp": (started + timedelta(milliseconds=number)).isoformat(timespec="milliseconds"),
            "levelname": level,
            "appName": f"service-{number % 10}",
            "environment": "prod",
            "source_host": f"host-{rng.randrange(20)}",
            "name": "shop.orders",
            "message": f"order {rng.randrange(100_000)} of customer {rng.randrange(10_000)}: {level.lower()}",
            "pathname": "/srv/shop/orders.py",
            "lineno": rng.randrange(500),
            "process": 4711,
            "record_id": f"host-4711-{number}",
        }
    )


if __name__ == "__main__":
    main()
