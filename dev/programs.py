"""What a program is, and how to wait until one answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from dev.errors import DevError


@dataclass(frozen=True, slots=True)
class Program:
    """A long-running command. Its output goes to ``log``; ``user`` is another one only where it must not be root."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: Signals = Signals.SIGTERM
    stop_seconds: int = 10


def inherited_environment() -> dict[str, str]:
    """This process's environment without the settings of some other Airflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


def wait_until(ready: Callable[[], bool], what: str, log: Path, alive: Callable[[], bool], seconds: float = 90) -> None:
    """Return as soon as ``ready`` is true; DevError with the end of the log when it dies first or takes too long."""
    started = time.monotonic()
    while not ready():
        if not alive():
            raise DevError(f"{what} stopped while it started. {end_of(log)}")
        if time.monotonic() - started > seconds:
            raise DevError(f"{what} did not answer within {seconds:.0f} s. {end_of(log)}")
        time.sleep(0.1)


def end_of(log: Path, lines: int = 20) -> str:
    """Where a log is and its last lines."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return f"Its log is {log}:\n" + "\n".join(text.splitlines()[-lines:])
