"""What ``make up`` and ``make down`` promise, with everything real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.errors import DevError
from dev.ports import Ports, free_ports
from dev.programs import wait_until
from dev.stack import PARTS, READY, Stack


@pytest.fixture
def stack(state_folder: Path) -> Iterator[Stack]:
    folder = state_folder / "stack"
    folder.mkdir()
    instance = Stack(folder, free_ports())
    yield instance
    instance.down()


def processes_of(stack: Stack) -> list[str]:
    """The command lines of what still works in or with the stack's folder."""
    ports = {str(port) for port in stack.ports.numbers.values()}
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(stack.folder) in line or ports & set(line.replace(":", " ").split())]


def test_up_starts_everything_once_and_down_leaves_nothing(stack: Stack) -> None:
    heard: list[tuple[str, str]] = []
    stack.up(lambda part, state: heard.append((part, state)))
    assert {part for part, state in heard if state == READY} == set(PARTS)
    with stack.airflow.api() as api:
        assert api.import_errors() == []
    first = {status.name: status.pid for status in stack.supervisor.statuses()}
    stack.up(lambda part, state: None)
    assert {status.name: status.pid for status in stack.supervisor.statuses()} == first
    stack.down()
    wait_until(lambda: not processes_of(stack), "the end of everything", Path("/dev/null"), alive=lambda: True)


def test_a_busy_port_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = Stack(tmp_path, Ports({**free_ports().numbers, "postgres": port}))
        with pytest.raises(DevError, match=rf"port {port} \(postgres\)"):
            stack.up(lambda part, state: None)
    assert not stack.supervisor.running()
