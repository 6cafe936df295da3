"""What runs the continuous lane is killed: every error that was logged meanwhile is told of all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.ports import free_ports
from dev.programs import wait_until
from tests.end_to_end.lane import KILLS, lane
from tests.servers import PostgresServer


@pytest.mark.matrix
@pytest.mark.timeout(3600)
def test_every_error_is_told_of_whatever_is_killed(
    kafka: str, postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = postgres_server.spec.create_database("airflow_kills")
    with lane(tmp_path, free_ports(), kafka, postgres_url, database, budget="2m") as watched:
        log = watched.workers.spec.log("scheduler")
        for name, kill in KILLS.items():
            kill(watched)
            logged = watched.seen.logged + 5
            wait_until(
                lambda logged=logged: watched.seen.logged > logged and not watched.seen.untold & set(range(logged)),
                f"news after the end of {name}",
                log,
                lambda: True,
                seconds=600,
            )
