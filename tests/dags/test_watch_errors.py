"""The continuous DAG, run once in this process on a real Kafka and PostgreSQL."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from tests.dags.assets import events

RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, topics: [TOPIC], matchers: ['service="db"'], num_events: 5, timeframe: 1h}
  - {alert: CheckoutFailed, topics: [TOPIC], matchers: ['service="checkout"'], num_events: 5, timeframe: 1h}
chains:
- {name: outage, path: [DbDown, CheckoutFailed]}
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""


@pytest.fixture
def topic(kafka: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic, and an environment in which watch_errors counts it for two seconds."""
    name = f"watch-{uuid.uuid4().hex[:8]}"
    (tmp_path / "rules.yaml").write_text(RULES.replace("TOPIC", name))
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {name}}}]")
    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("FAULTLINE_TOPICS_FILE", str(tmp_path / "topics.yaml"))
    monkeypatch.setenv("FAULTLINE_TASK_BUDGET", "2s")
    return name


@pytest.mark.usefixtures("airflow_database")
def test_a_run_counts_what_is_new_and_pages_only_for_the_cause(topic: str, kafka: str, postgres_url: str) -> None:
    from watch_errors import watch_errors_dag

    producer = Producer({"bootstrap.servers": kafka})
    for number in range(20):
        record = {"service": ("db", "checkout")[number % 2], "level": "ERROR", "message": f"call {number} failed"}
        producer.produce(topic, json.dumps(record).encode())
    producer.flush()
    with Database(postgres_url) as database:
        database.migrate()
        # One after the other in this process, in either order: the second run's sensor sees what the first one counted.
        assert [watch_errors_dag.test().state for _ in range(2)] == ["success", "success"]
        assert database.totals() == {topic: 20}
        assert {alert.key.rule: alert.state for alert in database.alerts()} == {
            "DbDown": "firing",
            "CheckoutFailed": "suppressed",
        }
        [sent] = [each for each in database.recent_notifications() if each.state == OutboxState.DELIVERED]
        assert sent.notification.kind == "firing"


@pytest.mark.usefixtures("airflow_database")
def test_each_hour_that_is_settled_is_told_of_once(topic: str, kafka: str, postgres_url: str) -> None:
    from watch_errors import watch_errors_dag

    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b'{"level": "ERROR"}')
    producer.flush()
    with Database(postgres_url) as database:
        database.migrate()
    assert [watch_errors_dag.test().state for _ in range(3)] == ["success"] * 3
    hours = [hour for each in events("faultline://counts/settled") for hour in each["hours"]]
    assert 0 < len(set(hours)) == len(hours)


@pytest.mark.usefixtures("airflow_database", "topic")
def test_a_task_that_fails_for_good_is_told_to_the_operators_once_an_hour(postgres_url: str) -> None:
    from watch_errors import watch_errors_dag

    with Database(postgres_url) as database:
        database.migrate()
        for _ in range(2):
            assert watch_errors_dag.test(run_conf={"settings": {"task_budgets": "1s"}}).state == "failed"
        told = [each.notification for each in database.recent_notifications()]
        labels = [dict(each.alert.labels) for each in told]
        assert sorted(each["task"] for each in labels) == ["alert_sensor", "count_errors"]
        assert {each.alert.alert.rule for each in told} == {"TaskFailed"}
        for each in told:
            assert "did you mean 'task_budget'?" in each.alert.annotations["summary"]


@pytest.mark.usefixtures("airflow_database", "topic")
def test_a_failure_that_nobody_can_be_told_of_fails_no_differently(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from watch_errors import watch_errors_dag

    monkeypatch.setenv("FAULTLINE_DATABASE_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
    assert watch_errors_dag.test(run_conf={"settings": {"task_budgets": "1s"}}).state == "failed"
    assert "nobody could be told that watch_errors.count_errors has failed in run" in caplog.text
