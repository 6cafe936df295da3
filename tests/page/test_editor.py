"""The rules edited on the page: checked, tried over the archive, and saved where nobody else has saved meanwhile."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.alerting.rules import load_rules
from faultline.archive.search.scan import SearchStopped
from faultline.errors import ConfigurationError, PermanentError, Superseded
from faultline.model import Interval, OffsetRange, TopicPartition
from faultline.page import trial
from faultline.page.access import RulesKeeper, issue_token
from faultline.page.app import build_app
from faultline.page.trial import Trial
from faultline.page.views import editor
from faultline.page.views.editor import LONGEST_TEXT
from faultline.records.decode import decode
from faultline.settings import Settings
from faultline.steps.backtest import Plan
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from faultline.yaml_files import Document
from tests.page.conftest import ACCESS, AT, SECRET, may
from tests.page.test_now import MINUTE, words

RULES = """
groups:
- name: shop
  rules:
  - {alert: OrdersLost, topics: [app-logs], matchers: ['service="checkout"'], num_events: 5, timeframe: 1m}
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""
FAULTY = RULES.replace("num_events", "num_event")
LOWER = RULES.replace("num_events: 5", "num_events: 2")
SOURCE = "Variable faultline_rules"


class Variable:
    """What the host has in the place of the rules file; ``meanwhile`` comes in just before something is saved."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.meanwhile = self.refused = ""

    def save(self, text: str, instead_of: str) -> Document:
        if self.refused:
            raise PermanentError(self.refused)
        self.text = self.meanwhile or self.text
        if Document(SOURCE, self.text).hash != instead_of:
            raise Superseded("changed")
        self.text = text
        return Document(SOURCE, text)


@pytest.fixture
def config(config: Settings, tmp_path: Path) -> Settings:
    """The settings with an archive in a folder, which is not there yet."""
    config.topics_file.write_text("topics: [{name: app-logs}]")
    return config.model_copy(update={"archive_url": str(tmp_path / "archive")})


@pytest.fixture
def variable() -> Variable:
    return Variable(RULES)


@pytest.fixture
def client(config: Settings, database: Database, variable: Variable) -> Iterator[TestClient]:
    """A browser of somebody who may save the rules, where the page keeps them in a Variable."""
    access = replace(ACCESS, edit=may("editor", "saver"), read=may("reader", "editor", "saver"))
    access = replace(access, rules=RulesKeeper(may("saver"), variable.save))

    def settings() -> Settings:
        return config.with_documents({"rules": Document(SOURCE, variable.text)})

    page = build_app(access, settings, lambda: AT)
    headers = {"x-user": "saver", "sec-fetch-site": "same-origin"}
    with TestClient(page, base_url="http://airflow.test", headers=headers, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def post(client: TestClient) -> Callable[..., Response]:
    """Press a button of the form, as this user."""

    def press(do: str, text: str, began: str = RULES, user: str = "saver", **more: str) -> Response:
        form = {"do": do, "text": text.replace("\n", "\r\n"), "began": Document(SOURCE, began).hash, **more}
        form["token"] = issue_token(SECRET, user, AT)
        return client.post("/rules/edit", data=form, headers={"x-user": user})

    return press


def written(page: str) -> str:
    """The text in the form."""
    [text] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    return html.unescape(text)


def test_the_form_has_the_text_that_is_configured(client: TestClient) -> None:
    page = client.get("/rules/edit").text
    assert written(page) == RULES
    assert f"Configured by {SOURCE} · version {Document(SOURCE, RULES).hash} No fault." in words(page)


def test_a_fault_is_said_as_faultline_check_says_it_with_its_line(post: Callable[..., Response]) -> None:
    page = post("check", FAULTY).text
    with pytest.raises(ConfigurationError) as raised:
        load_rules(FAULTY)
    for fault in raised.value.faults:
        assert f"line {fault.line} : {fault.message}" in html.unescape(words(page))
    assert '<a href="#text" data-line="5">' in page
    assert "OrdersLost, topics: [app-logs]" in page
    assert written(page) == FAULTY


def test_of_many_faults_the_first_are_listed(post: Callable[..., Response]) -> None:
    page = words(post("check", RULES + "\n".join(f"unknown{number}: 1" for number in range(60))).text)
    assert "60 faults; it cannot be saved" in page
    assert "and 10 more" in page


def test_a_doubt_is_said_too_and_is_no_fault(post: Callable[..., Response]) -> None:
    text = RULES.replace("console_configs: [{}]}", "console_configs: [{}]}, {name: nobody}")
    page = words(post("check", text).text)
    assert "No fault. One doubt line 7 : no route leads to receiver &#39;nobody&#39;" in page


def test_what_is_different_is_shown_before_it_is_saved(post: Callable[..., Response], variable: Variable) -> None:
    page = post("check", LOWER).text
    assert '<span class="diff-ins">+  - {alert: OrdersLost' in page
    assert variable.text == RULES


def test_a_good_text_is_saved_with_who_and_what(
    client: TestClient, post: Callable[..., Response], variable: Variable, database: Database
) -> None:
    answer = post("save", LOWER)
    assert (answer.status_code, variable.text) == (303, LOWER)
    [change] = database.configuration_changes("rules")
    assert (change.by, change.source, change.at, change.hash) == ("saver", SOURCE, AT, Document("", LOWER).hash)
    assert "Saved. The next evaluation takes it up." in client.get(answer.headers["location"]).text
    assert "is not in force yet" not in client.get("/rules").text  # nothing has been evaluated at all
    assert written(client.get("/rules/edit").text) == LOWER


@pytest.mark.parametrize("text", [FAULTY, "", "groups: [", "a" * 100], ids=["field", "nothing", "no YAML", "no rules"])
def test_a_faulty_text_is_not_saved(
    post: Callable[..., Response], variable: Variable, database: Database, text: str
) -> None:
    answer = post("save", text)
    assert (answer.status_code, variable.text) == (422, RULES)
    assert "it cannot be saved" in answer.text
    assert written(answer.text) == text
    assert database.configuration_changes("rules") == []


def test_nothing_different_is_not_saved(post: Callable[..., Response], database: Database) -> None:
    answer = post("save", RULES)
    assert (answer.status_code, "Nothing is different" in answer.text) == (422, True)
    assert database.configuration_changes("rules") == []


def test_a_version_that_came_in_between_is_not_lost_unseen(
    post: Callable[..., Response], variable: Variable, database: Database
) -> None:
    other = RULES.replace("OrdersLost", "OrdersGone")
    variable.text = other
    database.record_change("rules", Document(SOURCE, other), AT - MINUTE, by="alice")
    answer = post("save", LOWER)
    assert (answer.status_code, variable.text) == (409, other)
    said = words(answer.text)
    assert "The rules have been changed since you began. Your text was not saved." in said
    assert "2026-11-22 12:59:00 UTC by alice ." in said
    assert "-  - {alert: OrdersGone" in answer.text
    assert written(answer.text) == LOWER
    [began] = re.findall(r'name="began" value="(\w+)"', answer.text)
    assert began == Document("", other).hash
    assert post("save", LOWER, began=other).status_code == 303


def test_a_version_that_comes_at_the_same_moment_is_told_as_well(
    post: Callable[..., Response], variable: Variable
) -> None:
    variable.meanwhile = RULES.replace("OrdersLost", "OrdersGone")
    answer = post("save", LOWER)
    assert (answer.status_code, variable.text) == (409, variable.meanwhile)
    assert "-  - {alert: OrdersGone" in answer.text


@pytest.mark.parametrize(("user", "status"), [("saver", 303), ("editor", 403), ("reader", 403), ("stranger", 403)])
def test_only_who_may_change_the_variable_saves(
    post: Callable[..., Response], variable: Variable, user: str, status: int
) -> None:
    assert post("save", LOWER, user=user).status_code == status
    assert variable.text == (LOWER if status == 303 else RULES)


def test_nobody_is_offered_what_they_may_not(client: TestClient) -> None:
    buttons = {
        user: re.findall(r'name="do" value="(\w+)"', client.get("/rules/edit", headers={"x-user": user}).text)
        for user in ("reader", "editor", "saver")
    }
    assert buttons == {"reader": [], "editor": ["check", "try"], "saver": ["check", "try", "save"]}


def test_a_text_that_is_too_long_is_refused(post: Callable[..., Response], variable: Variable) -> None:
    assert post("save", RULES + "a" * LONGEST_TEXT).status_code == 422
    assert post("save", RULES + "a" * 5_000_000).status_code == 400
    assert variable.text == RULES


def test_a_host_that_refuses_says_why(post: Callable[..., Response], variable: Variable) -> None:
    variable.refused = "a secrets backend has it"
    answer = post("save", LOWER)
    assert (answer.status_code, "a secrets backend has it" in answer.text) == (409, True)


@pytest.fixture
def archive(config: Settings) -> None:
    """An archive with three orders lost half an hour ago, and one four hours ago."""
    values = [
        f'{{"@timestamp": "{(AT - ago * MINUTE).isoformat()}", "level": "ERROR", "service": "checkout"}}'.encode()
        for ago in (240, 30, 30, 30)
    ]
    span = OffsetRange(TopicPartition("app-logs", "one", 0), 0, len(values))
    raw = raw_table(values, at=AT, topic_id="one")
    events = decode(raw, TopicConfig(name="app-logs"), event_time_span=timedelta(days=7))
    TopicTable.open_or_create(config.archive_url, "app-logs").append(events, [span])


def test_a_backtest_shows_what_would_have_been_told(post: Callable[..., Response], archive: None) -> None:
    page = words(post("try", LOWER, since="1h").text)
    assert "Backtest done · 3 of 3 records read" in page
    assert "OrdersLost 0 → 1 0 → 1 0 → 0" in page
    assert "One alert that somebody is told of only after" in page
    assert "2026-11-22 12:30:10 OrdersLost 3 records · before: not over its threshold" in page
    assert "0 alerts that nobody is told of any more" in page


def test_rules_that_do_nothing_are_said_to(post: Callable[..., Response], archive: None) -> None:
    assert "No rule has an alert, before or after." in post("try", RULES + "# a comment", since="1h").text


def test_a_backtest_reads_no_more_than_a_page_may(config: Settings, archive: None) -> None:
    rules = load_rules(RULES)
    work = Trial(config, rules, rules, Interval(AT - timedelta(hours=5), AT), most=3)
    [plan, _] = work.run()
    assert isinstance(plan, Plan)
    assert work.part
    assert plan.period.start > AT - timedelta(hours=4)
    assert work.rows == plan.rows == 3


def test_a_backtest_ends_when_its_reader_has_gone(config: Settings, archive: None) -> None:
    rules = load_rules(RULES)
    work = Trial(config, rules, rules, Interval(AT - timedelta(hours=1), AT))
    work.stop()
    with pytest.raises(SearchStopped):
        list(work.run())


@pytest.mark.parametrize(
    ("text", "since", "status", "said"),
    [
        (FAULTY, "1h", 422, "it cannot be saved"),
        (LOWER, "soon", 422, "soon"),
        (LOWER, "1h", 200, "nothing is archived yet"),
    ],
    ids=["faulty", "since", "no archive"],
)
def test_a_backtest_that_cannot_be_says_why(
    post: Callable[..., Response], text: str, since: str, status: int, said: str
) -> None:
    answer = post("try", text, since=since)
    assert (answer.status_code, said in answer.text) == (status, True)


def test_a_backtest_that_takes_too_long_is_ended(
    post: Callable[..., Response], archive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor, "_LONGEST", timedelta(0))
    monkeypatch.setattr(trial, "run_backtest", lambda *_, **__: time.sleep(0.5))
    assert "It took longer than a minute and was ended." in post("try", LOWER, since="1h").text
