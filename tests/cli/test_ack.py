"""ack: what somebody at a terminal sees who takes an alert on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import time_machine
from typer.testing import CliRunner

from faultline.adapters.database import Database
from faultline.cli import app
from faultline.model import Ack, AlertState
from tests.contracts.values import NOON, alert, evaluation

FIRING = alert()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database of the settings: DbDown fires, CheckoutFailed is suppressed."""
    url = f"sqlite:///{tmp_path / 'faultline.db'}"
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", url)
    monkeypatch.setenv("LOGNAME", "alice")
    with Database(url) as opened, time_machine.travel(NOON, tick=False):
        opened.migrate()
        record(opened, evaluation(alerts=(FIRING, alert(AlertState.SUPPRESSED, rule="CheckoutFailed"))))
        yield opened


def record(database: Database, made: object) -> None:
    database.record_evaluation(database.acquire_lease("alerts", "test"), made)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["ack", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("meant", ["DbDown", 'DbDown{environment="prod"}', FIRING.episode, FIRING.key.id])
def test_an_alert_that_fires_is_taken_on(database: Database, meant: str) -> None:
    code, said = run(meant, "--comment", "on it")
    assert code == 0
    assert said == (
        'DbDown{environment="prod"} is acknowledged by alice from the next evaluation on. '
        f"Its episode: {FIRING.episode}\n"
    )
    assert database.interventions(NOON) == ([], [Ack(FIRING.episode, "alice", NOON, "on it")])


def test_who_takes_it_on_may_be_named_and_bytes_that_are_no_text_are_replaced(database: Database) -> None:
    assert run("DbDown", "--author", "bob\udcff")[0] == 0
    assert database.interventions(NOON) == ([], [Ack(FIRING.episode, "bob?", NOON)])


def test_a_second_acknowledgement_does_no_harm(database: Database) -> None:
    run("DbDown")
    code, said = run("DbDown", "--author", "bob")
    assert (code, "has been acknowledged already; the next evaluation will hear of it" in said) == (0, True)
    ack = Ack(FIRING.episode, "alice", NOON, "on \x1b[2J it")
    acked = replace(FIRING, state=AlertState.ACKED, ack=ack)
    record(database, replace(evaluation(alerts=(acked,)), acks=(ack,)))
    code, said = run("DbDown", "--author", "bob")
    assert code == 0
    assert said == (
        'DbDown{environment="prod"} was acknowledged by alice: on \\x1b[2J it (at 2026-11-22 12:00:00 UTC)\n'
    )
    assert database.interventions(NOON) == ([], [])


@pytest.mark.parametrize(
    ("meant", "code", "why"),
    [
        ("DbDwn", 1, "no alert 'DbDwn' goes on; did you mean 'DbDown'?"),
        ("CheckoutFailed", 1, "is suppressed: only what fires can be acknowledged"),
        ("DbDown{", 2, "not an alert: 'DbDown{'"),
    ],
    ids=["unknown", "suppressed", "not an alert"],
)
def test_what_cannot_be_acknowledged_says_why(database: Database, meant: str, code: int, why: str) -> None:
    exit_code, said = run(meant)
    assert (exit_code, why in said) == (code, True)
    assert database.interventions(NOON) == ([], [])
