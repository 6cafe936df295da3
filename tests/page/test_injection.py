"""Whatever a log, a label or a provider says is text on the page, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import get_args

import pytest
from fastapi.testclient import TestClient

from faultline.adapters.database import Database
from faultline.alerting.alerts import MuteReason, Sample
from faultline.alerting.silences import Silence
from faultline.model import Ack, AlertKey, AlertState, Labels
from faultline.page.access import issue_token
from faultline.page.views.errors import By
from faultline.settings import Settings
from faultline.yaml_files import Document
from tests.contracts.values import count, span
from tests.page.conftest import AT, SECRET
from tests.page.test_now import MINUTE, effect, firing, message

CORPUS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</code></pre><iframe srcdoc='<script>alert(1)</script>'>",
    "</title></style></textarea><script>alert(1)</script>",
    "<!--<img src='--><img src=x onerror=alert(1)//'>",
    "javascript:alert(1)",
    '" onmouseover="alert(1)" x="',
    "{{ 7*7 }} {% raw %} ${7*7} <%= 7*7 %>",
    "<a href='data:text/html,<script>alert(1)</script>'>",
    "&lt;script&gt;&#60;script&#62;",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\x1b[2J\x00\r\n<base href=//evil.test>",
    "＜script＞alert(1)＜/script＞",
]
ALLOWED = {"html", "head", "meta", "title", "link", "script", "body", "a", "header", "img", "nav", "div", "main"}
ALLOWED |= {"h1", "h2", "h3", "h4", "small", "form", "fieldset", "legend", "label", "input", "b", "select", "option"}
ALLOWED |= {"button", "p", "span", "em", "strong", "dl", "dt", "dd", "time", "pre", "code", "details", "summary", "ul"}
ALLOWED |= {"li", "article", "section", "textarea", "datalist", "ol", "mark", "progress", "figure", "figcaption"}
ALLOWED |= {"svg", "rect", "line", "circle", "text", "g", "meter", "table", "thead", "tbody", "tr", "th", "td"}
ALLOWED |= {"path"}
Remember = Callable[..., None]


class Page(HTMLParser):
    """The elements of a page, their attributes, and its text; what a field holds is the reader's to change."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] and self.elements[-1][0] != "textarea":
            self.text += data


