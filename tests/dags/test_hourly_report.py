"""The example of a DAG that runs when something was archived."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faultline.testing.records import NOON, raw_table
from tests.archive.search.brute import append

HOUR = timedelta(hours=1)
LOGGED = [(0, "shop", "INFO"), (1, "shop", "ERROR"), (2, "shop", "INFO"), (3, None, "INFO"), (3601, "shop", "INFO")]


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from hourly_report import hourly_report_dag

    return hourly_report_dag


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Archives what was logged from a time on."""
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("FAULTLINE_TOPICS_FILE", str(tmp_path / "topics.yaml"))

    def from_(start: datetime) -> None:
        lines = [
            {"@timestamp": (start + timedelta(seconds=second)).isoformat(), "service": service, "level": level}
            for second, service, level in LOGGED
        ]
        append(str(tmp_path / "archive"), raw_table([json.dumps(line).encode() for line in lines]), "app-logs")

    return from_


def test_each_hour_that_events_name_is_read_whole(
    dag: Any, archive: Callable[[datetime], None], capsys: pytest.CaptureFixture[str]
) -> None:
    archive(NOON)
    event, again = (
        SimpleNamespace(extra={"hours": hours}) for hours in (["2026-11-22T12"], ["2026-11-22T12", "2026-11-22T13"])
    )
    returned = dag.get_task("report").python_callable({"faultline://archive/app-logs": [event, again]})
    assert returned == {"2026-11-22T12": 4, "2026-11-22T13": 1}
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "app-logs, 2026-11-22T12 UTC: 4 records"
    assert [line.split() for line in printed[1:5]] == [
        ["level", "ERROR", "INFO"],
        ["service"],
        ["-", "0", "1"],
        ["shop", "1", "2"],
    ]


def test_a_run_by_hand_takes_the_last_whole_hour_also_an_empty_one(
    dag: Any, archive: Callable[[datetime], None]
) -> None:
    archive(NOON)
    run = dag.test(logical_date=datetime.now(UTC))
    assert run.state == "success"
    assert list(run.get_task_instance("report").xcom_pull(task_ids="report").values()) == [0]
