"""How soon the view Pipeline answers while Kafka and HDFS do, and while they hang; and how long they take themselves.

Six topics of twelve partitions, two days of hours in tables on HDFS, all of them marked. Time is that of a request as
the browser would wait for it, without the network; the database is a file.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table

from benchmarks.page import Person, anyone
from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.adapters.markers import markers
from faultline.archive.compact import closed_before
from faultline.archive.marks import hours_between
from faultline.model import utc_now
from faultline.page.access import Access
from faultline.page.app import build_app
from faultline.page.sources import Sources
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run
from tests.servers import HdfsServer, KafkaServer, running

TOPICS = [f"topic-{number}" for number in range(6)]
PARTITIONS, HOURS, ROUNDS = 12, 48, 15
HOUR = timedelta(hours=1)


def main() -> None:
    """Print both tables."""
    console = Console()
    with (
        console.status("Starting Kafka and HDFS and filling them ...") as status,
        _servers() as (kafka, hdfs, settings),
    ):
        _fill(settings)
        status.update("Asking ...")
        sources = _sources(settings)
        took = Table("while", "ms", "of them most", "KiB")
        access = Access(user=Person, read=anyone, edit=anyone, secret="bench")
        with TestClient(build_app(access, lambda: settings), base_url="http://bench") as client:
            took.add_row("nothing has been asked yet", *_ask(client, 1))
            _wait(client, lambda page: "has been asked" not in page)
            took.add_row("all answer", *_ask(client))
            hdfs.namenode.suspend()
            _wait(client, lambda page: "Is HDFS up?" in page)
            took.add_row("HDFS hangs", *_ask(client))
            kafka.suspend()
            _wait(client, lambda page: "Kafka cannot be asked" in page or "Kafka does not answer" in page)
            took.add_row("HDFS and Kafka hang", *_ask(client))
            kafka.resume()
            hdfs.namenode.resume()
    console.print(took)
    console.print(sources)


def _ask(client: TestClient, rounds: int = ROUNDS) -> tuple[str, str, str]:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get("/pipeline")
        took.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        time.sleep(0.3)
    return f"{statistics.median(took):,.0f}", f"{max(took):,.0f}", f"{len(answer.content) / 1024:,.0f}"


def _wait(client: TestClient, ready: Callable[[str], bool]) -> None:
    while not ready(client.get("/pipeline").text):
        time.sleep(0.2)


def _sources(settings: Settings) -> Table:
    """How long each source takes to say how it is, in a thread of its own."""
    table = Table("source", "s")
    with Database(settings.database_url) as database:
        sources = Sources(settings, database, utc_now)
        gathers = (sources.gather_kafka, sources.gather_tables, sources.gather_storage, sources.gather_lane)
        for gather in gathers:
            took = []
            for _ in range(3):
                began = time.perf_counter()
                gather()
                took.append(time.perf_counter() - began)
            table.add_row(gather.__name__.removeprefix("gather_"), f"{statistics.median(took):,.2f}")
    return table


def _fill(settings: Settings) -> None:
    now = utc_now()
    kafka: dict[str, str | int | float | bool] = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    admin = AdminClient(kafka)
    for done in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS]).values():
        done.result()
    producer = Producer(kafka)
    for topic in TOPICS:
        for number in range(HOURS * PARTITIONS):
            at = now - (HOURS - number / PARTITIONS) * HOUR
            value = json.dumps({"@timestamp": at.isoformat(), "message": f"number {number}"})
            producer.produce(topic, value, partition=number % PARTITIONS, timestamp=round(at.timestamp() * 1000))
    producer.flush()
    with KafkaSource(settings.kafka_bootstrap_servers) as source, Database(settings.database_url) as database:
        database.migrate()
        for group in plan_archive_run(settings, source, until=now):
            append_group(settings, source, group)
    store = markers(settings.archive_url, settings.webhdfs_url)
    assert store is not None
    for topic in TOPICS:
        for hour in hours_between(now - HOURS * HOUR, closed_before(now, settings.archive_lateness)):
            store.write(topic, hour, {})


@contextmanager
def _servers() -> Iterator[tuple[KafkaServer, HdfsServer, Settings]]:
    folder, ports = profile_folder("bench-pipeline"), free_ports()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "topics.yaml").write_text(f"topics: [{', '.join(f'{{name: {topic}}}' for topic in TOPICS)}]")
    kafka = KafkaServer(folder / "kafka", find_java(), fetch("kafka", find_tool()), ports)
    hdfs = HdfsServer(folder / "hdfs", find_java(), fetch("hdfs", find_tool()), ports)
    try:
        with running(kafka), running(hdfs):
            yield (
                kafka,
                hdfs,
                Settings(
                    kafka_bootstrap_servers=kafka.bootstrap,
                    archive_url=f"{hdfs.url}/bench",
                    webhdfs_url=hdfs.webhdfs,
                    database_url=f"sqlite:///{folder / 'faultline.db'}",
                    topics_file=folder / "topics.yaml",
                    archive_group_partitions=PARTITIONS,
                ),
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
