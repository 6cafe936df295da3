"""How fast records are counted: decode + count + one SQL transaction a batch, beside what one would write by hand.

The first row reads them from a real broker on the same machine, as the task of ``watch_errors`` does.
The peers run over the same batches in the same process: a loop with orjson and a Counter (no fingerprints, samples,
positions or database), and pandas' own groupby over columns that are decoded already. Each is the best of three rounds.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.alerting.counts import LABEL_COLUMNS, complete_to, count_events
from faultline.model import OffsetRange, TopicPartition, utc_now
from faultline.records.decode import decode
from faultline.records.source import RAW_SCHEMA
from faultline.settings import Settings
from faultline.steps.counts import count_topic
from faultline.topicfile import TopicConfig
from tests.servers import KafkaServer, running

RECORDS = 500_000
BATCH = Settings().count_batch_rows
ROUNDS, PARTITIONS = 3, 4
TOPIC = TopicConfig(name="app-logs")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEVELS = ["INFO"] * 90 + ["WARNING"] * 5 + ["ERROR"] * 5
MESSAGES = [
    "order %d accepted for customer %d",
    "payment of cart %d refused: card %d expired",
    "connection to 10.0.3.%d:5432 refused after %d ms",
    "user %d logged in from session %d",
]


@dataclass(frozen=True, slots=True)
class Result:
    """One way of counting: how long it took over all batches and the processor time it used, in seconds."""

    name: str
    seconds: float
    processor: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return RECORDS / self.seconds


def main() -> None:
    """Print the table of rates."""
    console = Console()
    batches = [_batch(start) for start in track(range(0, RECORDS, BATCH), "writing records", console=console)]
    with tempfile.TemporaryDirectory() as folder:
        results = [_from_a_broker(batches, Path(folder), console), *_results(batches, Path(folder))]
    console.print(_table(results, batches))


def _results(batches: Sequence[pa.Table], folder: Path) -> Iterable[Result]:
    span, bucket = Settings().event_time_span, timedelta(seconds=10)
    decoded = [decode(batch, TOPIC, event_time_span=span) for batch in batches]
    counted = [count_events(events, TOPIC, bucket=bucket) for events in decoded]
    # A range is counted once, so each round needs a database of its own.
    with ExitStack() as stack:
        databases = (stack.enter_context(_database(folder / f"{number}.db")) for number in range(2 * ROUNDS))
        yield _best("faultline: decode + count + record", lambda: _whole_way(next(databases), span), batches)
        yield _best("  of it: record_counts (SQLite)", lambda: _recorder(next(databases)), counted)
    yield _best("  of it: decode", lambda: partial(decode, topic=TOPIC, event_time_span=span), batches)
    yield _best(
        "  of it: count_events", lambda: partial(count_events, topic=TOPIC, bucket=timedelta(seconds=10)), decoded
    )
    yield _best("peer: orjson loop + Counter", lambda: _by_hand, batches)
    yield _best("peer: pandas groupby only", lambda: _pandas_only, decoded)


def _from_a_broker(batches: Sequence[pa.Table], folder: Path, console: Console) -> Result:
    """The fastest of some rounds of one process, each into a new database."""
    state = profile_folder(f"bench-{os.getpid()}")
    try:
        with running(KafkaServer(state / "kafka", find_java(), fetch("kafka", find_tool()), free_ports())) as kafka:
            _fill(kafka.bootstrap, batches, console)
            return min((_counted(kafka.bootstrap, folder / f"{each}.broker") for each in range(ROUNDS)), key=_processor)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _fill(bootstrap: str, batches: Sequence[pa.Table], console: Console) -> None:
    properties = {"bootstrap.servers": bootstrap}
    admin = AdminClient(properties)
    admin.create_topics([NewTopic(TOPIC.name, PARTITIONS, 1)])[TOPIC.name].result()
    producer = Producer({**properties, "compression.type": "zstd", "linger.ms": 20})
    for batch in track(batches, "records into Kafka", console=console):
        for index, value in enumerate(batch["raw"].to_pylist()):
            producer.produce(TOPIC.name, value, partition=index % PARTITIONS)
            producer.poll(0)
        producer.flush()


def _counted(bootstrap: str, file: Path) -> Result:
    with _database(file) as database, KafkaSource(bootstrap) as source:
        return _time("faultline: broker to committed counts", partial(_count, source, database), [TOPIC])


def _count(source: KafkaSource, database: Database, topic: TopicConfig) -> None:
    if (counted := count_topic(Settings(), source, database, topic, at=utc_now())) != RECORDS:
        raise RuntimeError(f"{counted} records were counted")


def _database(file: Path) -> Database:
    database = Database(f"sqlite:///{file}")
    database.migrate()
    return database


def _whole_way(database: Database, span: timedelta) -> Callable[[pa.Table], None]:
    positions = iter(range(0, RECORDS, BATCH))

    def count(batch: pa.Table) -> None:
        events = decode(batch, TOPIC, event_time_span=span)
        ranges = [_range(next(positions))]
        done = complete_to(events, ranges, caught_up=[], at=NOON + timedelta(days=1))
        database.record_counts(ranges, count_events(events, TOPIC, bucket=timedelta(seconds=10)), done)

    return count


def _recorder(database: Database) -> Callable[[list], None]:
    positions = iter(range(0, RECORDS, BATCH))
    return lambda rows: database.record_counts([_range(next(positions))], rows)


def _by_hand(batch: pa.Table) -> Counter[tuple[object, ...]]:
    counter: Counter[tuple[object, ...]] = Counter()
    for raw in batch["raw"].to_pylist():
        record = orjson.loads(raw)
        bucket = datetime.fromisoformat(record["@timestamp"]).timestamp() // 10
        counter[(bucket, record["appName"], record["environment"], record["source_host"], record["levelname"])] += 1
    return counter


def _pandas_only(events: pa.Table) -> object:
    frame = events.select(["timestamp", *LABEL_COLUMNS, "fingerprint"]).to_pandas()
    frame["bucket"] = frame["timestamp"].dt.floor("10s")
    return frame.groupby(["bucket", *LABEL_COLUMNS, "fingerprint"], dropna=False)["timestamp"].agg(
        ["size", "min", "max"]
    )


_processor = attrgetter("processor")


def _best(name: str, begin: Callable[[], Callable[[Any], object]], items: Sequence[object]) -> Result:
    """The fastest of some rounds."""
    return min((_time(name, begin(), items) for _ in range(ROUNDS)), key=_processor)


def _time(name: str, work: Callable[[Any], object], items: Sequence[object]) -> Result:
    start, processor = time.perf_counter(), time.process_time()
    for item in items:
        work(item)
    return Result(name, time.perf_counter() - start, time.process_time() - processor)


def _table(results: Sequence[Result], batches: Sequence[pa.Table]) -> Table:
    size = sum(batch["raw"].nbytes for batch in batches) / RECORDS
    table = Table(title=f"counting {RECORDS:,} records of {size:.0f} bytes, {BATCH:,} a batch")
    for heading in ("what", "records/s", "CPU µs a record", "CPU / faultline"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for result in results:
        ratio = result.processor / results[1].processor
        table.add_row(result.name, f"{result.rate:,.0f}", f"{1e6 * result.processor / RECORDS:.2f}", f"{ratio:.2f}")
    return table


def _range(start: int) -> OffsetRange:
    return OffsetRange(TopicPartition(TOPIC.name, "generation-1", 0), start, start + BATCH)


def _batch(start: int) -> pa.Table:
    """Records of ten services on twenty hosts, ten thousand a second, one in ten of them a warning or worse."""
    rng = random.Random(start)
    columns = [
        pa.array(["generation-1"] * BATCH, pa.string()),
        pa.array([0] * BATCH, pa.int32()),
        pa.array(range(start, start + BATCH), pa.int64()),
        pa.array([NOON + timedelta(microseconds=100 * start)] * BATCH, pa.timestamp("us", tz="UTC")),
        pa.nulls(BATCH, pa.binary()),
        pa.array([_record_bytes(rng, offset) for offset in range(start, start + BATCH)], pa.large_binary()),
    ]
    return pa.table(columns, schema=RAW_SCHEMA)


def _record_bytes(rng: random.Random, offset: int) -> bytes:
    """One record as LogstashFormatterV1 writes it."""
    return orjson.dumps(
        {
            "@timestamp": (NOON + timedelta(microseconds=100 * offset)).isoformat(timespec="milliseconds"),
            "levelname": rng.choice(LEVELS),
            "appName": f"service-{offset % 10}",
            "environment": "prod",
            "source_host": f"host-{rng.randrange(20)}",
            "name": "shop.orders",
            "message": rng.choice(MESSAGES) % (rng.randrange(256), rng.randrange(100_000)),
            "pathname": "/srv/shop/orders.py",
            "lineno": rng.randrange(500),
            "process": 4711,
            "request_id": f"{rng.getrandbits(64):016x}",
        }
    )


if __name__ == "__main__":
    main()
