"""Programs as children of this process, for tests: they can be killed and suspended, and die with it."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

from dev.programs import Program, inherited_environment

_PR_SET_PDEATHSIG = 1


class Child:
    """One program in a process group of its own. Nothing restarts it but ``start``."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        assert self._process is not None, f"{self.program.name} was never started"
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs (or is suspended)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; nothing when it runs already."""
        if self.alive():
            return
        with self.program.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.program.command,
                env={**inherited_environment(), **self.program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.program.user,
                group=pwd.getpwnam(self.program.user).pw_gid if self.program.user else None,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if not self.alive():
            return
        assert self._process is not None
        self.resume()
        self._process.send_signal(self.program.stop_signal)
        try:
            self._process.wait(self.program.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group: no good-byes."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, nothing answers once this returns."""
        self._signal(signal.SIGSTOP)
        while self.alive() and not _is_stopped(self.pid):
            time.sleep(0.01)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            os.killpg(self.pid, number)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_stopped(pid: int) -> bool:
    """Whether no thread of the process runs any more; a busy processor takes its time to stop the last one."""
    stats = (task / "stat" for task in Path(f"/proc/{pid}/task").iterdir())
    return {stat.read_text().rpartition(")")[2].split()[0] for stat in stats} <= {"T"}
