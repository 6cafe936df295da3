"""The page as Airflow serves it: its users, its Variables, its navigation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from dev.airflow import LOGIN
from dev.paths import ROOT
from tests.browser.conftest import VIEWER
from tests.servers import AirflowUi

VARIABLE = "/api/v2/variables/faultline_settings"


@contextmanager
def logged_in(airflow: AirflowUi, name: str, password: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=airflow.url, timeout=30) as client:
        token = client.post("/auth/token", json={"username": name, "password": password}).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def admin(airflow: AirflowUi) -> Iterator[httpx.Client]:
    """A client of the administrator; the Variable is gone afterwards."""
    with logged_in(airflow, *LOGIN) as client:
        yield client
        client.delete(VARIABLE)


@pytest.mark.parametrize("path", ["/", "/now", "/silences", "/static/page.js", "/static/plotly.min.js"])
def test_nobody_is_let_in_without_a_login(airflow: AirflowUi, path: str) -> None:
    assert httpx.get(f"{airflow.url}/faultline{path}").status_code == 401
    forged = {"Authorization": "Bearer nonsense"}
    assert httpx.get(f"{airflow.url}/faultline{path}", headers=forged).status_code in (401, 403)


@pytest.mark.parametrize("path", ["/ack", "/silence", "/silences/end"])
def test_who_may_not_edit_the_dag_changes_nothing(airflow: AirflowUi, path: str) -> None:
    with logged_in(airflow, *VIEWER) as viewer:
        assert viewer.get("/faultline/now").status_code == 200
        headers = {"sec-fetch-site": "same-origin"}
        answer = viewer.post(f"/faultline{path}", headers=headers, data={"episode": "x", "id": "1"})
    assert (answer.status_code, "not change anything" in answer.text) == (403, True)


def test_who_may_edit_the_dag_still_needs_the_pages_token(admin: httpx.Client) -> None:
    answer = admin.post("/faultline/ack", headers={"sec-fetch-site": "same-origin"}, data={"episode": "x"})
    assert (answer.status_code, "load it again" in answer.text) == (403, True)


@pytest.mark.parametrize("value", ['{"task_budget": "4m"}', '{"task_budget": "long"}', "[", "{"])
def test_the_page_works_with_a_variable_that_no_task_has_seen(admin: httpx.Client, value: str) -> None:
    created = admin.post("/api/v2/variables", json={"key": "faultline_settings", "value": value})
    assert created.status_code == 201
    assert admin.get("/faultline/now").status_code == 200


def test_it_is_in_the_navigation(admin: httpx.Client) -> None:
    plugins = admin.get("/api/v2/plugins").json()["plugins"]
    [view] = next(plugin["external_views"] for plugin in plugins if plugin["name"] == "faultline_ui")
    assert (view["name"], view["href"], view["url_route"]) == ("Faultline", "/faultline/now", "faultline")
    assert admin.get(view["icon"]).headers["content-type"] == "image/svg+xml"


def test_components_that_serve_no_page_do_not_import_it(airflow: AirflowUi) -> None:
    """Airflow asks an installed package what it provides: that module may be there."""
    code = "import sys, faultline_ui; print({name for name in sys.modules if name.startswith('faultline.')})"
    environment = {**airflow.spec.settings(), "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'include'}"}
    done = subprocess.run(
        (sys.executable, "-c", code), env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1:] in (["set()"], ["{'faultline.airflow_provider'}"]), done.stderr
