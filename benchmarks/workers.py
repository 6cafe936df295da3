"""Programs that take part in a benchmark: each says when it is ready, then works once for every line it is sent."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from dev.paths import ROOT


@dataclass(frozen=True, slots=True)
class Spent:
    """What some work took: seconds of wall and of processor time, and the largest process so far in MiB."""

    seconds: float
    processor: float
    memory: float

    def __add__(self, other: Spent) -> Spent:
        """One after the other."""
        return Spent(self.seconds + other.seconds, self.processor + other.processor, max(self.memory, other.memory))


class Workers:
    """Programs that do the same at the same time."""

    def __init__(self, commands: Sequence[Sequence[str]], log: Path) -> None:
        started = time.perf_counter()
        with log.open("ab") as errors:
            self._programs = [
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
                )
                for command in commands
            ]
        try:
            self._expect("ready")
        except BaseException:
            self.close()
            raise
        self.start = Spent(time.perf_counter() - started, self._processor(), self._memory())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def work(self, line: str) -> Spent:
        """Send all of them the line, wait until the last is done."""
        started, processor = time.perf_counter(), self._processor()
        for program in self._programs:
            assert program.stdin is not None
            program.stdin.write(f"{line}\n")
            program.stdin.flush()
        self._expect("done")
        return Spent(time.perf_counter() - started, self._processor() - processor, self._memory())

    def close(self) -> None:
        """End them with their children."""
        for process in self._family():
            process.kill()
        for program in self._programs:
            program.wait()

    def _expect(self, word: str) -> None:
        for program in self._programs:
            assert program.stdout is not None
            if not any(line.strip() == word for line in program.stdout):
                raise RuntimeError(f"{program.args} ended before it was {word}")

    def _family(self) -> list[psutil.Process]:
        parents = [psutil.Process(program.pid) for program in self._programs if program.poll() is None]
        return [*parents, *(child for parent in parents for child in parent.children(recursive=True))]

    def _processor(self) -> float:
        total = 0.0
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def _memory(self) -> float:
        return max(peak(process) for process in self._family())


def peak(process: psutil.Process) -> float:
    """The most memory it had, in MiB; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
