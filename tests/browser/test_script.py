"""The page's script without Airflow: charts under the policy, the system's theme, a server that goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Response
from jinja2 import ChoiceLoader, DictLoader
from playwright.sync_api import Browser, Page, expect

from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.page import templates
from faultline.page.access import Access
from faultline.page.app import build_app
from faultline.page.asked import AskedNow
from faultline.settings import Settings

CHART = """
{% extends "base.html.j2" %}
{% block main %}
<figure class="chart" data-chart="data"></figure>
<script type="application/json" id="data">{{ chart | tojson }}</script>
{% endblock %}
"""
HOSTILE = "</script><img src=x onerror=alert(1)><b>&lt;</b><a href='//evil.test'>1</a>"
DATA = {
    "data": [
        {"type": "bar", "name": HOSTILE, "x": ["2026-11-22 12:00", "2026-11-22 12:10"], "y": [3, 5]},
        {"mode": "lines", "x": ["2026-11-22 12:00", "2026-11-22 12:10"], "y": [4, 4], "line": {"color": "--critical"}},
    ],
    "layout": {"height": 300},
}


@dataclass(frozen=True)
class Person:
    """Somebody who may do anything."""

    name: str = "admin"

    def get_name(self) -> str:
        return self.name


class Server(uvicorn.Server):
    """A page's app in a thread."""

    def __init__(self, app: FastAPI, port: int) -> None:
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        self.url = f"http://127.0.0.1:{port}/faultline"
        self._thread = threading.Thread(target=self.run, daemon=True)

    def up(self) -> None:
        self._thread.start()
        while not self.started:
            assert self._thread.is_alive()

    def down(self) -> None:
        self.should_exit = True
        self._thread.join()


def _chart(asked: AskedNow) -> Response:
    return asked.render("chart.html.j2", charts=True, chart=DATA)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The page, with a chart at /chart."""
    environment = templates._environment()
    monkeypatch.setattr(environment, "loader", ChoiceLoader([DictLoader({"chart.html.j2": CHART}), environment.loader]))
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'faultline.db'}")
    with Database(settings.database_url) as database:
        database.migrate()
    access = Access(Person, lambda *_: None, lambda *_: None, "secret")
    page = build_app(access, lambda: settings)
    page.get("/chart")(_chart)
    outer = FastAPI()
    outer.mount("/faultline", page)
    served = Server(outer, free_ports()["airflow"])
    served.up()
    yield served
    served.down()


@pytest.fixture
def window(chromium: Browser) -> Iterator[Page]:
    """A window; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    with chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark") as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if "Policy" in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert complaints == []


def test_a_chart_is_drawn_in_our_colours_and_its_words_are_no_markup(server: Server, window: Page) -> None:
    window.goto(f"{server.url}/chart")
    expect(window.locator(".legendtext").first).to_have_text(HOSTILE)
    expect(window.locator(".scatterlayer path.js-line")).to_have_css("stroke", "rgb(255, 107, 107)")
    window.locator(".bars .point").first.hover(force=True)
    expect(window.locator(".hoverlayer .hovertext").first).to_be_visible()
    expect(window.locator("figure img")).to_have_count(0)


def test_a_chart_follows_the_systems_theme(server: Server, window: Page) -> None:
    window.goto(f"{server.url}/chart")
    line = window.locator(".scatterlayer path.js-line")
    expect(line).to_have_css("stroke", "rgb(255, 107, 107)")
    window.emulate_media(color_scheme="light")
    expect(line).to_have_css("stroke", "rgb(201, 42, 42)")


def test_a_list_that_cannot_be_renewed_says_so(server: Server, window: Page) -> None:
    window.goto(f"{server.url}/now")
    expect(window.get_by_text("Is the DAG watch_errors on?")).to_be_visible()
    server.down()
    expect(window.locator("[data-stale]")).to_have_count(1)
    expect(window.get_by_text("Is the DAG watch_errors on?")).to_be_visible()


def test_nothing_can_be_silenced_before_it_has_been_previewed(server: Server, window: Page) -> None:
    window.goto(f"{server.url}/silence?matchers=host%3D%22db-1%22")
    button = window.get_by_role("button", name="Silence these")
    expect(button).to_be_enabled()
    window.get_by_label("Matchers").fill('host="db-2"')
    expect(window.locator("#reach code")).to_have_text('host="db-2"')
    expect(button).to_be_enabled()
    server.down()
    window.get_by_label("Matchers").fill('host=~".*"')
    expect(button).to_be_disabled()
    window.get_by_label("Matchers").fill("")
    expect(button).to_be_disabled()
