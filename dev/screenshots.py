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
from math import sin
from pathlib import Path

from playwright.sync_api import FrameLocator, Page
from rich.console import Console

from dev.airflow import LOGIN, Airflow
from dev.browser import faultline, launched, log_in
from dev.children import Child
from dev.errors import DevError
from dev.incident import SHOP, Incident
from dev.paths import ROOT, profile_folder
from dev.ports import free_ports
from dev.postgres import Postgres
from dev.programs import wait_until
from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.model import Ack, ErrorCount, Labels, OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig

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
        with console.status("Starting PostgreSQL and Airflow ..."), _served() as (url, database_url, archive_url):
            _outage(database_url)
            _archive(archive_url)
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


def _archive(url: str) -> None:
    """What the shop logged in the last half hour, the last minutes of it the outage."""
    now = datetime.now(UTC)
    values = [
        json.dumps(
            {
                "@timestamp": (now - timedelta(seconds=number)).isoformat(),
                "message": f"order {77120 - number} of cart {number * 7919 % 9973} "
                + (_LOST if number < 240 else _TAKEN),
                "level": "ERROR" if number < 240 or number % 97 == 0 else "INFO",
                "service": ("checkout", "payments")[number % 2],
            }
        ).encode()
        for number in range(0, 1800, 2)
    ]
    span = OffsetRange(TopicPartition(_TOPIC, "of-the-shop", 0), 0, len(values))
    raw = raw_table(values, at=now, topic_id=span.partition.topic_id)
    events = decode(raw, TopicConfig(name=_TOPIC), event_time_span=timedelta(days=7))
    TopicTable.open_or_create(url, _TOPIC).append(events, [span])


@contextmanager
def _served() -> Iterator[tuple[str, str, str]]:
    """The addresses of Airflow, of Faultline's database and of its archive, until the block ends."""
    folder = profile_folder("screenshots")
    shutil.rmtree(folder, ignore_errors=True)
    ports = free_ports()
    postgres = Postgres(folder / "postgres", ports)
    postgres.prepare()
    children = [Child(postgres.program())]
    try:
        children[0].start()
        wait_until(postgres.answers, "PostgreSQL", postgres.log, children[0].alive)
        database = postgres.create_database("faultline")
        topics, archive = folder / "topics.yaml", str(folder / "archive")
        topics.write_text(f"topics: [{{name: {_TOPIC}}}]")
        environment = {
            "FAULTLINE_DATABASE_URL": database,
            "FAULTLINE_ARCHIVE_URL": archive,
            "FAULTLINE_TOPICS_FILE": str(topics),
            "AIRFLOW_VAR_FAULTLINE_RULES": (SHOP / "rules.yaml").read_text(),
        }
        airflow = Airflow(folder / "airflow", ports, postgres.create_database("airflow"), environment)
        airflow.prepare()
        children.append(Child(airflow.api_server()))
        children[1].start()
        wait_until(airflow.serves, "Airflow", airflow.log("api-server"), children[1].alive, 180)
        yield airflow.url, database, archive
    finally:
        for child in reversed(children):
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
