"""What people configure in Airflow: what overrides what, and what becomes of faults."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.errors import ConfigurationError, PermanentError, Superseded, TransientError
from faultline.settings import Settings
from faultline.yaml_files import Document
from tests.dags.conftest import in_task

RULES = """
groups:
- name: shop
  rules:
  - {alert: ALERT, topics: [from-file], matchers: ['service="db"'], num_events: 5, timeframe: 1h}
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""


@pytest.fixture
def files(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment and the files, which Variables override."""
    (tmp_path / "rules.yaml").write_text(RULES.replace("ALERT", "FromFile"))
    (tmp_path / "topics.yaml").write_text("topics: [{name: from-file}]")
    (tmp_path / "others.yaml").write_text("topics: [{name: from-form}]")
    for name in ("rules", "topics"):
        monkeypatch.setenv(f"FAULTLINE_{name.upper()}_FILE", str(tmp_path / f"{name}.yaml"))
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", database_url)
    monkeypatch.setenv("FAULTLINE_TASK_BUDGET", "2s")
    with Database(database_url) as database:
        database.migrate()
    return tmp_path


@pytest.fixture
def variable(airflow_database: None, files: Path) -> Iterator[Callable[[str, str], None]]:
    """Sets a Variable of ours, as the UI does."""
    from airflow.models import Variable

    yield lambda name, text: Variable.set(f"faultline_{name}", text)
    for name in ("settings", "rules", "topics"):
        Variable.delete(f"faultline_{name}")
        Variable.delete(f"faultline_{name}_last_good")


def settings(**form: Any) -> Settings:
    from faultline_configuration import settings

    return in_task(lambda: settings(form))


def topics_of(config: Settings) -> str:
    return config.document("topics").text


def test_a_variable_overrides_a_file_and_a_form_overrides_both(
    variable: Callable[[str, str], None], files: Path
) -> None:
    assert "from-file" in topics_of(settings())
    variable("topics", '{"topics": [{"name": "from-variable"}]}')
    assert "from-variable" in topics_of(settings())
    assert "from-form" in topics_of(settings(topics_file=str(files / "others.yaml")))
    variable("settings", "task_budget: 3s")
    assert settings().task_budget.total_seconds() == 3
    assert settings(task_budget="4s").task_budget.total_seconds() == 4


@pytest.mark.parametrize(
    ("name", "good", "bad", "fault"),
    [
        (
            "topics",
            "topics: [{name: good}]",
            "topics:\n- {name: good}\n- {name: new, forma: json}",
            "Variable faultline_topics:3: unknown field 'forma'; did you mean 'format'?",
        ),
        (
            "rules",
            RULES.replace("ALERT", "Good"),
            RULES.replace("num_events", "num_event"),
            "Variable faultline_rules:5: unknown field 'num_event'; did you mean 'num_events'?",
        ),
        (
            "settings",
            "count_batch_rows: 7",
            "{count_batch_rows: none}",
            "Variable faultline_settings:1: count_batch_rows: Input should be a valid integer",
        ),
    ],
    ids=["topics", "rules", "settings"],
)
def test_a_faulty_variable_changes_nothing_and_the_operators_are_told_once(
    variable: Callable[[str, str], None],
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    name: str,
    good: str,
    bad: str,
    fault: str,
) -> None:
    variable(name, good)
    before = settings()
    variable(name, bad)
    for _ in range(2):
        after = settings()
        assert after == before
        assert [after.document(kind).text for kind in ("rules", "topics")] == [
            before.document(kind).text for kind in ("rules", "topics")
        ]
    assert fault in caplog.text
    with Database(database_url) as database:
        [told] = [each.notification for each in database.recent_notifications()]
    assert told.alert.alert.rule == "ConfigurationFaulty"
    assert fault in told.alert.annotations["summary"]


def test_a_variable_that_was_never_good_leaves_the_file_in_force(
    variable: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    variable("topics", "topics: [")
    assert "from-file" in topics_of(settings())
    assert "Variable faultline_topics is faulty, what it would override stays in force." in caplog.text


def test_a_page_has_the_settings_of_tasks_and_only_looks(
    variable: Callable[[str, str], None], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models import Variable
    from faultline_configuration import settings_to_look_at

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # as Airflow's API server sets it
    variable("settings", "count_batch_rows: 7")
    variable("topics", "topics: [{name: from-variable}]")
    assert settings_to_look_at().count_batch_rows == 7
    assert Variable.get("faultline_settings_last_good", default_var=None) is None
    assert settings().count_batch_rows == 7
    variable("settings", "{count_batch_rows: none}")
    seen = settings_to_look_at()
    assert (seen.count_batch_rows, seen.document("topics").source) == (7, "Variable faultline_topics")
    assert "from-variable" in topics_of(seen)
    assert "FromFile" in seen.document("rules").text
    with Database(database_url) as database:
        assert database.recent_notifications() == []


def stored() -> str | None:
    """The Variable of the rules in Airflow's database."""
    from airflow.models import Variable

    text: str | None = Variable.get("faultline_rules", default_var=None)
    return text


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is Airflow's API server."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")


def test_rules_are_saved_over_the_file_and_over_a_variable(
    variable: Callable[[str, str], None], files: Path, server: None
) -> None:
    from faultline_configuration import save_rules, settings_to_look_at

    first, second = RULES.replace("ALERT", "First"), RULES.replace("ALERT", "Second")
    for text in (first, second):
        saved = save_rules(text, settings_to_look_at().document("rules").hash)
        assert (saved.text, saved.source) == (text, "Variable faultline_rules")
        assert settings_to_look_at().document("rules") == saved
    assert stored() == second
    assert "Second" in settings().document("rules").text


def test_without_any_rules_the_first_ones_are_saved(
    variable: Callable[[str, str], None], files: Path, server: None
) -> None:
    from faultline_configuration import save_rules

    (files / "rules.yaml").unlink()
    assert save_rules(RULES, Document("", "").hash).text == stored() == RULES


@pytest.mark.parametrize("now", ["file", "variable"])
def test_rules_are_not_saved_over_what_came_in_between(
    variable: Callable[[str, str], None], files: Path, server: None, now: str
) -> None:
    from faultline_configuration import save_rules, settings_to_look_at

    began, other = settings_to_look_at().document("rules").hash, RULES.replace("ALERT", "Other")
    if now == "file":
        (files / "rules.yaml").write_text(other)
    else:
        variable("rules", other)
    with pytest.raises(Superseded, match="changed meanwhile"):
        save_rules(RULES, began)
    assert stored() == (None if now == "file" else other)


@pytest.mark.parametrize("moment", ["before it is looked up", "before it is written"])
def test_of_two_who_save_the_first_rules_at_once_one_does(
    variable: Callable[[str, str], None], files: Path, server: None, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    import faultline_configuration
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    other, look = RULES.replace("ALERT", "Other"), faultline_configuration.settings_to_look_at

    def overtake(*_: object) -> None:
        with sqlite3.connect(os.environ["AIRFLOW_HOME"] + "/airflow.db") as airflow:
            airflow.execute("INSERT INTO variable (key, val, is_encrypted) VALUES ('faultline_rules', ?, 0)", [other])

    def look_and_be_overtaken() -> Settings:
        seen = look()
        overtake()
        return seen

    began = look().document("rules").hash
    if moment == "before it is written":
        event.listen(Session, "before_flush", overtake, once=True)
    else:
        monkeypatch.setattr(faultline_configuration, "settings_to_look_at", look_and_be_overtaken)
    with pytest.raises(Superseded, match="changed meanwhile"):
        faultline_configuration.save_rules(RULES, began)
    assert stored() == other


def test_rules_of_a_secrets_backend_are_not_saved_where_nobody_would_read_them(
    variable: Callable[[str, str], None], server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultline_configuration import save_rules

    monkeypatch.setenv("AIRFLOW_VAR_FAULTLINE_RULES", RULES)
    with pytest.raises(PermanentError, match="a secrets backend has the Variable faultline_rules and comes first"):
        save_rules(RULES.replace("ALERT", "Other"), Document("", RULES).hash)
    monkeypatch.delenv("AIRFLOW_VAR_FAULTLINE_RULES")
    assert stored() is None


def test_a_faulty_form_is_an_error(files: Path) -> None:
    from faultline_configuration import settings

    with pytest.raises(ConfigurationError, match="Params:1: unknown field 'task_budgets'"):
        settings({"task_budgets": "1s"})


def until(said: Callable[[], bool]) -> None:
    """Wait for it; a test that waits in vain ends by its time limit."""
    while not said():
        time.sleep(0.05)


def test_rules_are_followed_while_a_task_runs_and_settings_end_it(variable: Callable[[str, str], None]) -> None:
    from faultline_configuration import LiveVariables

    def follow() -> bool:
        with LiveVariables(Settings()) as live:
            assert "FromFile" in live.document("rules").text
            variable("rules", RULES.replace("ALERT", "FromVariable"))
            until(lambda: "FromVariable" in live.document("rules").text)
            variable("rules", "groups: [")
            until(lambda: live.document("rules").text == "groups: [")
            assert live.document("rules").source == "Variable faultline_rules"
            assert not live.restart_needed()
            variable("topics", "topics: [{name: new}]")
            until(live.restart_needed)
            return True

    assert in_task(follow)


def test_while_airflow_does_not_answer_variables_are_as_they_were(
    files: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk import Variable
    from faultline_configuration import LiveVariables, read_variable

    monkeypatch.setenv("AIRFLOW_VAR_FAULTLINE_TOPICS", "topics: [{name: from-variable}]")
    with LiveVariables(Settings()) as live:
        monkeypatch.setattr(Variable, "get", lambda *_, **__: None)
        monkeypatch.setattr(Variable, "keys", lambda prefix: [prefix])
        with pytest.raises(TransientError, match="does not give the Variable faultline_topics, which there is"):
            read_variable("faultline_topics")
        until(lambda: bool(live.document("topics")) and "as they were" in caplog.text)
        assert "from-variable" in live.document("topics").text


def test_a_run_of_watch_errors_evaluates_by_the_variables_and_remembers_them(
    variable: Callable[[str, str], None], kafka: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watch_errors import watch_errors_dag

    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    variable("rules", RULES.replace("ALERT", "First"))
    variable("settings", '{"kafka_properties": {"sasl.password": "hunter2"}, "task_budget": "1s"}')
    assert watch_errors_dag.test().state == "success"
    variable("rules", RULES.replace("ALERT", "Second"))
    for _ in range(2):
        assert watch_errors_dag.test().state == "success"
    with Database(database_url) as database:
        second, first = database.configuration_changes("rules")
        [set_up] = database.configuration_changes("settings")
    assert first.source == second.source == "Variable faultline_rules"
    assert [line[:14] for line in second.diff.splitlines() if "alert:" in line] == ["-  - {alert: F", "+  - {alert: S"]
    assert first.before == ""
    assert "hunter2" not in set_up.text
    assert '"sasl.password": "***"' in set_up.text
    assert second.by is None


def test_beside_a_rules_variable_that_was_never_good_the_file_is_evaluated(
    variable: Callable[[str, str], None], kafka: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watch_errors import watch_errors_dag

    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    variable("rules", RULES.replace("num_events", "num_event"))
    with Database(database_url) as database:
        assert watch_errors_dag.test().state == "success"
        assert "Variable faultline_rules:5: unknown field 'num_event'; did you mean 'num_events'?" in [
            str(fault) for fault in database.rule_faults()
        ]
        assert list(database.watched_rules()) == ["FromFile"]
        assert len(database.recent_notifications()) == 1  # both tasks have seen the fault
