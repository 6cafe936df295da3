"""digest_errors, run in this process on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faultline.adapters.database import Database
from tests.contracts.values import NOON, count, span

RULES = "{groups: [], route: {receiver: ops}, receivers: [{name: ops, console_configs: [{}]}]}"
FORM = {"since": None, "until": None, "receiver": None, "top": 10, "dry_run": False, "settings": {}}
CHOSEN = {"since": "2026-11-22T12:00:00+00:00", "until": "2026-11-22T13:00:00+00:00"}


@pytest.fixture
def database(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The cart has failed twelve times after noon; digests are also written to a folder."""
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("FAULTLINE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("FAULTLINE_RULES_FILE", str(tmp_path / "rules.yaml"))
    monkeypatch.setenv("FAULTLINE_DIGEST_FOLDER", str(tmp_path))
    with Database(postgres_url) as opened:
        opened.migrate()
        opened.record_counts([span(0, 1)], [count(12, service="cart", level="ERROR")])
        yield opened


def run(**conf: Any) -> str:
    from digest_errors import digest_errors_dag

    state: str = digest_errors_dag.test(run_conf=FORM | conf, logical_date=datetime.now(UTC)).state
    return state


def errors(database: Database) -> list[int]:
    found = [row.notification.digest for row in database.recent_notifications()]
    return [digest.errors for digest in found if digest is not None]


@pytest.mark.usefixtures("airflow_database")
def test_a_run_queues_the_digest_of_its_interval_once(database: Database, tmp_path: Path) -> None:
    assert run(dry_run=True, **CHOSEN) == "success"
    assert (errors(database), list(tmp_path.glob("digest-*"))) == ([], [])
    assert [run(**CHOSEN), run(**CHOSEN)] == ["success", "success"]
    assert errors(database) == [12]
    assert (tmp_path / "digest-20261122T120000Z-20261122T130000Z.html").exists()


@pytest.mark.usefixtures("airflow_database")
def test_a_run_by_hand_takes_the_last_whole_interval(database: Database) -> None:
    assert run() == "success"
    [row] = database.recent_notifications()
    digest = row.notification.digest
    assert digest is not None
    assert (digest.end.hour, digest.end - digest.start) == (6, timedelta(days=1))
    assert digest.end <= datetime.now(UTC) < digest.end + timedelta(days=1)


@pytest.mark.usefixtures("airflow_database")
def test_a_backfill_writes_and_sends_nothing(database: Database, tmp_path: Path) -> None:
    from digest_errors import digest_errors_dag

    report = digest_errors_dag.get_task("digest").python_callable(
        FORM, SimpleNamespace(run_type="backfill"), NOON, NOON + timedelta(hours=1)
    )
    assert (report["targets"], Path(report["file"]).exists()) == ([], True)
    assert database.recent_notifications() == []


@pytest.mark.usefixtures("airflow_database")
def test_a_receiver_that_is_none_fails_the_run(database: Database) -> None:
    assert run(receiver="nobody", **CHOSEN) == "failed"
    assert errors(database) == []
