"""The page over a database in a file, with users that a header names: no Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Alert
from faultline.model import Notification
from faultline.page.access import Access
from faultline.page.app import build_app
from faultline.settings import Settings
from tests.contracts.values import NOON, evaluation

AT = NOON + timedelta(hours=1)
SECRET = "of the tests"


@dataclass(frozen=True)
class Person:
    """A user who may do what the name says."""

    name: str

    def get_name(self) -> str:
        return self.name


def who(request: Request) -> Person:
    """The user in the header ``x-user``; without one nobody has logged in."""
    if name := request.headers.get("x-user"):
        return Person(name)
    raise HTTPException(401, "Not authenticated")


def may(*names: str) -> Callable[[Request, Person], None]:
    def check(_: Request, user: Person) -> None:
        if user.name not in names:
            raise HTTPException(403, "Forbidden")

    return check


ACCESS = Access(
    user=who, read=may("reader", "editor"), edit=may("editor"), secret=SECRET, origin="", login="/api/v2/auth/login"
)


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Settings of which every file is the test's own."""
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        rules_file=tmp_path / "rules.yaml",
        topics_file=tmp_path / "topics.yaml",
    )


@pytest.fixture
def database(config: Settings) -> Iterator[Database]:
    """The page's database, empty."""
    with Database(config.database_url) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def app(config: Settings, database: Database) -> FastAPI:
    """The page, an hour after noon, mounted as Airflow does it; with a route that says it has changed something."""
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page = build_app(ACCESS, lambda: config, lambda: AT)
    page.post("/change")(lambda: {"changed": True})
    outer.mount("/faultline", page)
    return outer


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A browser of somebody who may read."""
    with TestClient(app, base_url="http://airflow.test/faultline", headers={"x-user": "reader"}) as opened:
        yield opened


@pytest.fixture
def remember(database: Database) -> Callable[..., None]:
    """Have an evaluation, just now, record these alerts and messages."""

    def record(*alerts: Alert, messages: tuple[Notification, ...] = ()) -> None:
        lease = database.acquire_lease(LEASE, "test")
        database.record_evaluation(lease, evaluation(*messages, alerts=alerts, at=AT))

    return record
