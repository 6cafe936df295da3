"""End what a dead program leaves behind: ``python -m dev.leftovers``, an event listener of supervisord.

A scheduler that is killed leaves its workers and its log server, whose port the next scheduler needs.
supervisord names the process only of a program that had run for a second: before that, it must not leave any.
"""

from __future__ import annotations

import os
import signal

from supervisor import childutils


def end_group(leader: int) -> None:
    """SIGKILL to every process of the group that ``leader`` began; nothing when none is left."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def listen() -> None:
    """End the group of every program that supervisord reports to have ended, for ever."""
    while True:
        _, payload = childutils.listener.wait()
        end_group(int(childutils.get_headers(payload)["pid"]))
        childutils.listener.ok()


if __name__ == "__main__":
    listen()
