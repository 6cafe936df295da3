"""Now: what fires, what it explains, and why nobody is told of the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from faultline.adapters.database import Database
from faultline.alerting.alerts import Alert, Cause, MuteReason, Sample
from faultline.alerting.silences import Silence
from faultline.model import (
    Ack,
    AlertKey,
    AlertState,
    AlertSummary,
    Labels,
    Notification,
    NotificationKind,
)
from faultline.page.views.now import EFFECTS, EFFECTS_ALONE, TREES, nested
from tests.page.conftest import AT

MINUTE = timedelta(minutes=1)
Remember = Callable[..., None]


def firing(rule: str = "DbDown", *, ago: int = 12, severity: str = "critical", **more: str) -> Alert:
    """An alert that fires since so many minutes ago."""
    key = AlertKey(rule, Labels(environment="prod", **more))
    labels = Labels({**key.labels, "alertname": rule, "severity": severity})
    samples = (Sample(f"{rule} said no"),)
    return Alert(key, AlertState.FIRING, labels, AT - ago * MINUTE, count=30, samples=samples)


def effect(rule: str, *causes: Alert, ago: int = 11, **more: str) -> Alert:
    """An alert that these explain, root first."""
    ways = tuple(Cause(cause.key, cause.episode, (cause.key.rule, rule)) for cause in causes)
    alert = firing(rule, ago=ago, **more)
    return replace(alert, state=AlertState.SUPPRESSED, causes=ways, mute=MuteReason.CHAIN, count=500)


def message(alert: Alert, receiver: str) -> Notification:
    annotations = {"summary": "30 lost", "runbook_url": "https://wiki.example/db"}
    summary = AlertSummary(
        alert.key, alert.state, alert.starts_at, None, alert.count, "20 in 5m", annotations=annotations
    )
    return Notification(alert.episode, receiver, NotificationKind.FIRING, 1, "over", AT, summary)


def words(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def shown(client: TestClient, **query: object) -> str:
    answer = client.get("/now", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return words(answer.text)


def test_an_effect_is_folded_under_its_root(client: TestClient, remember: Remember) -> None:
    root = firing()
    payments = effect("PaymentErrors", root, ago=11)
    remember(root, payments, effect("CheckoutFailed", root, payments, ago=10))
    page = shown(client)
    assert "DbDown critical firing environment prod records 30 for 12m" in page
    assert "explains 2 alerts 2 suppressed 1,000 records" in page
    assert page.index("DbDown said no") < page.index("PaymentErrors") < page.index("CheckoutFailed")
    assert page.count("environment prod") == 1


def test_the_row_of_an_effect_says_which_causes_keep_it_quiet(client: TestClient, remember: Remember) -> None:
    root = firing()
    payments = effect("PaymentErrors", root)
    remember(root, payments, effect("CheckoutFailed", root, payments, ago=10))
    page = shown(client)
    assert "suppressed records 500 for 11m explained by DbDown" in page
    assert "suppressed records 500 for 10m explained by DbDown , PaymentErrors{environment=&#34;prod&#34;}" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": AlertState.PENDING}, "has been over its threshold for too short a time"),
        ({"state": AlertState.HELD, "held_since": AT}, "waits for its possible cause since 2026-11-22 13:00:00"),
        (
            {"state": AlertState.ACKED, "ack": Ack("e", "alice", AT, "on it")},
            "somebody has taken it on; it is not sent again by alice since 2026-11-22 13:00:00 UTC “on it”",
        ),
        (
            {"state": AlertState.RECOVERING, "recovering_until": AT + MINUTE},
            "its cause is over and it may be on its way out until 2026-11-22 13:01:00 UTC",
        ),
        (
            {"state": AlertState.SUPPRESSED, "mute": MuteReason.MUTE_TIME},
            "muted at this time of the week",
        ),
        ({"causes": (Cause(AlertKey("DbDown", Labels()), "gone", ()),)}, "is not sent again: DbDown"),
        ({}, "Nobody has been told yet."),
    ],
    ids=["pending", "held", "acked", "recovering", "mute time", "told before its cause", "untold"],
)
def test_a_row_says_why_nobody_is_told(
    client: TestClient, remember: Remember, change: dict[str, object], said: str
) -> None:
    remember(replace(firing("CartSlow"), **change))
    assert said in shown(client)


@pytest.mark.parametrize("state", [AlertState.SUPPRESSED, AlertState.FIRING])
def test_a_silenced_alert_names_the_silence(
    client: TestClient, database: Database, remember: Remember, state: AlertState
) -> None:
    database.add_silence(
        Silence(
            matchers=('alertname="DbDown"',),
            starts_at=AT - MINUTE,
            ends_at=AT + MINUTE,
            created_by="bob",
            comment="new disks",
        )
    )
    remember(replace(firing(), state=state, mute=MuteReason.SILENCE if state is AlertState.SUPPRESSED else None))
    assert "silenced by bob until 2026-11-22 13:01:00 UTC “new disks”" in shown(client)


def test_a_row_says_what_became_of_the_message_at_each_receiver(client: TestClient, remember: Remember) -> None:
    root = firing()
    remember(root, messages=(message(root, "ops"), message(root, "mail")))
    assert "ops: waits to be sent" in shown(client)
    assert "mail: waits to be sent" in shown(client)


def test_labels_that_a_group_shares_are_shown_once(client: TestClient, remember: Remember) -> None:
    remember(*(firing("DiskFull", host=f"db-{number}") for number in range(3)))
    page = shown(client)
    assert "DiskFull 3 alerts environment prod" in page
    assert page.count("environment prod") == 1
    assert all(f"host db-{number}" in page for number in range(3))


def test_filters_are_in_the_address(client: TestClient, remember: Remember) -> None:
    remember(firing("DbDown"), firing("CartSlow", severity="warning"))
    assert "CartSlow said no" not in shown(client, severity="critical")
    assert "DbDown said no" not in shown(client, q='alertname=~"Cart.*"')
    assert "No alert that goes on is like this." in shown(client, state=["held", "acked"])
    assert "DbDown said no" in shown(client, state=["held", "firing"])


def test_a_fault_in_a_filter_is_said(client: TestClient, remember: Remember) -> None:
    remember(firing())
    page = shown(client, q="service payments")
    assert "not a matcher: &#39;service payments&#39;" in page
    assert "DbDown said no" in page


def test_an_episodes_address_shows_its_tree_open(client: TestClient, remember: Remember) -> None:
    root = firing()
    below = effect("CheckoutFailed", root)
    remember(root, below, firing("DiskFull"))
    page = client.get("/", params={"episode": below.episode}).text
    assert "DiskFull said no" not in page
    assert f'<details class="effects" id="effects-{root.episode}" open>' in page


def test_a_long_list_comes_in_pages(client: TestClient, remember: Remember) -> None:
    remember(*(firing("DiskFull", host=f"db-{number}") for number in range(TREES + 2)))
    first, second = client.get("/now").text, client.get("/now", params={"page": 2}).text
    assert [page.count('<article class="tree') for page in (first, second)] == [TREES, 2]
    assert "Page 1 of 2" in first
    assert 'rel="next" href="/faultline/now?page=2"' in first


def test_a_tree_shows_some_effects_and_the_way_to_the_others(client: TestClient, remember: Remember) -> None:
    root = firing()
    remember(root, *(effect("PaymentErrors", root, host=f"pay-{number}") for number in range(EFFECTS_ALONE + 1)))
    first = client.get("/now").text
    assert first.count('<li class="effect') == EFFECTS
    assert f"{EFFECTS_ALONE + 1 - EFFECTS} more" in words(first)
    alone = client.get("/now", params={"episode": root.episode}).text
    assert alone.count('<li class="effect') == EFFECTS_ALONE
    assert f"episode={root.episode}&amp;effects={EFFECTS_ALONE}" in alone
    last = client.get("/now", params={"episode": root.episode, "effects": EFFECTS_ALONE}).text
    assert last.count('<li class="effect') == 1


def test_rules_that_are_not_evaluated_any_more_are_said(
    client: TestClient, remember: Remember, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Is the DAG watch_errors on?" in shown(client)
    remember()
    assert "Is the DAG watch_errors on?" not in shown(client)
    monkeypatch.setattr("faultline.page.views.now._LATE", -MINUTE)
    assert "The rules were last evaluated 2026-11-22 13:00:00 UTC" in shown(client)


def test_alerts_that_became_each_others_cause_are_both_shown() -> None:
    root, one, two = firing(), firing("One"), firing("Two")
    ways = [Cause(each.key, each.episode, ()) for each in (one, two)]
    turned = [replace(one, causes=(ways[1],)), replace(two, causes=(ways[0],))]
    assert [alert.key.rule for _, alert in nested(root, turned)] == ["One", "Two"]


def test_a_root_shows_what_its_message_said(client: TestClient, remember: Remember) -> None:
    root = firing()
    remember(root, messages=(message(root, "ops"),))
    page = client.get("/now").text
    assert '<p class="summary">30 lost</p>' in page
    assert 'href="https://wiki.example/db" target="_blank" rel="noopener noreferrer"' in page


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.test", "data:text/html,x", "wiki"])
def test_a_runbook_that_is_no_web_address_is_no_link(client: TestClient, remember: Remember, address: str) -> None:
    root = firing()
    told = message(root, "ops")
    told = replace(told, alert=replace(told.alert, annotations={"runbook_url": address}))
    remember(root, messages=(told,))
    assert "Runbook" not in client.get("/now").text


def test_the_address_of_an_alert_that_is_over_says_so(client: TestClient, remember: Remember) -> None:
    alert = replace(firing(), state=AlertState.RESOLVED, ends_at=AT - MINUTE)
    remember(alert)
    page = shown(client, episode=alert.episode)
    assert "began 2026-11-22 12:48:00 UTC , ended 2026-11-22 12:59:00 UTC , 30 records" in page
