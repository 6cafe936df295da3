"""``make screenshots``: the pictures in docs/, taken anew from an Airflow with the shop's outage."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from math import pi, sin
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from playwright.sync_api import FrameLocator, Page
from rich.console import Console

from dev.airflow import LOGIN, Airflow
from dev.browser import faultline, launched, log_in
from dev.children import Child
from dev.errors import DevError
from dev.incident import SHOP, Incident
from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.kafka import Kafka
from dev.paths import ROOT, profile_folder
from dev.ports import free_ports
from dev.postgres import Postgres
from dev.programs import wait_until
from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.model import Ack, ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.settings import Settings
from faultline.steps.archive import append_group, verify_topics
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.compact import merge_topic
from faultline.steps.marks import mark_topic

FOLDER = ROOT / "docs" / "screenshots"
THEMES = ("light", "dark")
_WINDOW = (1280, 800)
_TOPIC = "app-logs"
_USUAL = (
    ("payments", "ERROR", 90, "card of payment 20418 has expired"),
    ("checkout", "WARNING", 220, "cart 5311 is empty since it was opened"),
    ("search", "ERROR", 140, "query 88213 took longer than 2,000 ms and was ended"),
    ("mail", "WARNING", 60, "to customer 3391: tried again after 451 greylisted"),
)
_LOST, _TAKEN = "was lost: payments answered 503 Service Unavailable", "is on its way"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its name, the address within the page, and what to do there before it is taken."""

    name: str
    path: str
    prepare: Callable[[FrameLocator], None]


def _open_effects(frame: FrameLocator) -> None:
    frame.get_by_text("explains 2 alerts").click()


def _wait_for_preview(frame: FrameLocator) -> None:
    frame.get_by_label("What for").fill("the database moves to new disks")
    frame.get_by_text("matches 3 alerts now").wait_for()


def _wait_for_records(frame: FrameLocator) -> None:
    frame.get_by_role("status").wait_for()


def _wait_for_answers(frame: FrameLocator) -> None:
    frame.locator(".sources .mark-good").nth(3).wait_for()


def _wait_for_bars(frame: FrameLocator) -> None:
    frame.get_by_role("link", name="CheckoutFailed").wait_for()


def _wait_for_chart(frame: FrameLocator) -> None:
    frame.locator(".chart .xtick").first.wait_for()


def _wait_for_causes(frame: FrameLocator) -> None:
    frame.get_by_role("link", name="LatencyProbe").wait_for()


def _misspell(frame: FrameLocator) -> None:
    text = frame.get_by_label("The rules")
    text.fill(text.input_value().replace("num_events: 20", "num_event: 20", 1))
    frame.get_by_role("button", name="Check").click()
    frame.locator("[data-line]").first.click()


SHOTS = (
    Shot("now", "now", _open_effects),
    Shot("errors", "errors?level=ERROR&level=WARNING", _wait_for_chart),
    Shot("errors-rule", "errors?rule=CheckoutFailed&since=10m", _wait_for_chart),
    Shot("pipeline", "pipeline", _wait_for_answers),
    Shot("search", "search?q=level%3E%3DERROR+order&since=30m", _wait_for_records),
    Shot("rules", "rules", _wait_for_causes),
    Shot("rules-edit", "rules/edit", _misspell),
    Shot("history", "history?since=6m", _wait_for_bars),
    Shot("silence", "silence?matchers=environment%3D%22prod%22", _wait_for_preview),
)


def main() -> int:
    """Take every picture in both themes."""
    console = Console(stderr=True)
    try:
        with console.status("Starting PostgreSQL, Kafka and Airflow ..."), _served() as (url, settings):
            _outage(settings.database_url)
            _log(settings)
            _archive(settings)
            for shot in take(url):
                console.print(f"{shot.relative_to(ROOT)}  {shot.stat().st_size / 1024:.0f} KiB")
    except DevError as error:
        console.print(f"[bold red]Error:[/] {error}", soft_wrap=True)
        return 1
    return 0


def take(url: str) -> Iterator[Path]:
    """The pictures as they are taken."""
    FOLDER.mkdir(exist_ok=True)
    width, height = _WINDOW
    with (
        launched() as browser,
        browser.new_context(base_url=url, viewport={"width": width, "height": height}) as window,
    ):
        page = window.new_page()
        page.goto("/")
        log_in(page, *LOGIN)
        page.get_by_role("link", name="Faultline").wait_for()
        for shot in SHOTS:
            for theme in THEMES:
                yield _take(page, shot, theme)


def _take(page: Page, shot: Shot, theme: str) -> Path:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    # Airflow keeps the theme that somebody chose here.
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"/plugin/faultline/faultline/{shot.path}")
    frame = faultline(page)
    frame.locator(f"html[data-theme={theme}]").wait_for()
    shot.prepare(frame)
    page.mouse.move(0, 0)
    file = FOLDER / f"{shot.name}-{theme}.png"
    page.screenshot(path=file, animations="disabled")
    return file


