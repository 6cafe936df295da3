"""A real supervisord: what dies comes back, what is stopped leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dev.errors import DevError
from dev.ports import free_ports
from dev.programs import Program, wait_until
from dev.supervisor import Supervisor

# Begins a child that outlives it and says both process ids. GROUP: None for one like a scheduler's worker, 0 for one
# like an Airflow task, which has a process group of its own.
_PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=GROUP)
print("started", os.getpid(), child.pid)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """In a folder too deep for a Unix socket."""
    folder = tmp_path / ("deep" * 30)
    instance = Supervisor(folder, free_ports(["supervisor"])["supervisor"])
    folder.mkdir()
    instance.launch()
    yield instance
    instance.shutdown()


def program(folder: Path, script: str, **environment: str) -> Program:
    (folder / "worker.py").write_text(script)
    return Program("worker", (sys.executable, "-u", str(folder / "worker.py")), folder / "worker.log", environment)


def eventually(condition: Callable[[], bool]) -> None:
    wait_until(condition, "what the test waits for", Path("/dev/null"), alive=lambda: True, seconds=30)


def starts(log: Path) -> list[list[int]]:
    """The process ids each start has printed."""
    return [[int(pid) for pid in line.split()[1:]] for line in log.read_text().splitlines() if "started" in line]


def running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_program_is_started_again_and_its_children_end(supervisor: Supervisor) -> None:
    worker = program(supervisor.folder, _PARENT.replace("GROUP", "None"))
    supervisor.start(worker)
    eventually(lambda: worker.log.exists() and len(starts(worker.log)) == 1)
    eventually(lambda: supervisor.statuses()[0].state == "RUNNING")
    [parent, child] = starts(worker.log)[0]
    os.kill(parent, signal.SIGKILL)
    eventually(lambda: len(starts(worker.log)) == 2)
    eventually(lambda: not running(child))


@pytest.mark.parametrize("group", ["None", "0"])
def test_a_shutdown_ends_programs_and_their_children(supervisor: Supervisor, group: str) -> None:
    worker = program(supervisor.folder, _PARENT.replace("GROUP", group))
    supervisor.start(worker)
    eventually(lambda: worker.log.exists() and len(starts(worker.log)) == 1)
    supervisor.shutdown()
    assert not supervisor.running()
    eventually(lambda: not any(map(running, starts(worker.log)[0])))


def test_a_stopped_program_stays_stopped_until_it_is_started(supervisor: Supervisor) -> None:
    worker = program(supervisor.folder, _PARENT.replace("GROUP", "None"))
    supervisor.start(worker)
    supervisor.stop(worker.name)
    assert [status.state for status in supervisor.statuses()] == ["STOPPED"]
    supervisor.start(worker)
    assert supervisor.alive(worker.name)


def test_a_program_that_cannot_run_is_told_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    worker = program(supervisor.folder, "raise SystemExit('no disk')")
    supervisor.start(worker)
    with pytest.raises(DevError, match=r"worker stopped(?s:.*)worker\.log(?s:.*)no disk"):
        wait_until(lambda: False, "worker", worker.log, lambda: supervisor.alive(worker.name))


def test_the_environment_arrives_as_it_was_given(supervisor: Supervisor) -> None:
    values = ['{"a": "b"}', "100%", "it's", "a b;c", "", "käse"]
    script = f"import os, time; print([os.environ[f'X{{i}}'] for i in range({len(values)})]); time.sleep(60)"
    worker = program(supervisor.folder, script, **{f"X{i}": value for i, value in enumerate(values)})
    supervisor.start(worker)
    eventually(lambda: worker.log.exists() and worker.log.read_text() == f"{values}\n")


def test_another_supervisor_on_the_same_port_is_not_taken_for_ones_own(supervisor: Supervisor, tmp_path: Path) -> None:
    other = Supervisor(tmp_path, supervisor.port)
    (tmp_path / "supervisord.password").write_text("not the password")
    assert not other.running()
    assert other.statuses() == []
