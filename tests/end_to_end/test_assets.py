"""A user's DAG on a running Airflow runs because something was archived; Connections say where the servers are."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from sqlalchemy import make_url

from dev.airflow import Airflow
from dev.airflow_api import AirflowApi
from dev.paths import ROOT
from dev.ports import free_ports
from faultline.adapters.database import Database
from tests.installed import installed
from tests.servers import AirflowUi, AirflowWorkers, PostgresServer, running

DAGS = ("archive_logs", "hourly_report")


@pytest.fixture
def topic(kafka: str) -> str:
    """A topic with thirty records of now."""
    name = f"assets-{uuid.uuid4().hex[:8]}"
    producer = Producer({"bootstrap.servers": kafka})
    for _ in range(30):
        producer.produce(name, b'{"service": "shop", "level": "INFO"}')
    assert producer.flush(20) == 0
    return name


@pytest.fixture
def airflow(tmp_path: Path, postgres_server: PostgresServer, postgres_url: str, topic: str) -> Iterator[AirflowApi]:
    """An Airflow with the two DAGs, and no word of Kafka and the alert database in its environment."""
    (tmp_path / "dags").mkdir()
    shutil.copy(ROOT / "dags" / "archive_logs.py", tmp_path / "dags")
    example = (ROOT / "examples" / "dags" / "hourly_report.py").read_text()
    (tmp_path / "dags" / "hourly_report.py").write_text(example.replace('TOPIC = "app-logs"', f'TOPIC = "{topic}"'))
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {topic}}}]")
    with Database(postgres_url) as database:
        database.migrate()
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "PYTHONPATH": os.pathsep.join([str(installed(tmp_path / "package")), str(ROOT / "include")]),
        "FAULTLINE_ARCHIVE_URL": str(tmp_path / "archive"),
        "FAULTLINE_TOPICS_FILE": str(tmp_path / "topics.yaml"),
        "FAULTLINE_ARCHIVE_SCHEDULE": "0 0 1 1 *",  # only by hand
    }
    spec = Airflow(
        tmp_path / "airflow",
        free_ports(),
        postgres_server.spec.create_database(f"airflow_{uuid.uuid4().hex[:8]}"),
        environment,
    )
    with running(AirflowUi(spec)), running(AirflowWorkers(spec)), spec.api() as api:
        wait_for(lambda: {each["dag_id"] for each in api.dags()} == set(DAGS), "the DAGs")
        for dag in DAGS:
            api.pause(dag, paused=False)
        yield api


def wait_for(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 240
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def archived(api: AirflowApi) -> str:
    """The state of a run of archive_logs, by hand."""
    run = api.trigger("archive_logs")
    wait_for(lambda: api.run("archive_logs", run)["state"] in ("success", "failed"), "archive_logs")
    return str(api.run("archive_logs", run)["state"])


@pytest.mark.timeout(900)
def test_a_users_dag_runs_once_for_what_was_archived_by_way_of_connections(
    airflow: AirflowApi, kafka: str, postgres_url: str
) -> None:
    usual = ("faultline_kafka", "faultline_kafka")
    assert airflow.test_connection(*usual, host=kafka) == (True, "Kafka answers: 1 brokers")
    works, said = airflow.test_connection(*usual, host="127.0.0.1:1", password="hunter2")
    assert (works, "127.0.0.1:1" in said, "hunter2" in said) == (False, True, False)
    airflow.add_connection(*usual, host=kafka)
    url = make_url(postgres_url)
    assert url.password
    login = {"host": url.host, "port": url.port, "schema": url.database, "login": url.username}
    airflow.add_connection("faultline_database", "faultline_database", **login, password=url.password)
    assert "Nothing fires" in airflow.page("now")

    assert archived(airflow) == "success"
    wait_for(lambda: any(run["state"] == "success" for run in airflow.runs("hourly_report")), "hourly_report")
    assert archived(airflow) == "success"
    time.sleep(5)
    [run] = airflow.runs("hourly_report")
    assert run["run_type"] == "asset_triggered"
    report = airflow.returned("hourly_report", run["dag_run_id"], "report")
    assert sum(report.values()) == 30
