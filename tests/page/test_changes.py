"""What can be changed from the page: an alert is taken on, silences are set and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE, MuteReason, Suppression
from faultline.alerting.silences import Silence
from faultline.model import Ack, AlertState
from faultline.page.access import issue_token
from faultline.page.views.silences import NAMED
from tests.contracts.values import evaluation
from tests.page.conftest import AT, SECRET
from tests.page.test_now import MINUTE, firing, words

Remember = Callable[..., None]
HOUR = timedelta(hours=1)
FORM = {"token": issue_token(SECRET, "editor", AT)}


@pytest.fixture
def editor(app: FastAPI) -> Iterator[TestClient]:
    """A browser of somebody who may change something."""
    headers = {"x-user": "editor", "sec-fetch-site": "same-origin"}
    with TestClient(app, base_url="http://airflow.test/faultline", headers=headers) as opened:
        yield opened


def silence(*matchers: str, ends_at: timedelta = HOUR, starts_at: timedelta = -HOUR) -> Silence:
    return Silence(matchers=matchers, starts_at=AT + starts_at, ends_at=AT + ends_at, created_by="bob", comment="disks")


def test_an_alert_is_taken_on(editor: TestClient, database: Database, remember: Remember) -> None:
    alert = firing()
    remember(alert)
    page = editor.post("/ack", data={**FORM, "episode": alert.episode, "comment": " on it "})
    assert database.interventions(AT)[1] == [Ack(alert.episode, "editor", AT, "on it")]
    assert "taken on; the next evaluation hears of it by editor since 2026-11-22 13:00:00 UTC “on it”" in words(
        page.text
    )


def test_an_alert_that_was_taken_on_is_not_taken_on_again(
    editor: TestClient, database: Database, remember: Remember
) -> None:
    alert = firing()
    remember(replace(alert, state=AlertState.ACKED, ack=Ack(alert.episode, "alice", AT)))
    editor.post("/ack", data={**FORM, "episode": alert.episode})
    assert database.interventions(AT)[1] == []


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        (AlertState.HELD, 409, "is held: only what fires can be acknowledged"),
        (AlertState.RESOLVED, 409, "is resolved: only what fires can be acknowledged"),
        (None, 404, "There is nothing here"),
    ],
)
def test_only_what_fires_is_taken_on(
    editor: TestClient, remember: Remember, state: AlertState | None, status: int, said: str
) -> None:
    alert = replace(firing(), state=state or AlertState.FIRING)
    if state:
        remember(alert)
    answer = editor.post("/ack", data={**FORM, "episode": alert.episode})
    assert (answer.status_code, said in answer.text) == (status, True)


def test_who_may_only_read_is_offered_no_change(client: TestClient, remember: Remember) -> None:
    remember(firing())
    assert "<form method=post" not in client.get("/now").text.replace('"', "")
    assert "You may look, but not silence anything." in client.get("/silence", params={"matchers": 'a="b"'}).text


def test_a_silence_is_previewed_for_an_alert(editor: TestClient, remember: Remember) -> None:
    alert, other = firing("DiskFull", host='db-"1"'), firing("DiskFull", host="db-2")
    remember(alert, other)
    page = editor.get("/silence", params={"episode": alert.episode}).text
    assert "alertname=&#34;DiskFull&#34;\nenvironment=&#34;prod&#34;\nhost=&#34;db-\\&#34;1\\&#34;&#34;" in page
    assert "matches one alert now" in page
    assert words(page).count("DiskFull firing environment prod host db-") == 2  # now, and of the last day


def test_a_preview_tells_what_goes_on_from_what_was(editor: TestClient, remember: Remember) -> None:
    over = replace(firing("DiskFull", ago=300, host="db-1"), state=AlertState.RESOLVED)
    long_over = replace(firing("DiskFull", ago=3000, host="db-2"), state=AlertState.RESOLVED)
    remember(firing("CartSlow"), over)
    remember(long_over)
    page = words(editor.get("/silence", params={"matchers": 'environment="prod"'}).text)
    assert "matches one alert now CartSlow firing" in page
    assert "would have matched 3 alerts of the last day" in page  # the one that is remembered too


def test_a_long_preview_names_some(editor: TestClient, remember: Remember) -> None:
    remember(*(firing("DiskFull", host=f"db-{number}") for number in range(NAMED + 2)))
    assert "and 2 more" in editor.get("/silence", params={"matchers": 'alertname="DiskFull"'}).text


def test_a_silence_is_set_as_it_was_previewed(editor: TestClient, database: Database) -> None:
    form = {"matchers": 'alertname="DbDown"\nhost=~"db-.*"', "lasts": "2h", "comment": "new disks"}
    page = editor.post("/silence", data={**FORM, **form})
    [stored] = database.silences(AT)
    assert stored.silence.matchers == ('alertname="DbDown"', 'host=~"db-.*"')
    assert (stored.silence.starts_at, stored.silence.ends_at) == (AT, AT + 2 * HOUR)
    assert (stored.silence.created_by, stored.silence.comment) == ("editor", "new disks")
    assert page.url.path == "/faultline/silences"
    assert 'is-meant" id="silence-1"' in page.text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"matchers": "nonsense", "lasts": "2h", "comment": "x"}, "not a matcher: &#39;nonsense&#39;"),
        ({"matchers": 'a="b"', "lasts": "long", "comment": "x"}, "not a duration: &#39;long&#39;"),
        ({"matchers": 'a="b"', "lasts": "0", "comment": "x"}, "it would be over at once"),
        ({"matchers": 'a="b"', "lasts": "2h", "comment": " "}, "a silence needs a comment"),
        ({"matchers": 'a=~"("', "lasts": "2h", "comment": "x"}, "not a regular expression"),
        ({"matchers": "", "lasts": "2h", "comment": "x"}, "matchers"),
    ],
    ids=["matcher", "duration", "no time", "comment", "expression", "nothing"],
)
def test_a_faulty_silence_is_not_set(editor: TestClient, database: Database, form: dict[str, str], said: str) -> None:
    answer = editor.post("/silence", data={**FORM, **form})
    assert (answer.status_code, said in answer.text) == (422, True)
    assert database.silences() == []


def test_a_silence_shows_what_it_matches_and_has_kept_quiet(
    editor: TestClient, database: Database, remember: Remember
) -> None:
    database.add_silence(silence('alertname="DiskFull"'))
    quiet = replace(firing("DiskFull"), state=AlertState.SUPPRESSED, mute=MuteReason.SILENCE)
    other = replace(firing("CartSlow"), state=AlertState.SUPPRESSED, mute=MuteReason.SILENCE)
    rows = [
        Suppression(each.episode, 1, each.key, (), "", AT - MINUTE, count=70, reason=MuteReason.SILENCE)
        for each in (quiet, other)
    ]
    chain = Suppression(quiet.episode, 2, quiet.key, (), "", AT - MINUTE, count=900)
    recorded = replace(evaluation(alerts=(quiet, other), at=AT), suppressions=(*rows, chain))
    database.record_evaluation(database.acquire_lease(LEASE, "test"), recorded)
    page = words(editor.get("/silences").text)
    assert "Silence 1 in force alertname=&#34;DiskFull&#34; disks" in page
    assert "matches one alert now has kept one alert quiet so far, 70 records" in page


def test_a_silence_of_the_rules_file_is_shown_and_not_ended_here(
    editor: TestClient, database: Database, remember: Remember
) -> None:
    text = """
groups: []
route: {receiver: ops}
receivers: [{name: ops}]
silences:
- {matchers: ['environment="test"'], starts_at: 2026-01-05T08:00:00Z, ends_at: 2027-01-05T18:00:00Z, comment: tests}
"""
    database.record_rules("rules.yaml", text, "0" * 16, (), AT)
    remember()
    page = editor.get("/silences").text
    assert "Of the rules file in force environment=&#34;test&#34; tests" in words(page)
    assert "End it" not in page


def test_a_silence_is_ended(editor: TestClient, database: Database) -> None:
    number = database.add_silence(silence('alertname="DbDown"'))
    page = editor.post("/silences/end", data={**FORM, "id": number})
    assert database.silences(AT) == []
    assert "Nothing is silenced." in page.text


def test_a_silence_that_is_not_there_cannot_be_ended(editor: TestClient) -> None:
    answer = editor.post("/silences/end", data={**FORM, "id": 7})
    assert (answer.status_code, "no silence 7" in answer.text) == (409, True)
