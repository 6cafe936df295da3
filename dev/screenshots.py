"""``make screenshots``: the pictures in docs/, taken anew from an Airflow with the shop's outage."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import FrameLocator, Page
from rich.console import Console

from dev.airflow import LOGIN, Airflow
from dev.browser import faultline, launched, log_in
from dev.children import Child
from dev.errors import DevError
from dev.incident import Incident
from dev.paths import ROOT, profile_folder
from dev.ports import free_ports
from dev.postgres import Postgres
from dev.programs import wait_until
from faultline.adapters.database import Database
from faultline.model import Ack

FOLDER = ROOT / "docs" / "screenshots"
THEMES = ("light", "dark")
_WINDOW = (1280, 800)


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


SHOTS = (
    Shot("now", "now", _open_effects),
    Shot("silence", "silence?matchers=environment%3D%22prod%22", _wait_for_preview),
)


def main() -> int:
    """Take every picture in both themes."""
    console = Console(stderr=True)
    try:
        with console.status("Starting PostgreSQL and Airflow ..."), _served() as (url, database_url):
            _outage(database_url)
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
        incident = Incident(database, now - timedelta(minutes=4))
        incident.go_on(now - timedelta(minutes=1))
        root = next(alert for alert in database.alerts() if alert.key.rule == "DbDown")
        database.add_ack(Ack(root.episode, "alice", now, "failing over to db-2"))
        incident.go_on(now)


@contextmanager
def _served() -> Iterator[tuple[str, str]]:
    """The addresses of Airflow and of Faultline's database, until the block ends."""
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
        environment = {"FAULTLINE_DATABASE_URL": database}
        airflow = Airflow(folder / "airflow", ports, postgres.create_database("airflow"), environment)
        airflow.prepare()
        children.append(Child(airflow.api_server()))
        children[1].start()
        wait_until(airflow.serves, "Airflow", airflow.log("api-server"), children[1].alive, 180)
        yield airflow.url, database
    finally:
        for child in reversed(children):
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
