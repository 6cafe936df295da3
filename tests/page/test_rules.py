"""Rules and chains: the causes as a drawing, where each rule stands, and what was configured when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from dev.incident import SHOP, Incident
from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.alerting.rules import load_rules
from faultline.model import AlertState
from faultline.page.views.changes import LINES, ROWS
from faultline.page.views.rules import BOXES, RULES
from faultline.settings import Settings
from faultline.yaml_files import Document
from tests.contracts.values import evaluation
from tests.page.conftest import AT
from tests.page.test_now import MINUTE, effect, firing, words

SHOP_RULES = (SHOP / "rules.yaml").read_text()


def many(number: int, *, joined: bool) -> str:
    """A text of so many rules; joined are those that the first one causes."""
    rules = [f"  - {{alert: R{each}, num_events: 9, timeframe: 1m}}" for each in range(number)]
    edges = ", ".join(f"{{cause: R0, effect: R{each}}}" for each in range(1, number))
    chains = [f"chains: [{{name: c, edges: [{edges}]}}]"] if joined else []
    ends = ["route: {receiver: ops}", "receivers: [{name: ops}]"]
    return "\n".join(["groups:", "- name: g", "  rules:", *rules, *chains, *ends])


@pytest.fixture
def evaluated(database: Database, config: Settings) -> Callable[..., None]:
    """Have an evaluation, just now, work with this text."""

    def evaluate(text: str, *alerts: object) -> None:
        config.rules_file.write_text(text)
        version = load_rules(text).hash
        database.record_rules(str(config.rules_file), text, version, (), AT)
        done = replace(evaluation(alerts=alerts, at=AT), rules_hash=version)  # type: ignore[arg-type]
        database.record_evaluation(database.acquire_lease(LEASE, "test"), done)

    return evaluate


def shown(client: TestClient, path: str = "/rules", **query: object) -> str:
    answer = client.get(path, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.text


def listed(page: str) -> list[str]:
    """The rules of the list, in its order."""
    return re.findall(r'<a class="name"[^>]*>([^<]*)</a>', page)


def drawn(page: str) -> list[str]:
    """The rules of the drawings."""
    return re.findall(r'class="box-name"[^>]*>([^<]*)<', page)


def test_the_shops_outage_is_seen_in_its_chain(client: TestClient, database: Database, config: Settings) -> None:
    config.rules_file.write_text(SHOP_RULES)
    Incident(database, AT - 2 * MINUTE, config.rules_file).go_on(AT)
    page = shown(client)
    assert drawn(page) == ["DbDown", "PaymentErrors", "CheckoutFailed"]
    assert re.findall(r"<title>(\w+ → \w+)</title>", page) == [
        "DbDown → PaymentErrors",
        "PaymentErrors → CheckoutFailed",
    ]
    assert "box severity-critical is-firing" in page
    text = words(page)
    assert (
        "DbDown critical frequency firing 1 6 threshold: 3 in 30s environment prod → ops causes: PaymentErrors" in text
    )
    assert (
        "suppressed 1 28 threshold: 20 in 30s environment prod → ops caused by: DbDown causes: CheckoutFailed" in text
    )
    assert "LatencyProbe none frequency threshold: 1 in 30s → latency-probe" in text
    assert f"4 rules · Rules evaluated 0s ago · version {load_rules(SHOP_RULES).hash}" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["DbDown", "PaymentErrors", "CheckoutFailed", "LatencyProbe"]),
        ({"q": "latency-PROBE"}, ["LatencyProbe"]),
        ({"q": "payment"}, ["DbDown", "PaymentErrors", "CheckoutFailed"]),
        ({"q": "critical"}, ["DbDown", "PaymentErrors", "CheckoutFailed"]),
        ({"state": "firing"}, ["DbDown", "PaymentErrors", "CheckoutFailed"]),
        ({"state": "held"}, []),
        ({"rule": "LatencyProbe"}, ["LatencyProbe"]),
        ({"rule": "Gone"}, []),
    ],
    ids=str,
)
def test_filters_are_in_the_address(
    client: TestClient, evaluated: Callable[..., None], query: dict[str, object], found: list[str]
) -> None:
    root = firing()
    evaluated(SHOP_RULES, root, effect("PaymentErrors", root))
    assert listed(shown(client, **query)) == found


def test_a_rule_is_shown_with_its_own_causes_and_effects(client: TestClient, evaluated: Callable[..., None]) -> None:
    evaluated(many(4, joined=True).replace("{cause: R0, effect: R3}", "{cause: R1, effect: R3}"))
    assert drawn(shown(client, rule="R3")) == ["R0", "R1", "R3"]
    assert drawn(shown(client, rule="R2")) == ["R0", "R2"]


def test_alerts_of_one_rule_that_mute_each_other_are_no_way_in_the_drawing(
    client: TestClient, evaluated: Callable[..., None]
) -> None:
    inhibit = "inhibit_rules: [{source_matchers: ['host=\"a\"'], target_matchers: ['host=\"b\"']}]\n"
    text = many(2, joined=False).replace("timeframe: 1m}", "timeframe: 1m, query_key: [host]}", 1)
    evaluated(inhibit + text)
    page = shown(client)
    assert (listed(page), drawn(page)) == (["R0", "R1"], [])
    assert "→ ops its alerts may mute each other Errors History" in words(page)


def test_an_alert_that_is_over_is_no_state_of_its_rule(client: TestClient, evaluated: Callable[..., None]) -> None:
    evaluated(SHOP_RULES, replace(firing(), state=AlertState.RESOLVED, ends_at=AT))
    page = shown(client)
    assert "firing 0" in words(page)
    assert "is-resolved" not in page


def test_many_rules_come_in_pages(client: TestClient, evaluated: Callable[..., None]) -> None:
    evaluated(many(RULES + 3, joined=False))
    assert listed(shown(client)) == [f"R{each}" for each in range(RULES)]
    page = shown(client, page=2)
    assert listed(page) == [f"R{RULES + each}" for each in range(3)]
    assert "Page 2 of 2" in page
    assert listed(shown(client, page=9)) == listed(page)


def test_of_a_large_family_the_rules_with_alerts_are_drawn_first(
    client: TestClient, evaluated: Callable[..., None]
) -> None:
    evaluated(many(RULES, joined=True), firing(f"R{RULES - 1}"))
    page = shown(client)
    assert drawn(page) == [*(f"R{each}" for each in range(BOXES - 1)), f"R{RULES - 1}"]
    assert f"{BOXES} of these {RULES} rules are drawn" in page


def test_before_the_first_evaluation_the_rules_are_shown_as_they_are_written(
    client: TestClient, config: Settings
) -> None:
    config.rules_file.write_text(SHOP_RULES)
    page = shown(client)
    assert listed(page)[0] == "DbDown"
    assert "The rules have not been evaluated yet." in page


def test_a_new_text_waits_for_the_next_evaluation(
    client: TestClient, evaluated: Callable[..., None], config: Settings
) -> None:
    evaluated(SHOP_RULES)
    assert "not in force yet" not in shown(client)
    config.rules_file.write_text(SHOP_RULES.replace("DbDown", "Renamed"))
    page = shown(client)
    assert "rules.yaml is not in force yet: the next evaluation takes it up" in page
    assert listed(page)[0] == "DbDown"


def test_a_faulty_text_leaves_the_rules_that_are_evaluated(
    client: TestClient, evaluated: Callable[..., None], config: Settings
) -> None:
    evaluated(SHOP_RULES)
    config.rules_file.write_text(SHOP_RULES.replace("num_events", "num_event"))
    page = shown(client)
    assert "rules.yaml is faulty. The last good version stays in force" in page
    assert listed(page)[0] == "DbDown"


def test_without_any_rules_the_page_says_so(client: TestClient) -> None:
    page = words(shown(client))
    assert "No rule is like this." in page


def test_a_change_is_shown_with_when_who_and_what(client: TestClient, database: Database) -> None:
    database.record_change("rules", Document("rules.yaml", "one\ntwo"), AT - 2 * MINUTE)
    database.record_change("rules", Document("Variable faultline_rules", "one\nthree"), AT - MINUTE, by="alice")
    page = shown(client, "/rules/changes")
    text = words(page)
    assert "2026-11-22 12:59:00 UTC Variable faultline_rules by alice" in text
    assert "lines: 1 new, 1 gone @@ -1,2 +1,2 @@ one -two +three" in text
    assert "2026-11-22 12:58:00 UTC rules.yaml by whom is not known" in text
    assert '<span class="diff-del">-two' in page


def test_the_same_text_from_another_place_is_no_difference(client: TestClient, database: Database) -> None:
    for number, source in enumerate(("rules.yaml", "Variable faultline_rules")):
        database.record_change("rules", Document(source, "one"), AT + number * timedelta(seconds=1))
    assert "The same text, from another place." in shown(client, "/rules/changes")


def test_each_kind_has_its_changes(client: TestClient, database: Database) -> None:
    database.record_change("topics", Document("topics.yaml", "topics"), AT)
    assert "topics.yaml" not in shown(client, "/rules/changes")
    assert "topics.yaml" in shown(client, "/rules/changes", kind="topics")
    assert "No version has been recorded yet" in shown(client, "/rules/changes", kind="unknown")


def test_many_and_long_changes_are_cut_and_say_so(client: TestClient, database: Database) -> None:
    for number in range(ROWS + 1):
        lines = "\n".join(f"{number} {each}" for each in range(LINES if number == 0 else 1))
        database.record_change("rules", Document("rules.yaml", lines), AT + number * timedelta(seconds=1))
    page = shown(client, "/rules/changes")
    assert page.count('<li class="entry') == ROWS
    assert "page=2" in page
    page = shown(client, "/rules/changes", page=2)
    assert page.count('<li class="entry') == 1
    assert "one more line" in page