def _outage(url: str) -> None:
    """The shop's outage, taken on by somebody."""
    now = datetime.now(UTC)
    with Database(url) as database:
        database.migrate()
        began = now - timedelta(minutes=4)
        database.record_counts([OffsetRange(TopicPartition(_TOPIC, "of-the-day-before", 0), 0, 1)], _usual(began))
        incident = Incident(database, began)
        incident.go_on(now - timedelta(minutes=1))
        root = next(alert for alert in database.alerts() if alert.key.rule == "DbDown")
        database.add_ack(Ack(root.episode, "alice", now, "failing over to db-2"))
        incident.go_on(now)


def _usual(until: datetime) -> list[ErrorCount]:
    """What failed in the shop in the hours before, as it does on any day."""
    day = until.replace(minute=until.minute // 5 * 5, second=0, microsecond=0)
    found = []
    for ago, (service, level, most, text) in product(range(5, 24 * 60, 5), _USUAL):
        number = int(most * (1 + sin(ago / 97 + most)) / 2 + ago * 7919 % 15)
        labels = {"topic": _TOPIC, "service": service, "environment": "prod", "level": level}
        at = day - timedelta(minutes=ago)
        if number:
            fingerprint = f"v1:{text.encode().hex()[:12]}"
            found.append(ErrorCount(at, Labels(labels), number, at, at, fingerprint=fingerprint, sample=text))
    return found


def _log(settings: Settings) -> None:
    """What the shop logged in three days: as many records an hour as people order, the last minutes the outage."""
    now = datetime.now(UTC)
    kafka: dict[str, str | int | float | bool] = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    admin = AdminClient(kafka)
    admin.create_topics([NewTopic(_TOPIC, 3, 1)])[_TOPIC].result()
    producer = Producer(kafka)
    for number, ago in enumerate(_ages(now)):
        at = now - ago
        bad = ago < timedelta(minutes=4) or number % 97 == 0
        value = {
            "@timestamp": at.isoformat(),
            "message": f"order {77120 - number} of cart {number * 7919 % 9973} {_LOST if bad else _TAKEN}",
            "level": "ERROR" if bad else "INFO",
            "service": ("checkout", "payments")[number % 2],
        }
        producer.produce(_TOPIC, json.dumps(value), partition=number % 3, timestamp=round(at.timestamp() * 1000))
    producer.flush()


def _ages(now: datetime) -> Iterator[timedelta]:
    """How long ago each record was logged, the oldest first; the last half hour has one every two seconds."""
    hour, lately = timedelta(hours=1), timedelta(minutes=30)
    for ago in range(72, 0, -1):
        orders = round(20 + 180 * sin(pi * (now - ago * hour).hour / 24) ** 2)
        yield from (lately + ago * hour - number * hour / orders for number in range(orders))
    yield from (timedelta(seconds=number) for number in range(int(lately.total_seconds()), 0, -2))


def _archive(settings: Settings) -> None:
    """What archive_logs, compact_archive, verify and the counting lane have made of it by now."""
    now = datetime.now(UTC)
    with KafkaSource(settings.kafka_bootstrap_servers) as source, Database(settings.database_url) as database:
        for group in plan_archive_run(settings, source, until=now):
            append_group(settings, source, group)
        merge_topic(settings, _TOPIC, now=now)
        mark_topic(settings, source, _TOPIC, now=now, since=now - timedelta(days=4))
        verify_topics(settings, source)
        parts = source.partitions(_TOPIC)
        ends = {part: held.end for part, held in source.watermarks(parts).items()}
        database.record_counts([OffsetRange(part, 0, ends[part]) for part in parts], [], dict.fromkeys(parts, now))


@contextmanager
def _served() -> Iterator[tuple[str, Settings]]:
    """The address of Airflow, and Faultline's settings in it, until the block ends."""
    folder = profile_folder("screenshots")
    shutil.rmtree(folder, ignore_errors=True)
    ports = free_ports()
    postgres = Postgres(folder / "postgres", ports)
    postgres.prepare()
    kafka = Kafka(folder / "kafka", find_java(), fetch("kafka", find_tool()), ports)
    kafka.prepare()
    children = [Child(postgres.program()), Child(kafka.program())]
    try:
        for child in children:
            child.start()
        wait_until(postgres.answers, "PostgreSQL", postgres.log, children[0].alive)
        wait_until(kafka.answers, "Kafka", kafka.log, children[1].alive)
        settings = Settings(
            database_url=postgres.create_database("faultline"),
            archive_url=str(folder / "archive"),
            kafka_bootstrap_servers=kafka.bootstrap,
            topics_file=folder / "topics.yaml",
        )
        settings.topics_file.write_text(f"topics: [{{name: {_TOPIC}}}]")
        environment = {
            "FAULTLINE_DATABASE_URL": settings.database_url,
            "FAULTLINE_ARCHIVE_URL": settings.archive_url,
            "FAULTLINE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "FAULTLINE_TOPICS_FILE": str(settings.topics_file),
            "AIRFLOW_VAR_FAULTLINE_RULES": (SHOP / "rules.yaml").read_text(),
        }
        airflow = Airflow(folder / "airflow", ports, postgres.create_database("airflow"), environment)
        airflow.prepare()
        children.append(Child(airflow.api_server()))
        children[2].start()
        wait_until(airflow.serves, "Airflow", airflow.log("api-server"), children[2].alive, 180)
        yield airflow.url, settings
    finally:
        for child in reversed(children):
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
