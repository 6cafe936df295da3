"""A real Airflow with the page in it, the shop's outage in its database, and the distribution's Chromium."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page, expect
from sqlalchemy import create_engine, text

from dev.airflow import LOGIN, Airflow
from dev.browser import faultline, launched, log_in
from dev.incident import SHOP, Incident
from dev.ports import Ports
from faultline.adapters.database import Database
from faultline.adapters.database.tables import metadata
from tests.servers import AirflowUi, HdfsServer, PostgresServer, running

VIEWER = ("viewer", "viewer")
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def faultline_url(postgres_server: PostgresServer) -> str:
    """Faultline's database beside Airflow's."""
    url = postgres_server.spec.create_database("faultline_page")
    with Database(url) as database:
        database.migrate()
    return url


@pytest.fixture(scope="session")
def archive_url(_shared_hdfs: HdfsServer) -> str:
    """Where the archive is that the page searches."""
    return f"{_shared_hdfs.url}/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def hanging(hdfs_server: HdfsServer) -> Iterator[HdfsServer]:
    """HDFS, which hangs until it is resumed."""
    hdfs_server.namenode.suspend()
    yield hdfs_server
    hdfs_server.namenode.resume()


@pytest.fixture(scope="session")
def airflow(
    state_folder: Path,
    server_ports: Ports,
    postgres_server: PostgresServer,
    _shared_hdfs: HdfsServer,
    faultline_url: str,
    archive_url: str,
) -> Iterator[AirflowUi]:
    """Airflow's UI, where ``admin`` may do anything and ``viewer`` only read."""
    database = postgres_server.spec.create_database("airflow_page")
    users = {LOGIN[0]: "admin", VIEWER[0]: "viewer"}
    topics = state_folder / "topics.yaml"
    topics.write_text("topics: [{name: app-logs}]")
    environment = {
        "FAULTLINE_DATABASE_URL": faultline_url,
        "FAULTLINE_ARCHIVE_URL": archive_url,
        "FAULTLINE_WEBHDFS_URL": _shared_hdfs.webhdfs,
        "FAULTLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "FAULTLINE_TOPICS_FILE": str(topics),
        "FAULTLINE_RULES_FILE": str(SHOP / "rules.yaml"),
    }
    spec = Airflow(state_folder / "airflow", server_ports, database, environment, users)
    with running(AirflowUi(spec)) as server:
        yield server


# Not for the whole session: as long as it is there, its event loop runs in this thread and no other one can.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser; a test has a profile of its own in it."""
    with launched() as browser:
        yield browser


@pytest.fixture
def database(faultline_url: str) -> Iterator[Database]:
    """What the page reads, empty."""
    engine = create_engine(faultline_url)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    engine.dispose()
    with Database(faultline_url) as opened:
        yield opened


@pytest.fixture
def incident(database: Database) -> Incident:
    """An outage that has gone on for two minutes."""
    now = datetime.now(UTC)
    started = Incident(database, now - timedelta(minutes=2))
    started.go_on(now)
    return started


@pytest.fixture
def complaints() -> list[str]:
    """What the browser found wrong with our page; empty at the end of every test."""
    return []


@pytest.fixture
def page(chromium: Browser, airflow: AirflowUi, complaints: list[str]) -> Iterator[Page]:
    """A window at Airflow's address in which nobody has logged in."""

    def listen(message: ConsoleMessage) -> None:
        refused = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        if message.type == "error" and "/faultline/" in message.location["url"] and not refused:
            complaints.append(message.text)

    with chromium.new_context(
        base_url=airflow.url, viewport={"width": 1280, "height": 900}, locale="en-GB", color_scheme="light"
    ) as context:
        opened = context.new_page()
        opened.on("console", listen)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
    assert complaints == []


@pytest.fixture
def now(page: Page, incident: Incident) -> FrameLocator:
    """The view Now within Airflow, as the administrator sees it."""
    page.goto("/plugin/faultline/faultline/now")
    log_in(page, *LOGIN)
    return faultline(page)
