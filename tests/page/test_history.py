"""History on the page: episodes as bars under their roots, each explained; what was kept back; what was sent."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from dev.incident import SHOP, Incident
from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, Alert, MuteReason, Silencing, Suppression, SuppressionOutcome
from faultline.alerting.silences import Silence
from faultline.dispatch.conclusion import ENGLISH, Verdict
from faultline.dispatch.delivery import OutboxState
from faultline.model import Ack, AlertState, Notification
from faultline.page.texts import texts_of
from faultline.page.views.history import EFFECTS, EFFECTS_ALONE, ROWS, TREES
from faultline.settings import Settings
from tests.contracts.values import evaluation
from tests.page.conftest import AT
from tests.page.test_now import MINUTE, effect, firing, message, words

Remember = Callable[..., None]


def over(alert: Alert, minutes: int = 5) -> Alert:
    """The alert, over after so many minutes."""
    return replace(alert, state=AlertState.RESOLVED, ends_at=alert.starts_at + minutes * MINUTE)


def kept(alert: Alert, *, outcome: SuppressionOutcome | None = None) -> Suppression:
    ends = AT if outcome else None
    return Suppression(alert.episode, 1, alert.key, alert.causes, "c0ffee", alert.starts_at, ends, 500, (), outcome)


@pytest.fixture
def record(database: Database) -> Callable[..., None]:
    """Have an evaluation record these."""

    def write(*alerts: Alert, messages: tuple[Notification, ...] = (), ledger: tuple[Suppression, ...] = ()) -> None:
        done = replace(evaluation(*messages, alerts=alerts, at=AT), suppressions=ledger)
        database.record_evaluation(database.acquire_lease(LEASE, "test"), done)

    return write


def shown(client: TestClient, path: str = "/history", **query: object) -> str:
    answer = client.get(path, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.text


def rows(page: str) -> list[str]:
    """The episodes of the time line, effects with a margin."""
    found = re.findall(
        r'<li class="episode [^"]*?( is-effect)?" id="[^"]*">.*?class="name"[^>]*>([^<]*)<', page, re.DOTALL
    )
    return [("  " if is_effect else "") + name for is_effect, name in found]


def test_episodes_stand_under_their_roots_those_that_are_over_too(client: TestClient, record: Remember) -> None:
    root = over(firing(ago=60))
    record(root, over(effect("CheckoutFailed", root, ago=58)), firing("DiskFull", ago=10))
    page = shown(client)
    assert rows(page) == ["DiskFull", "DbDown", "  CheckoutFailed"]
    assert "2026-11-22 12:00:00 – 2026-11-22 12:05:00" in words(page)
    assert "over 5m 30 records" in words(page)


def test_a_bar_has_the_place_and_colour_of_its_episode(client: TestClient, record: Remember) -> None:
    record(over(firing(ago=60, severity="warning"), 30))
    page = shown(client, since="2h")
    assert '<rect class="bar-of" x="50.0%" width="25.0%"' in page
    assert 'class="episode severity-warning"' in page
    assert "<circle" not in page


def test_what_goes_on_has_a_ring_at_its_end(client: TestClient, record: Remember) -> None:
    record(firing(ago=60))
    assert shown(client, since="2h").count("<circle") == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["DiskFull", "CartSlow"]),
        ({"rule": "CartSlow"}, ["CartSlow"]),
        ({"severity": "critical"}, ["DiskFull"]),
        ({"state": "resolved"}, ["CartSlow"]),
        ({"state": ["resolved", "firing"]}, ["DiskFull", "CartSlow"]),
        ({"q": "DB-7"}, ["DiskFull"]),
        ({"q": "cart"}, ["CartSlow"]),
        ({"since": "30m"}, ["DiskFull"]),
        ({"until": "30m"}, ["CartSlow"]),
        ({"since": "2026-11-22T12:00", "until": "2026-11-22T12:10"}, ["CartSlow"]),
        ({"since": "2026-11-20", "until": "2026-11-21"}, []),
    ],
    ids=str,
)
def test_filters_are_in_the_address(
    client: TestClient, record: Remember, query: dict[str, object], found: list[str]
) -> None:
    record(firing("DiskFull", ago=10, host="db-7"), over(firing("CartSlow", ago=60, severity="warning")))
    page = shown(client, **query)
    assert rows(page) == found
    assert ("No episode is like this." in page) is not found


def test_a_time_that_is_none_is_said(client: TestClient, record: Remember) -> None:
    record(firing())
    page = shown(client, since="soon")
    assert "not a time: &#39;soon&#39;" in page
    assert rows(page) == ["DbDown"]


def test_a_long_history_comes_in_pages(client: TestClient, record: Remember) -> None:
    record(*(over(firing("DiskFull", host=f"db-{number}")) for number in range(TREES + 2)))
    first, second = shown(client), shown(client, page=2)
    assert [len(rows(page)) for page in (first, second)] == [TREES, 2]
    assert 'rel="next" href="/faultline/history?page=2"' in first


def test_a_root_shows_some_effects_and_the_way_to_the_others(client: TestClient, record: Remember) -> None:
    root = firing()
    record(root, *(effect("PaymentErrors", root, host=f"pay-{number}") for number in range(EFFECTS_ALONE + 1)))
    first = shown(client)
    assert len(rows(first)) == 1 + EFFECTS
    assert f"{EFFECTS_ALONE + 1 - EFFECTS} more effects" in words(first)
    alone = shown(client, episode=root.episode)
    assert len(rows(alone)) == 1 + EFFECTS_ALONE
    [more] = re.findall(r'href="/faultline([^"]*effects=[^"]*)"', alone)
    assert len(rows(client.get(html.unescape(more)).text)) == 2


def test_more_than_is_looked_at_is_said(client: TestClient, record: Remember, monkeypatch: pytest.MonkeyPatch) -> None:
    record(firing("One"), firing("Two"))
    assert "more episodes than" not in shown(client)
    monkeypatch.setattr("faultline.page.views.history.MOST", 2)
    assert "There are more episodes than the newest 2" in shown(client)


def test_what_was_kept_back_is_listed_with_its_causes_and_its_end(client: TestClient, record: Remember) -> None:
    root = firing()
    below = effect("CheckoutFailed", root)
    record(root, below, ledger=(kept(below, outcome=SuppressionOutcome.OUTLIVED_ROOT),))
    page = shown(client, "/history/suppressed")
    assert "CheckoutFailed environment prod explained by DbDown{environment=&#34;prod&#34;}" in words(page)
    assert "11m · 500 records · outlived its root · rules c0ffee" in words(page)
    assert f'href="/faultline/history/episode?id={root.episode}"' in page
    assert "Nothing like this was kept back." in shown(client, "/history/suppressed", q="nobody")


def test_what_was_silenced_names_the_silences_and_whether_it_was_told_of_before(
    client: TestClient, record: Remember
) -> None:
    alert, silences = firing(), (Silencing(3, "bob", "new disks"), Silencing(None, "", "<known>"))
    row = replace(kept(alert), causes=(), reason=MuteReason.SILENCE, silences=silences, told=True)
    record(alert, ledger=(row,))
    said = words(shown(client, "/history/suppressed"))
    assert "silenced after it was told of Silence 3 bob new disks a silence of the rules file &lt;known&gt;" in said
    assert "silenced after it was told of Silence 3 bob" in words(shown(client, "/history/episode", id=alert.episode))


def test_messages_are_listed_with_what_became_of_them(client: TestClient, record: Remember) -> None:
    root = firing()
    record(root, messages=(message(root, "ops"),))
    page = words(shown(client, "/history/messages", until="2026-11-22T13:01"))
    assert "DbDown environment prod fires → ops waits to be sent 2026-11-22 13:00:00 UTC" in page
    found = {state: shown(client, "/history/messages", state=state, until="2026-11-22T13:01") for state in OutboxState}
    assert [state for state, page in found.items() if "No message like this was made." not in page] == ["queued"]


def test_long_lists_are_turned_page_by_page(client: TestClient, record: Remember) -> None:
    alerts = [firing("DiskFull", host=f"db-{number}") for number in range(ROWS + 1)]
    record(*alerts, ledger=tuple(map(kept, alerts)))
    first, second = shown(client, "/history/suppressed"), shown(client, "/history/suppressed", page=2)
    assert [page.count('class="entry') for page in (first, second)] == [ROWS, 1]
    assert ('rel="next"' in first, 'rel="next"' in second, 'rel="prev"' in second) == (True, False, True)


def test_an_episode_is_explained(client: TestClient, config: Settings, database: Database) -> None:
    incident = Incident(database, AT - 5 * MINUTE)
    incident.go_on(AT)
    config.rules_file.write_text((SHOP / "rules.yaml").read_text())
    [root] = [each for each in database.live_outlines(10) if each.root is None]
    page = words(shown(client, "/history/episode", id=root.episode))
    assert "DbDown critical firing environment prod Told: ops/console/1, ops/webhook/1." in page
    assert "Threshold 3 in 30s · by the rules in force now" in page
    assert "3 records, over the threshold" in page
    assert "inactive → firing over 3 in 30s" in page
    assert "fires → ops/webhook/1 told" in page
    assert "the provider said: 200 ok" in page
    assert "could not connect to db-1:5432" in page


def test_an_effect_says_why_nobody_was_told_and_leads_to_its_cause(client: TestClient, record: Remember) -> None:
    root = firing()
    below = effect("CheckoutFailed", root)
    record(root, below, ledger=(kept(below),))
    page = shown(client, "/history/episode", id=below.episode)
    assert "Nobody was told of it by itself: it is explained by DbDown" in words(page)
    assert "No message was made about it." in words(page)
    assert f'href="/faultline/history/episode?id={root.episode}"' in page
    assert f'href="/faultline/now?episode={below.episode}"' in page


def test_an_episode_leads_to_its_records_and_to_other_episodes_of_its_alert(
    client: TestClient, record: Remember
) -> None:
    before, now = over(firing(ago=300, service="db")), firing(service="db")
    record(before, now)
    page = html.unescape(shown(client, "/history/episode", id=now.episode))
    assert "/search?q=service%3Ddb+environment%3Dprod&since=2026-11-22T12%3A47%3A00&until=2026-11-22T13%3A01" in page
    assert f'href="/faultline/history/episode?id={before.episode}"' in page


def test_who_took_an_episode_on_and_who_silenced_it_is_part_of_its_story(
    client: TestClient, database: Database, record: Remember
) -> None:
    acked = replace(firing(), state=AlertState.ACKED, ack=Ack("e", "alice", AT, "on it"))
    for matcher, comment in (('alertname="DbDown"', "new disks"), ('alertname="Other"', "unrelated")):
        database.add_silence(
            Silence(matchers=(matcher,), starts_at=AT, ends_at=AT + MINUTE, created_by="bob", comment=comment)
        )
    record(acked)
    page = words(shown(client, "/history/episode", id=acked.episode))
    assert "acknowledged alice on it" in page
    assert "Silence 1 bob new disks" in page
    assert "unrelated" not in page


def test_an_episode_that_is_not_recorded_is_said(client: TestClient) -> None:
    answer = client.get("/history/episode", params={"id": "nothing"})
    assert (answer.status_code, "No such episode is recorded." in answer.text) == (404, True)


def test_the_answer_is_in_the_pages_language(client: TestClient, record: Remember) -> None:
    root = firing()
    below = effect("CheckoutFailed", root)
    silenced = replace(firing("DiskFull"), state=AlertState.SUPPRESSED, mute=MuteReason.SILENCE)
    quiet = replace(kept(silenced), reason=MuteReason.SILENCE)
    record(root, below, silenced, messages=(message(root, "ops"),), ledger=(kept(below), quiet))
    said = {
        each.key.rule: shown(client, "/history/episode", id=each.episode, lang="zh") for each in (root, below, silenced)
    }
    assert "尚未通知任何人：消息正等待发送到 ops。" in said["DbDown"]
    assert (
        "没有单独通知：根因是 DbDown{environment=&#34;prod&#34;}； 已送达的消息中没有提到它。" in said["CheckoutFailed"]
    )
    assert "没有通知任何人：因 静默 而不发送。" in said["DiskFull"]


@pytest.mark.parametrize("verdict", Verdict)
def test_english_on_the_page_is_that_of_the_command_line(verdict: Verdict) -> None:
    assert texts_of("en").table["history"]["conclusion"][verdict] == ENGLISH[verdict]


def test_an_alert_that_goes_on_leads_to_its_story(client: TestClient, record: Remember) -> None:
    root = firing()
    record(root)
    assert f'href="/faultline/history/episode?id={root.episode}"' in shown(client, "/now")
