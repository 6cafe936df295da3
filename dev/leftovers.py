"""End what a dead program leaves behind: ``python -m dev.leftovers``, an event listener of supervisord.

A scheduler that is killed leaves its workers and its log server, whose port the next scheduler needs.
supervisord names the process only of a program that had run for a second: before that, it must not leave any.
"""

from __future__ import annotations

import contextlib
import os
import signal

import psutil
from supervisor import childutils


def end_group(leader: int) -> None:
    """SIGKILL to every process of the group that ``leader`` began; nothing when none is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_session(leader: int) -> None:
    """SIGKILL to every process of the session that ``leader`` began: Airflow gives each task a group of its own."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def listen() -> None:
    """End the group of every program that supervisord reports to have ended, for ever."""
    while True:
        _, payload = childutils.listener.wait()
        end_group(int(childutils.get_headers(payload)["pid"]))
        childutils.listener.ok()


if __name__ == "__main__":
    listen()
