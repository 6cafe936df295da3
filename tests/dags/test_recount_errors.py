"""recount_errors, run in this process on a real PostgreSQL and an archive in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.alerting.counts import count_events
from faultline.errors import TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig
from tests.archive.search.brute import append

RULES = """
groups: [{name: shop, rules: [{alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m}]}]
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""
FORM = {"topics": [], "since": None, "until": None, "alerts_mode": "report", "settings": {}}
HOUR = timedelta(hours=1)


def record(second: int) -> bytes:
    at = NOON + timedelta(seconds=second)
    return json.dumps({"@timestamp": at.isoformat(), "service": "db", "level": "ERROR"}).encode()


@pytest.fixture
def database(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Thirty errors are archived, of which twenty are counted live."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("FAULTLINE_TOPICS_FILE", str(tmp_path / "topics.yaml"))
    monkeypatch.setenv("FAULTLINE_COUNT_RETENTION", "10y")
    topic, partition = TopicConfig(name="app-logs"), TopicPartition("app-logs", "generation-1", 0)
    raw = raw_table([record(second) for second in range(30)])
    append(str(tmp_path / "archive"), raw, topic.name)
    events = decode(raw.slice(0, 20), topic, event_time_span=HOUR)
    with Database(postgres_url) as opened:
        opened.migrate()
        counts = count_events(events, topic, bucket=timedelta(seconds=10))
        opened.record_counts([OffsetRange(partition, 0, 30)], counts)
        yield opened


def run(**conf: Any) -> Any:
    from recount_errors import recount_errors_dag

    chosen = {"since": NOON.isoformat(), "until": (NOON + HOUR).isoformat()}
    return recount_errors_dag.test(run_conf=FORM | chosen | conf, logical_date=datetime.now(UTC))


def returned(dag_run: Any, task: str) -> Any:
    return dag_run.get_task_instance(task).xcom_pull(task_ids=task)


@pytest.mark.usefixtures("airflow_database")
def test_a_run_returns_what_differs_and_what_would_have_been_sent(database: Database) -> None:
    first, second = run(), run()
    assert (first.state, second.state) == ("success", "success")
    compared, replayed = returned(second, "compare"), returned(second, "replay")
    assert (compared["archived"], compared["live"], compared["missing"], compared["different"]) == (30, 20, 10, 1)
    assert compared["differences"][0]["bucket"] == "2026-11-22T12:00:20+00:00"
    assert [(page["alert"], page["live"]) for page in replayed["pages"]] == [("DbDown", "not seen")]
    assert returned(first, "compare") == compared
    assert (replayed["sent"], database.recent_notifications()) == (0, [])


@pytest.mark.usefixtures("airflow_database")
def test_it_sends_only_when_forced_and_once(database: Database) -> None:
    assert [run(alerts_mode="force").state, run(alerts_mode="force").state] == ["success", "success"]
    [message] = database.recent_notifications()
    assert (message.notification.receiver, str(message.notification.alert.alert)) == ("ops", "DbDown")


@pytest.mark.usefixtures("airflow_database")
def test_a_form_that_names_no_mode_that_there_is_fails(database: Database) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match="alerts_mode"):
        run(alerts_mode="loud")


@pytest.mark.usefixtures("airflow_database")
def test_a_run_takes_the_hours_that_were_closed_in_its_interval(database: Database) -> None:
    compare = task("compare")
    found = compare(FORM, NOON + HOUR / 2, NOON + 1.5 * HOUR)
    assert (found["since"], found["until"]) == (NOON.isoformat(), (NOON + HOUR).isoformat())
    assert compare(FORM, NOON - 2.5 * HOUR, NOON + 3.5 * HOUR)["archived"] == 30


@pytest.mark.usefixtures("airflow_database")
def test_an_archive_that_is_behind_is_left_to_the_retries(database: Database) -> None:
    events = decode(raw_table([record(50)], start=30), TopicConfig(name="app-logs"), event_time_span=HOUR)
    counts = count_events(events, TopicConfig(name="app-logs"), bucket=timedelta(seconds=10))
    database.record_counts([OffsetRange(TopicPartition("app-logs", "generation-1", 0), 30, 31)], counts)
    with pytest.raises(TransientError, match="counted up to offset 31 and archived up to 30"):
        task("compare")(FORM, NOON + HOUR / 2, NOON + 1.5 * HOUR)


def task(name: str) -> Any:
    from recount_errors import recount_errors_dag

    return recount_errors_dag.get_task(name).python_callable
