"""The sensor while another session has the database to itself for as long as a poke waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from faultline.model import AlertState
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch
from tests.contracts.test_database_locks import locked
from tests.steps.test_alerts import RULES, TOPICS, Clock, count


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text(TOPICS)
    return Settings(database_url=database_url, rules_file=tmp_path / "rules.yaml", topics_file=tmp_path / "topics.yaml")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.database_url) as opened:
        opened.migrate()
        yield opened


def test_a_poke_through_ten_locked_seconds_loses_nothing_and_the_next_one_tells_of_it_once(
    settings: Settings, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    from faultline_airflow import AlertSensor

    sensor = AlertSensor(task_id="alert_sensor")
    sensor._stop = lambda: False
    with AlertWatch(settings, database, "test", clock=Clock()) as sensor._watch:
        assert sensor.poke({}) is False
        count(database, 5)
        began = time.monotonic()
        with locked(settings.database_url):
            assert sensor.poke({}) is False
            assert time.monotonic() - began > 9.9
        assert "Not evaluated, trying again: database: " in capsys.readouterr().out
        assert (database.alerts(), sum(database.outbox_summary().values())) == ([], 0)
        for _ in range(3):
            assert sensor.poke({}) is False
    assert [alert.state for alert in database.alerts()] == [AlertState.FIRING]
    assert {state: number for state, number in database.outbox_summary().items() if number} == {
        OutboxState.DELIVERED: 1
    }
