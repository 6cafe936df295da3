"""``faultline backtest`` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from faultline.adapters.database import Database
from faultline.cli import app
from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append

RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"'], query_key: [environment], num_events: 5, timeframe: 1m}
  - {alert: CheckoutFailed, matchers: ['service="checkout"'], query_key: [environment], num_events: 5, timeframe: 1m}
route: {receiver: ops}
receivers: [{name: ops}]
"""
CHAINED = RULES + "chains: [{name: db, path: [DbDown, CheckoutFailed], equal: [environment]}]"
PERIOD = ("--since", "2026-11-22T12:00", "--until", "2026-11-22T14:00")


def failures(service: str, minute: int) -> Iterator[bytes]:
    """Ten in half a minute."""
    for number in range(10):
        at = NOON + timedelta(minutes=minute, seconds=3 * number)
        record = {"service": service, "environment": "prod", "level": "ERROR", "message": "failed \x1b[2J"}
        yield json.dumps({"@timestamp": at.isoformat(), **record}).encode()


@pytest.fixture(autouse=True)
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive: twice checkout fails, once because of its database. Rules in force, and new ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "new.yaml").write_text(CHAINED)
    values = [*failures("db", 10), *failures("checkout", 10), *failures("checkout", 90), *failures("cron", 115)]
    append(str(tmp_path / "archive"), raw_table(values), "app-logs")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ("backtest", *arguments))


def test_it_says_what_new_rules_change() -> None:
    result = run(*PERIOD, "--rules", "new.yaml")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["DbDown", "1", "1", "1", "1", "0", "0"] in lines
    assert ["CheckoutFailed", "2", "1", "-1", "2", "2", "0", "1"] in lines
    assert ["all", "3", "2", "-1"] in lines
    assert ["DbDown", "CheckoutFailed", "0", "1"] in lines
    assert "without a page of a cause, after (0 before): 1\n" in result.stdout
    assert 'CheckoutFailed{environment="prod"}, 10 records; no alert of DbDown explains it' in result.stdout
    assert "Alerts that somebody is told of only after: 0\n" in result.stdout
    assert "Alerts that nobody is told of any more: 1\n" in result.stdout
    assert '10 records; after: suppressed by DbDown{environment="prod"}' in result.stdout


def test_programs_read_json() -> None:
    found = json.loads(run(*PERIOD, "--rules", "new.yaml", "--format", "json").stdout)
    assert (found["since"], found["until"]) == ("2026-11-22T12:10:00+00:00", "2026-11-22T13:55:30+00:00")
    assert found["records"] == 40
    assert found["suppressed"] == [{"root": "DbDown", "effect": "CheckoutFailed", "before": 0, "after": 1}]
    assert found["rules"][1]["after"] == {"pages": 1, "alerts": 2, "suppressed": 1}
    [page] = found["unexplained"]
    assert page["alert"] == {"rule": "CheckoutFailed", "labels": {"environment": "prod"}}
    assert (found["new"], len(found["gone"])) == ([], 1)


def test_any_two_files_can_be_compared() -> None:
    result = run(*PERIOD, "--rules", "rules.yaml", "--against", "new.yaml", "--topic", "app-logs")
    assert result.exit_code == 0
    assert "before: new.yaml, version " in result.stdout
    assert "before: suppressed by DbDown" in result.stdout


def test_a_rules_file_with_a_fault_is_named_with_its_line(archived: Path) -> None:
    (archived / "new.yaml").write_text(CHAINED.replace("num_events", "num_event", 1))
    result = run(*PERIOD, "--rules", "new.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("new.yaml:5: ")
    assert "unknown field 'num_event'" in result.stderr


def test_in_force_is_the_last_good_version_while_the_file_is_faulty(archived: Path) -> None:
    with Database("sqlite:///faultline.db") as database:
        database.migrate()
        database.record_rules("rules.yaml", RULES, "version-1", (), NOON)
    (archived / "rules.yaml").write_text("groups: 5")
    result = run(*PERIOD, "--rules", "new.yaml")
    assert (result.exit_code, "Alerts that nobody is told of any more: 1" in result.stdout) == (0, True)


def test_without_a_database_the_faults_of_the_rules_in_force_are_said(archived: Path) -> None:
    (archived / "rules.yaml").write_text("groups: 5")
    result = run(*PERIOD, "--rules", "new.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("rules.yaml:1: groups: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--since", "2020-01-01", "--until", "2020-01-02"), 1, "has no records from 2020-01-01 00:00:00"),
        (("--since", "soon"), 2, "not a time: 'soon'"),
        (("--since", "1h", "--until", "2h"), 2, "nothing lies between"),
        (("--topic", "app-log"), 1, "not an archived topic of topics.yaml: app-log"),
    ],
    ids=["empty period", "no time", "backwards", "no such topic"],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run("--rules", "new.yaml", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in " ".join(result.stderr.split())


def test_an_archive_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", "hdfs://127.0.0.1:1/archive")
    result = run(*PERIOD, "--rules", "new.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("TransientError: opening hdfs://127.0.0.1:1/archive/app-logs")


def test_without_an_archive_that_is_said(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(archived / "nothing"))
    result = run(*PERIOD, "--rules", "new.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("TableMissing: nothing is archived yet at")