def assert_harmless(html: str, *, charts: bool = False) -> Page:
    """No element but ours, no handler, no script but ours, and no address that leads elsewhere."""
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name in ("style", "srcdoc") for name in attributes), (tag, attributes)
        for name in ("href", "src", "action"):
            ours = ("/faultline/", "#", "https://wiki.example/")
            assert name not in attributes or (attributes[name] or "").startswith(ours), attributes
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert sum(attributes.get("type") != "application/json" for attributes in scripts) <= 1 + charts
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00\x1b]", page.text)
    return page


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_field_of_an_alert_becomes_markup(
    client: TestClient, database: Database, remember: Remember, text: str
) -> None:
    key = AlertKey(text, Labels({text: text}))
    labels = Labels({**key.labels, "alertname": text, "severity": text})
    root = replace(firing(), key=key, labels=labels, samples=(Sample(text), Sample(text + " ")))
    below = replace(effect("CheckoutFailed", root), labels=Labels(a=text, severity=text), samples=(Sample(text),))
    held = replace(root, key=AlertKey("b" + text, Labels()), state=AlertState.HELD, held_since=AT)
    acked = replace(root, key=AlertKey("c" + text, Labels()), state=AlertState.ACKED, ack=Ack("e", text, AT, text))
    silenced = replace(root, key=AlertKey("d" + text, Labels()), state=AlertState.SUPPRESSED, mute=MuteReason.SILENCE)
    database.add_silence(
        Silence(matchers=('alertname!="x"',), starts_at=AT - MINUTE, ends_at=AT + MINUTE, created_by=text, comment=text)
    )
    remember(root, below, held, acked, silenced, messages=(message(root, text),))
    page = assert_harmless(client.get("/now").text)
    assert "CheckoutFailed" in page.text
    lists = ("/history", "/history/suppressed", "/history/messages")
    for path in (*lists, *(f"/history/episode?id={each.episode}" for each in (root, below, acked, silenced))):
        answer = client.get(path)
        assert answer.status_code == 200
        assert_harmless(answer.text)
    for path in (f"/now?episode={below.episode}", "/silences", f"/silence?episode={root.episode}"):
        for user in ("reader", "editor"):
            assert_harmless(client.get(path, headers={"x-user": user}).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_name_in_the_rules_becomes_markup(
    client: TestClient, database: Database, config: Settings, text: str
) -> None:
    names = [f"{text}{number}" for number in range(3)]
    rules = [
        {"alert": name, "num_events": 1, "timeframe": "1m", "labels": {"severity": text, "a": text}} for name in names
    ]
    written = json.dumps(
        {
            "groups": [{"name": text, "rules": rules}],
            "chains": [{"name": text, "path": names}],
            "route": {"receiver": text},
            "receivers": [{"name": text}],
        }
    )
    config.rules_file.write_text(written)
    database.record_change("rules", Document(text, written), AT - MINUTE, by=text)
    database.record_change("rules", Document(text, f"{text}\n{text}"), AT, by=text)
    page = assert_harmless(client.get("/rules").text)
    assert len([tag for tag, _ in page.elements if tag == "path"]) == 2
    assert_harmless(client.get("/rules", params={"rule": names[1]}).text)
    assert_harmless(client.get("/rules/changes").text)
    assert_harmless(client.get("/rules/edit").text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_text_that_is_edited_becomes_markup(client: TestClient, config: Settings, text: str) -> None:
    config.rules_file.write_text("groups: []")
    headers = {"x-user": "editor", "sec-fetch-site": "same-origin"}
    for written in (text, f"groups: [{{{json.dumps(text)}: 1}}]", f"x: {text}", f"# {text}"):
        for do in ("check", "try", text):
            form = {"do": do, "text": written, "began": text, "since": text, "token": issue_token(SECRET, "editor", AT)}
            assert_harmless(client.post("/rules/edit", data=form, headers=headers).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_part_of_an_address_becomes_markup(client: TestClient, text: str) -> None:
    for name in ("q", "severity", "episode", "lang", "state", "page", "unknown"):
        assert_harmless(client.get("/now", params={name: text}).text)
    for name in ("since", "until", "rule", "q", "severity", "episode", "state", "page", "effects"):
        for path in ("/history", "/history/suppressed", "/history/messages"):
            assert_harmless(client.get(path, params={name: text}).text)
    assert_harmless(client.get("/history/episode", params={"id": text}).text)
    for name in ("q", "rule", "state", "page", "kind", "saved"):
        for path in ("/rules", "/rules/changes"):
            assert_harmless(client.get(path, params={name: text}).text)
    for name in ("episode", "matchers", "lasts", "lang"):
        assert_harmless(client.get("/silence", params={name: text}).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_nothing_that_was_counted_becomes_markup(client: TestClient, database: Database, text: str) -> None:
    labels = Labels(dict.fromkeys(("service", "environment", "topic", "host", "exception_type"), text), level="ERROR")
    counted = replace(count(7, sample=text), labels=labels, fingerprint=text)
    other = replace(counted, labels=Labels(topic="app-logs", level="ERROR", service="web"))
    database.record_counts([span(0, 1)], [counted, other])
    for by in get_args(By):
        page = assert_harmless(client.get("/errors", params={"by": by}).text, charts=True)
        assert "14 records" in " ".join(page.text.split())
    for name in ("since", "until", "level", "service", "environment", "topic", "fingerprint", "by", "rule", "lang"):
        assert_harmless(client.get("/errors", params={name: text}).text, charts=True)


def test_a_path_that_is_not_there_is_not_repeated_as_markup(client: TestClient) -> None:
    assert_harmless(client.get("/<img src=x onerror=alert(1)>").text)
