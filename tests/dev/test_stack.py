"""What ``make up`` and ``make down`` promise, with everything real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.ports import Ports, free_ports
from dev.programs import wait_until
from dev.stack import PARTS, READY, Stack
from tests.servers import processes_of


@pytest.fixture
def stack(state_folder: Path) -> Iterator[Stack]:
    folder = state_folder / "stack"
    folder.mkdir()
    instance = Stack(folder, free_ports())
    yield instance
    instance.down()


def test_up_starts_everything_once_and_down_leaves_nothing(stack: Stack) -> None:
    """Without Airflow, which the demo's test starts and stops."""
    heard: list[tuple[str, str]] = []
    stack.up(lambda part, state: heard.append((part, state)), with_airflow=False)
    assert {part for part, state in heard if state == READY} == set(PARTS) - {"Airflow"}
    first = {status.name: status.pid for status in stack.supervisor.statuses()}
    stack.up(lambda part, state: None, with_airflow=False)
    assert {status.name: status.pid for status in stack.supervisor.statuses()} == first
    stack.down()
    wait_until(
        lambda: not processes_of(stack.folder, stack.ports), "the end of it", Path("/dev/null"), alive=lambda: True
    )


def test_a_busy_port_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = Stack(tmp_path, Ports({**free_ports().numbers, "postgres": port}))
        with pytest.raises(DevError, match=rf"port {port} \(postgres\)"):
            stack.up(lambda part, state: None)
    assert not stack.supervisor.running()
