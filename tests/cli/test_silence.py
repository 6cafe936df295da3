"""silence add, list and expire: what a person at a terminal sees of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from typer.testing import CliRunner

from faultline.adapters.database import Database
from faultline.cli import app
from faultline.cli.silence import MOST
from faultline.model import AlertKey, AlertState, Labels
from tests.contracts.values import alert, evaluation

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
RULES = """
groups: []
route: {receiver: ops}
receivers: [{name: ops}]
silences: [{matchers: ['environment="test"'], starts_at: 2026-01-05T08:00:00Z, ends_at: 2027-01-05T18:00:00Z}]
"""


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database of the settings, an hour after noon: DbDown fires, CheckoutFailed is over."""
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'faultline.db'}")
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("LOGNAME", "alice")
    monkeypatch.setenv("COLUMNS", "200")
    with Database(f"sqlite:///{tmp_path / 'faultline.db'}") as opened, time_machine.travel(NOW, tick=False):
        opened.migrate()
        over = alert(AlertState.RESOLVED, rule="CheckoutFailed")
        firing = replace(alert(), labels=Labels(alertname="DbDown", environment="prod"))
        opened.record_evaluation(opened.acquire_lease("alerts", "test"), evaluation(alerts=(firing, over)))
        yield opened


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["silence", *arguments])
    return result.exit_code, result.output


ADDED = """\
Silence 1, active: alertname="DbDown", environment=~"prod|test"
  from 2026-11-22 13:00:00 until 2026-11-22 15:00:00 UTC, by alice: new \\x1b[2J disks
  matches 1 alert now:
    DbDown{environment="prod"}: firing, since 2026-11-22 12:00:00
"""
IN_RULES = """\
Silence of the rules file, active: environment="test"
  from 2026-01-05 08:00:00 until 2027-01-05 18:00:00 UTC
  matches no alerts now
"""


def test_a_silence_says_whom_it_matches_and_is_listed_beside_those_of_the_rules(database: Database) -> None:
    code, said = run("add", "alertname=DbDown", 'environment=~"prod|test"', "--comment", "new \x1b[2J disks")
    assert code == 0
    assert said == ADDED + "It is kept from the next evaluation on; end it with faultline silence expire 1\n"
    assert run("list") == (0, IN_RULES + ADDED)


@pytest.mark.parametrize(
    ("options", "start", "end"),
    [
        ([], "13:00", "15:00"),
        (["--for", "1h30m"], "13:00", "14:30"),
        (["--until", "2026-11-22T18:00"], "13:00", "18:00"),
        (["--until", "2026-11-22T18:00+02:00"], "13:00", "16:00"),
        (["--start", "2026-11-22T20:00", "--for", "10m"], "20:00", "20:10"),
        (["--start", "2026-11-22T12:00", "--until", "2026-11-22T13:01"], "12:00", "13:01"),
    ],
)
def test_times_are_as_the_options_say(database: Database, options: list[str], start: str, end: str) -> None:
    assert run("add", "a=b", "--comment", "x", *options)[0] == 0
    [found] = database.silences()
    assert (f"{found.silence.starts_at:%H:%M}", f"{found.silence.ends_at:%H:%M}") == (start, end)


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        (["a b", 'c=~"("', "--comment", " "], ["not a matcher: 'a b'", "not a regular expression", "needs a comment"]),
        (["a=b", "--comment", "x", "--for", "1"], ["not a duration: '1'"]),
        (["a=b", "--comment", "x", "--for", "0"], ["over at once"]),
        (["a=b", "--comment", "x", "--until", "noon"], ["not a time: 'noon'"]),
        (["a=b", "--comment", "x", "--until", "2026-11-22T12:59"], ["now it is 2026-11-22 13:00:00 (UTC)"]),
        (["a=b", "--comment", "x", "--start", "2027-01-01", "--until", "2026-12-01"], ["over at once"]),
        (["a=b", "--comment", "x", "--start", "9999-12-31T23:00"], ["no time any more"]),
        (["a=b", "--comment", "x", "--for", "1h", "--until", "2027-01-01"], ["give one of them"]),
        (["a=b"], ["--comment"]),
    ],
    ids=["all faults", "duration", "no time", "time", "past", "backwards", "too late", "two ends", "no comment"],
)
def test_a_silence_with_a_fault_is_not_stored(database: Database, arguments: list[str], faults: list[str]) -> None:
    code, said = run("add", *arguments)
    assert code == 2
    assert [fault for fault in faults if fault not in said] == []
    assert database.silences() == []


def test_who_sets_it_may_be_named_and_bytes_that_are_no_text_are_replaced(database: Database) -> None:
    assert run("add", "a=\udcff", "--comment", "x\udcff", "--author", "bob")[0] == 0
    [found] = database.silences()
    assert (found.silence.created_by, found.silence.comment, found.silence.matchers) == ("bob", "x?", ('a="?"',))


def test_a_user_without_a_name_is_a_number(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert run("add", "a=b", "--comment", "x")[0] == 0
    assert database.silences()[0].silence.created_by.startswith("uid ")


def test_expire_ends_it_now_and_again_does_no_harm(database: Database) -> None:
    run("add", "a=b", "--comment", "x")
    run("add", "a=b", "--comment", "y")
    assert run("expire", "1") == (0, "Silence 1 is over.\n")
    assert run("expire", "1", "2") == (0, "Silence 1 was over already.\nSilence 2 is over.\n")
    assert run("list") == (0, IN_RULES)
    assert "Silence 2, expired" in run("list", "--all")[1]


def test_expire_of_an_unknown_number_ends_none_and_says_where_they_are(database: Database) -> None:
    run("add", "a=b", "--comment", "x")
    code, said = run("expire", "1", "7")
    assert (code, "no silence 7; faultline silence list --all" in said) == (1, True)
    assert "Silence 1, active" in run("list")[1]


def test_for_programs_the_list_is_json(database: Database) -> None:
    run("add", "alertname=DbDown", "--comment", "\x1b[2J", "--start", "2026-11-22T14:00")
    code, said = run("list", "--format", "json")
    in_rules, added = json.loads(said)
    assert code == 0
    assert (in_rules["id"], in_rules["state"]) == (None, "active")
    assert added == {
        "id": 1,
        "state": "pending",
        "matchers": ['alertname="DbDown"'],
        "starts_at": "2026-11-22T14:00:00Z",
        "ends_at": "2026-11-22T16:00:00Z",
        "created_by": "alice",
        "comment": "\x1b[2J",
        "alerts": ['DbDown{environment="prod"}'],
    }


def test_without_rules_those_of_the_database_are_listed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_RULES_FILE", "/nowhere/rules.yaml")
    assert run("list") == (0, "Nothing is silenced.\n")
    run("add", "a=b", "--comment", "x")
    assert run("list")[1].startswith("Silence 1, active")


def test_of_many_alerts_that_match_the_first_are_printed(database: Database) -> None:
    many = tuple(replace(alert(), key=AlertKey("Many", Labels(host=f"{number:03}"))) for number in range(MOST + 5))
    database.record_evaluation(database.acquire_lease("alerts", "test"), evaluation(alerts=many))
    said = run("add", "environment=prod", "alertname!=DbDown", "--comment", "x")[1]
    assert f"matches {MOST + 5} alerts now:" in said
    assert said.count("Many{host=") == MOST
    assert "    … 5 more, see --format json" in said
