"""Every route of the page asks Airflow who is there and what they may do, and changes nothing for another site."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from faultline.page.access import accepts_token, issue_token, same_origin
from faultline.page.app import build_app
from faultline.settings import Settings
from tests.page.conftest import ACCESS, AT, SECRET

ROUTES = [
    (method, route.path.replace("{name}", "page.css"))
    for route in build_app(ACCESS, Settings).routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
ROUTES.append(("POST", "/change"))
CHANGES = [(method, path) for method, path in ROUTES if method != "GET"]
HERE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def browser(app: FastAPI) -> Iterator[TestClient]:
    """One that nobody has logged in with, and that follows nothing."""
    with TestClient(app, base_url="http://airflow.test/faultline", follow_redirects=False) as opened:
        yield opened


def test_the_page_has_no_way_in_but_these_routes() -> None:
    assert all(isinstance(route, APIRoute) for route in build_app(ACCESS, Settings).routes)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_is_shown_anything_without_a_login(browser: TestClient, method: str, path: str) -> None:
    answer = browser.request(method, path, headers=HERE)
    assert answer.status_code == 401
    assert f"/api/v2/auth/login?next=%2Ffaultline{path.replace('/', '%2F')}" in answer.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_is_shown_anything_who_may_not_read_the_dag(browser: TestClient, method: str, path: str) -> None:
    assert browser.request(method, path, headers={**HERE, "x-user": "stranger"}).status_code == 403


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route not in CHANGES])
def test_who_may_read_the_dag_is_let_in(browser: TestClient, method: str, path: str) -> None:
    assert browser.request(method, path, headers={"x-user": "reader"}).status_code in (200, 303)


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_who_may_only_read_changes_nothing(browser: TestClient, method: str, path: str) -> None:
    form = {"token": issue_token(SECRET, "reader", AT)}
    answer = browser.request(method, path, headers={**HERE, "x-user": "reader"}, data=form)
    assert (answer.status_code, "not change anything" in answer.text) == (403, True)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.test"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_another_site_changes_nothing(browser: TestClient, method: str, path: str, headers: dict[str, str]) -> None:
    form = {"token": issue_token(SECRET, "editor", AT)}
    answer = browser.request(method, path, headers={**headers, "x-user": "editor"}, data=form)
    assert (answer.status_code, "another site" in answer.text) == (403, True)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "token",
    ["", "x", "中文", issue_token(SECRET, "reader", AT), issue_token(SECRET, "editor", AT - timedelta(days=2))],
    ids=["none", "any", "not ASCII", "another user's", "an old one"],
)
def test_without_the_pages_token_nothing_is_changed(browser: TestClient, method: str, path: str, token: str) -> None:
    answer = browser.request(method, path, headers={**HERE, "x-user": "editor"}, data={"token": token})
    assert (answer.status_code, "load it again" in answer.text) == (403, True)


def test_the_page_itself_changes_something_for_who_may_edit_the_dag(browser: TestClient) -> None:
    form = {"token": issue_token(SECRET, "editor", AT)}
    answer = browser.post("/change", headers={**HERE, "x-user": "editor"}, data=form)
    assert answer.json() == {"changed": True}


@pytest.mark.parametrize("hours", [0, 11])
def test_a_token_is_good_for_half_a_day(hours: int) -> None:
    assert accepts_token(SECRET, issue_token(SECRET, "editor", AT), "editor", AT + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("headers", "origin", "ours"),
    [
        ({"host": "a.test", "origin": "http://a.test"}, "", True),
        ({"host": "a.test:80", "origin": "http://a.test"}, "", False),
        ({"host": "inside:8080", "origin": "https://airflow.example"}, "https://airflow.example/af", True),
        ({"host": "a.test", "origin": "http://b.test", "sec-fetch-site": "same-origin"}, "", True),
        ({"host": "a.test", "origin": "http://a.test", "sec-fetch-site": "cross-site"}, "", False),
        ({"host": "a.test"}, "", False),
    ],
)
def test_a_request_comes_from_the_page_itself(headers: dict[str, str], origin: str, ours: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert same_origin(Request({"type": "http", "headers": raw}), origin) is ours


def test_who_is_not_let_in_is_sent_to_no_file_of_the_page(browser: TestClient) -> None:
    for user in ("", "stranger"):
        assert "/static/" not in browser.get("/now", headers={"x-user": user}).text


def test_every_answer_has_a_strict_policy(browser: TestClient) -> None:
    for path in ("/now", "/nothing", "/static/page.js"):
        for user in ("", "reader"):
            policy = browser.get(path, headers={"x-user": user}).headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert "frame-ancestors 'self'" in policy


def test_files_of_the_page_are_kept_for_good_and_zipped(client: TestClient) -> None:
    answer = client.get("/static/plotly.min.js")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert b"plotly" in answer.content[:200]


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..%2F__init__.py", "%2e%2e%2fpage.css"])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
