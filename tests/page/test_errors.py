"""Errors on the page: counts over time and by fingerprint, a rule's measure against its threshold, ways to records."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

import faultline.page.static
from dev.incident import SHOP, Incident
from faultline.adapters.database import Database
from faultline.alerting.matchers import parse_matchers
from faultline.archive.search.match import keep
from faultline.archive.search.parser import parse_query
from faultline.dispatch.links import query_of_matchers
from faultline.model import ErrorCount
from faultline.page.charts import HUES
from faultline.page.spans import read_span
from faultline.page.views.errors import LEVELS, LISTED, Filter
from faultline.records.decode import decode
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.contracts.values import count, span
from tests.page.conftest import AT
from tests.page.test_now import MINUTE, words


def of(
    number: int = 1, *, ago: int = 10, fingerprint: str | None = "v1:a", level: str = "ERROR", **labels: str
) -> ErrorCount:
    """So many records of a bucket so many minutes ago; the sample is of the fingerprint."""
    at = AT - ago * MINUTE
    made = count(number, sample=f"it says {fingerprint}", level=level, **labels)
    return replace(made, bucket_start=at, first_ts=at, last_ts=at, fingerprint=fingerprint)


def record(database: Database, *batches: list[ErrorCount]) -> None:
    for number, batch in enumerate(batches):
        database.record_counts([span(number, number + 1)], batch)


def shown(client: TestClient, **query: object) -> str:
    answer = client.get("/errors", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.text


def chart(page: str) -> dict[str, Any]:
    [text] = re.findall(r'<script type="application/json" id="errors-data">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(text)
    return found


def series(page: str) -> dict[str, float]:
    """What is drawn: the names, and the sum of each."""
    return {each["name"]: sum(each["y"]) for each in chart(page)["data"]}


def found(page: str, heading: str) -> list[str]:
    """The samples below a heading."""
    for section in re.findall(r"<section>.*?</section>", page, re.DOTALL):
        if f"<h2>{heading}" in section:
            return [html.unescape(each) for each in re.findall(r'class="message"[^>]*>([^<]*)<', section)]
    return []


def asked(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(html.unescape(address)).query)


def test_errors_are_drawn_over_time_by_service(client: TestClient, database: Database) -> None:
    record(database, [of(3, service="web"), of(4, service="db", ago=20), of(2, service="db"), of(9, level="INFO")])
    page = shown(client)
    assert series(page) == {"db": 6, "web": 3}
    assert "9 records 2026-11-22 07:00:00 – 2026-11-22 13:00:00 UTC · steps of 5m" in words(page)
    [db, _] = chart(page)["data"]
    drawn = {x: y for x, y in zip(db["x"], db["y"], strict=True) if y}
    assert drawn == {"2026-11-22T12:42:30": 4, "2026-11-22T12:52:30": 2}


@pytest.mark.parametrize(
    ("query", "drawn"),
    [
        ({"since": "15m"}, {"web": 1}),
        ({"until": "15m"}, {"db": 2}),
        ({"since": "2026-11-22T12:00", "until": "2026-11-22T12:45"}, {"db": 2}),
        ({"level": ["ERROR", "INFO"]}, {"db": 2, "web": 9}),
        ({"level": "INFO"}, {"web": 8}),
        ({"service": "db"}, {"db": 2}),
        ({"environment": "test"}, {"db": 2}),
        ({"topic": "app-logs"}, {"db": 2, "web": 1}),
        ({"fingerprint": "v1:b"}, {"db": 2}),
        ({"by": "level", "level": [*LEVELS]}, {"ERROR": 3, "INFO": 8}),
        ({"by": "environment"}, {"none": 1, "test": 2}),
        ({"by": "fingerprint"}, {"it says v1:a": 1, "it says v1:b": 2}),
    ],
    ids=str,
)
def test_what_is_drawn_is_in_the_address(
    client: TestClient, database: Database, query: dict[str, object], drawn: dict[str, float]
) -> None:
    web, db = of(1, service="web"), of(2, ago=30, service="db", environment="test", fingerprint="v1:b")
    info = of(8, ago=5, service="web", level="INFO", fingerprint=None)
    record(database, [web, db, info])
    assert series(shown(client, **query)) == drawn


def test_what_is_most_has_a_colour_of_its_own_and_the_rest_is_grey(client: TestClient, database: Database) -> None:
    record(database, [of(number, service=f"service-{number:02}") for number in range(1, 11)])
    page = shown(client)
    assert [each["marker"]["color"] for each in chart(page)["data"]] == [*HUES, "--others"]
    assert series(page)["all others"] == 3
    assert "all others 3" in words(page)


def test_the_chart_is_a_table_too(client: TestClient, database: Database) -> None:
    record(database, [of(3, service="web"), of(1_400, service="db", ago=20)])
    assert "From (UTC) db web 2026-11-22 12:50:00 · 3 2026-11-22 12:40:00 1,400 ·" in words(shown(client))


def test_a_series_leads_to_its_records(client: TestClient, database: Database) -> None:
    record(database, [of(3, service="web", environment="prod")])
    page = shown(client, environment="prod", since="1h")
    [address] = re.findall(r'<ul class="series">\s*<li><a href="([^"]*)"', page)
    assert urlsplit(address).path == "/faultline/search"
    assert asked(address) == {
        "q": ["level>=ERROR service=web environment=prod"],
        "since": ["2026-11-22T12:00:00"],
        "until": ["2026-11-22T13:00:00"],
    }


def test_a_series_without_the_label_leads_to_the_records_without_it(client: TestClient, database: Database) -> None:
    record(database, [of(3), of(1, environment="prod")])
    page = shown(client, by="environment")
    query = "level>=ERROR -environment=~."
    assert series(page) == {"none": 3, "prod": 1}
    assert asked(re.findall(r'<ul class="series">\s*<li><a href="([^"]*)"', page)[0])["q"] == [query]
    parse_query(query)


@pytest.mark.parametrize(
    ("query", "typed"),
    [
        ({}, "level>=ERROR"),
        ({"level": ["CRITICAL", "ERROR", "WARNING"]}, "level>=WARNING"),
        ({"level": "INFO"}, "level=INFO"),
        ({"level": ["INFO", "ERROR"]}, "(level=ERROR or level=INFO)"),
        ({"service": "a b"}, 'level>=ERROR service="a b"'),
    ],
    ids=str,
)
def test_a_click_on_the_chart_asks_for_what_is_drawn(
    client: TestClient, database: Database, query: dict[str, object], typed: str
) -> None:
    record(database, [of(service="a b"), of(level="INFO", service="a b")])
    page = shown(client, **query)
    [address] = re.findall(r'data-open="([^"]*)"', page)
    assert asked(address) == {"q": [typed]}
    assert 'data-zoom="since until"' in page
    assert 'data-before="150.0" data-after="150.0"' in page
    parse_query(typed)


def test_the_most_frequent_and_the_new_are_listed(client: TestClient, database: Database) -> None:
    known = of(1, ago=600, fingerprint="v1:old")
    record(database, [known, of(9, fingerprint="v1:old"), of(3, fingerprint="v1:b", ago=30), of(2, fingerprint="v1:c")])
    page = shown(client)
    assert found(page, "Most frequent") == ["it says v1:old", "it says v1:b", "it says v1:c"]
    assert found(page, "New") == ["it says v1:c", "it says v1:b"]
    assert "ERROR db seen 2026-11-22 12:50:00 UTC" in words(page)


def test_a_fingerprint_leads_to_its_records_and_its_own_chart(client: TestClient, database: Database) -> None:
    record(database, [of(2, fingerprint="v1:a"), of(5, fingerprint="v1:b", service="web")])
    page = shown(client)
    assert "faultline search &#39;level&gt;=ERROR fingerprint=&#34;v1:b&#34;&#39; --since" in page
    assert {"q": ['level>=ERROR fingerprint="v1:b"']}.items() <= asked(
        re.findall(r'"button" href="([^"]*)"', page)[0]
    ).items()
    [own] = re.findall(r'class="message" href="/faultline([^"]*)">it says v1:b<', page)
    alone = client.get(html.unescape(own)).text
    assert series(alone) == {"web": 5}
    assert found(alone, "Most frequent") == ["it says v1:b"]


def test_a_long_list_ends(client: TestClient, database: Database) -> None:
    record(database, [of(fingerprint=f"v1:{number}") for number in range(LISTED + 1)])
    assert len(found(shown(client), "Most frequent")) == LISTED


def test_nothing_found_and_nothing_counted_are_told_apart(client: TestClient, database: Database) -> None:
    assert "Nothing has been counted yet." in shown(client)
    record(database, [of(ago=600)])
    assert "No record of this time is like this." in shown(client)


@pytest.mark.parametrize("query", [{"since": "soon"}, {"until": "x"}, {"since": "1h", "until": "2h"}, {"since": "0"}])
def test_a_time_that_is_none_is_said_and_the_usual_one_shown(
    client: TestClient, database: Database, query: dict[str, str]
) -> None:
    record(database, [of(3)])
    page = shown(client, **query)
    assert 'role="alert"' in page
    assert series(page) == {"db": 3}


@pytest.mark.parametrize(
    "query",
    [
        {"since": "0001-01-01"},
        {"since": "0001-01-01", "until": "0001-01-02"},
        {"since": "100y"},
        {"until": "9999-12-31T23:59:59.999999"},
        {"since": "9999-12-31", "until": "9999-12-31T01:00"},
    ],
    ids=str,
)
def test_the_ends_of_time_are_no_fault_of_ours(client: TestClient, database: Database, query: dict[str, str]) -> None:
    Incident(database, AT - 2 * MINUTE).go_on(AT)
    for rule in ("", "CheckoutFailed"):
        shown(client, **query, rule=rule)


def test_more_than_is_summed_is_said_with_a_way_to_the_rest(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(database, [of(3, ago=5), of(4, ago=15), of(8, ago=25)])
    assert "There are more counts than" not in shown(client)
    monkeypatch.setattr("faultline.page.views.errors.MOST", 1)
    page = shown(client)
    assert series(page) == {"db": 7}
    assert "Shown is what is newest, from 2026-11-22 12:45:00 UTC" in words(page)
    [earlier] = re.findall(r'href="/faultline([^"]*)">Show what came before', page)
    assert series(client.get(html.unescape(earlier)).text) == {"db": 8}


def test_label_sets_that_are_left_out_are_said(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(database, [of(service="web"), of(service="db")])
    assert "combinations of labels" not in shown(client)
    monkeypatch.setattr("faultline.page.views.errors.LABEL_SETS", 1)
    assert "combinations of labels" in shown(client)


def test_a_rule_is_drawn_against_its_threshold(client: TestClient, database: Database) -> None:
    incident = Incident(database, AT - 3 * MINUTE)
    incident.go_on(AT - MINUTE)
    page = shown(client, rule="CheckoutFailed", since="10m")
    [line, threshold] = chart(page)["data"]
    assert (line["name"], max(line["y"]), threshold["name"], threshold["y"]) == ("prod", 93, "threshold", [20, 20])
    assert (threshold["line"]["dash"], threshold["line"]["color"]) == ("dash", "--critical")
    assert "CheckoutFailed 20 in 30s" in words(page)
    assert "prod up to 93 threshold 20" in words(page)
    # The first window over it is the one of the bucket in which checkout began to fail.
    over = [at for at, value in zip(line["x"], line["y"], strict=True) if value > 20]
    assert datetime.fromisoformat(f"{over[0]}+00:00") == AT - 3 * MINUTE + timedelta(seconds=30)
    assert found(page, "Most frequent") == ["order 77120 of cart 5311 was lost: payments answered 503"]


def test_a_rules_lines_lead_to_what_it_counts(client: TestClient, database: Database) -> None:
    Incident(database, AT - 3 * MINUTE).go_on(AT)
    page = shown(client, rule="CheckoutFailed", since="10m")
    [address] = re.findall(r'<ul class="series">\s*<li><a href="([^"]*)"', page)
    query = 'service=checkout level=~"^(?:ERROR|CRITICAL)$" environment=prod'
    assert {"q": [query], "topic": ["app-logs"]}.items() <= asked(address).items()
    assert 'data-before="30.0" data-after="0.0"' in page


def test_the_rules_in_force_are_offered_and_one_that_is_not_is_ignored(client: TestClient, database: Database) -> None:
    Incident(database, AT - 3 * MINUTE).go_on(AT)
    assert '<option value="CheckoutFailed">' in shown(client)
    assert set(series(shown(client, rule="Gone"))) == {"checkout", "payments", "db-proxy"}


def test_a_rule_whose_threshold_is_no_line_says_so(client: TestClient, database: Database, tmp_path: Path) -> None:
    text = (SHOP / "rules.yaml").read_text().replace("num_events: 3\n", "spike_height: 3\n    spike_type: up\n", 1)
    rules = tmp_path / "rules.yaml"
    rules.write_text(text.replace("type: frequency", "type: spike", 1))
    Incident(database, AT - 3 * MINUTE, rules).go_on(AT)
    page = shown(client, rule="DbDown")
    assert [each["name"] for each in chart(page)["data"]] == ["prod"]
    assert "so its threshold is no line" in page


@pytest.mark.parametrize(
    ("matchers", "query"),
    [
        ('service="web", level="ERROR"', "service=web level=ERROR"),
        ('service!="a b"', 'service!="a b"'),
        ('host=~"db-.*"', 'host=~"^(?:db-.*)$"'),
        (r'exception_type!~"a|\"b\""', r'exception_type!~"^(?:a|\x22b\x22)$"'),
        ('topic="app-logs", team="x", host=""', ""),
    ],
)
def test_matchers_become_a_query(matchers: str, query: str) -> None:
    assert query_of_matchers(parse_matchers(matchers)) == query
    parse_query(query)


@pytest.fixture(scope="module")
def logged() -> pa.Table:
    """A record of each level of two services, with an environment and without."""
    each = product(("error", "critical", "info"), ("checkout", 'a "b"'), ({"environment": "prod"}, {}))
    values = [{"level": level, "service": service, **more} for level, service, more in each]
    raw = raw_table([json.dumps({"message": "boom", **value}).encode() for value in values], at=AT)
    return decode(raw, TopicConfig(name="app-logs"), event_time_span=timedelta(days=1))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (query_of_matchers(parse_matchers('service="checkout", level=~"ERROR|CRITICAL"')), 4),
        (query_of_matchers(parse_matchers('level!~"ERR|INFO"')), 8),
        (query_of_matchers(parse_matchers(r'service=~"a \"b\""')), 6),
        (query_of_matchers(parse_matchers('environment!="prod"')), 6),
        (Filter(("CRITICAL", "ERROR")).query({"environment": ""}), 4),
        (Filter(("ERROR", "INFO")).query({"service": "checkout"}), 4),
        (Filter(LEVELS, service='a "b"').query({"level": "INFO"}), 2),
    ],
)
def test_queries_find_what_was_counted(logged: pa.Table, query: str, number: int) -> None:
    assert len(keep(parse_query(query), logged, TopicConfig(name="app-logs"))) == number


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_series_stands_out_from_the_ground(theme: str) -> None:
    css = files(faultline.page.static).joinpath("page.css").read_text()
    block = css[css.index(":root {") :] if theme == "light" else css[css.index(':root[data-theme="dark"] {') :]
    colours = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", block[: block.index("}")]))
    for name in (*HUES, "--others"):
        assert contrast(colours[name], colours["--ground"]) >= 3, name
    assert len({colours[name] for name in HUES}) == len(HUES)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_span_may_go_on_beyond_now_where_that_is_asked() -> None:
    assert read_span("1h", "2026-11-22T14:00", "6h", AT)[0].end == AT
    assert read_span("1h", "2026-11-22T14:00", "6h", AT, future=True)[0].end == AT + 60 * MINUTE
