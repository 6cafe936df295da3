"""notify-test and outbox: what a person at a terminal sees of sending."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner

from faultline.adapters.database import Database
from faultline.cli import app
from faultline.dispatch.delivery import OutboxState
from tests.contracts.test_database_outbox import DEAD, lease, queue
from tests.contracts.values import notification

RULES = """
groups: []
route: {receiver: ops}
receivers:
- name: ops
  console_configs: [{}]
  slack_configs: [{api_url_env: SLACK_URL}]
- name: nobody
"""


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database of the settings; the rules beside it."""
    url = f"sqlite:///{tmp_path / 'faultline.db'}"
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", url)
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("COLUMNS", "200")
    with Database(url) as opened:
        opened.migrate()
    return opened


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_a_test_message_is_marked_and_every_provider_s_answer_is_printed(
    database: Database, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", httpserver.url_for("/services/T1/B1/Sesame9876543"))
    httpserver.expect_request("/services/T1/B1/Sesame9876543").respond_with_data("ok")
    code, said = run("notify-test", "ops")
    assert code == 0
    assert "This is a test message" in said
    assert "ops/console/1: delivered" in said
    assert "ops/slack/1: delivered 200" in said
    assert "test message" in str(httpserver.log[0][0].get_json())


def test_a_test_message_that_is_refused_says_why_and_shows_no_secret(
    database: Database, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", httpserver.url_for("/services/T1/B1/Sesame9876543"))
    httpserver.expect_request("/services/T1/B1/Sesame9876543").respond_with_data("no_service", status=404)
    code, said = run("notify-test", "ops")
    assert code == 1
    assert "ops/slack/1: permanent 404 no_service" in said
    assert "Sesame" not in said


def test_a_receiver_that_is_not_there_or_tells_nobody_is_a_failure(database: Database) -> None:
    code, said = run("notify-test", "opss")
    assert (code, "did you mean 'ops'?" in said) == (1, True)
    code, said = run("notify-test", "nobody")
    assert (code, "has no channels" in said) == (1, True)


def test_the_outbox_is_listed_and_its_dead_are_sent_again(database: Database) -> None:
    queue(database, notification(), notification(episode="e2"))
    (leased, _) = lease(database)
    database.record_delivery(leased, DEAD, notification().created_at)
    code, said = run("outbox", "list", "--state", "dead")
    assert code == 0
    assert "e1-ops-firing-1" in said
    assert "bad \ufffd request" in said
    assert "e2-ops-firing-1" not in said
    assert run("outbox", "retry", "--target", "ops") == (0, "1 due again.\n")
    assert run("outbox", "retry") == (1, "0 due again.\n")
    assert database.outbox_summary()[OutboxState.RETRY] == 1


def test_a_state_that_there_is_none_of_is_a_wrong_call(database: Database) -> None:
    code, said = run("outbox", "list", "--state", "lost")
    assert (code, "superseded" in said) == (2, True)
