"""What the tasks have in common: how errors end them, when they stop by themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from faultline.errors import PermanentError, Superseded, TransientError


class Watch:
    """Stands for AlertWatch, because a lost lease and a broken database cannot be had on demand within a poke."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def evaluate(self) -> None:
        if self._error:
            raise self._error


@pytest.mark.parametrize(
    ("error", "ends"),
    [(None, False), (TransientError("database is away"), False), (Superseded("someone else holds it"), True)],
    ids=["all is well", "database away", "lease lost"],
)
def test_a_sensor_ends_only_when_superseded_or_out_of_time(error: Exception | None, ends: bool) -> None:
    from faultline_airflow import AlertSensor

    sensor = AlertSensor(task_id="alert_sensor")
    sensor._watch = Watch(error)
    sensor._stop = lambda: False
    assert sensor.poke({}) is ends


def test_a_sensor_out_of_time_ends_successfully() -> None:
    from faultline_airflow import AlertSensor

    sensor = AlertSensor(task_id="alert_sensor")
    sensor._watch = Watch(None)
    assert sensor.poke({}) is True


def test_a_permanent_error_fails_a_task_without_retries_and_says_why() -> None:
    from airflow.sdk.exceptions import AirflowFailException
    from faultline_airflow import decisions

    with pytest.raises(AirflowFailException, match="topic is gone"), decisions():
        raise PermanentError("the topic is gone")


@pytest.mark.parametrize("error", [TransientError("away"), Superseded("slower")])
def test_other_errors_are_left_to_the_tasks_retries(error: Exception) -> None:
    from faultline_airflow import decisions

    with pytest.raises(type(error)), decisions():
        raise error


HANGS = """
import threading
from datetime import timedelta
from faultline_airflow import watchdog
with watchdog(timedelta(hours=1)) as step:
    step("written")
with watchdog(timedelta(seconds=0.1)):
    threading.Event().wait()
"""


def test_a_task_that_hangs_ends_and_says_where() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, env=env, timeout=60)
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
    assert '"<string>", line 8' in ended.stderr


def test_a_continuous_task_stops_when_its_budget_is_used_up() -> None:
    from faultline_airflow import until_budget_or_orphaned

    assert until_budget_or_orphaned(timedelta(0))()
    assert not until_budget_or_orphaned(timedelta(hours=1))()


def test_a_continuous_task_stops_when_its_supervisor_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    from faultline_airflow import until_budget_or_orphaned

    stop = until_budget_or_orphaned(timedelta(hours=1))
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert stop()


def test_the_credentials_of_a_channel_come_from_an_airflow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from faultline_airflow import connection

    robot = {"conn_type": "generic", "password": "https://a.example/robot", "extra": {"secret": "SECabc"}}
    monkeypatch.setenv("AIRFLOW_CONN_ROBOT", json.dumps(robot))
    assert connection("robot") == {"password": "https://a.example/robot", "secret": "SECabc"}


def test_a_connection_that_airflow_does_not_give_is_worth_another_try(airflow_database: None) -> None:
    from faultline_airflow import connection

    with pytest.raises(TransientError, match="no connection nobody"):
        connection("nobody")
