"""elastalert2's rule classes in a process of their own, in an environment that is made when it is first wanted.

It is only executed: nothing of it (Apache-2.0) is copied.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dev.paths import STATE, file_lock

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKER = Path(__file__).with_name("peer_worker.py")

# What to do with a rule, when (in seconds), and with what; see the worker.
Step = tuple[str, int, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """When it matched, in seconds, and for which key, in order; the processor time it took for all steps."""

    matches: tuple[tuple[int, str], ...]
    processor: float

    def first(self, key: str = "all") -> int | None:
        """When the key matched first."""
        return next((at for at, found in self.matches if found == key), None)

    def of(self, key: str = "all") -> list[int]:
        """When the key matched, each instant once."""
        return sorted({at for at, found in self.matches if found == key})


class ElastAlert:
    """A running worker."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_python(), WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, kind: str, options: Mapping[str, Any], steps: Sequence[Step]) -> Answer:
        """Feed a new rule of the class; ``timeframe`` among its options is in seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"class": kind, "options": options, "steps": steps}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '"it has ended: see its traceback"')
        if isinstance(answer, str):
            raise RuntimeError(f"elastalert2's worker: {answer}")
        return Answer(tuple((at, key) for at, key in answer["matches"]), answer["processor"])


def _python() -> Path:
    """The interpreter of the environment, made anew when what it is made of has changed."""
    folder = STATE / "elastalert"
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = f"{REQUIREMENTS.read_text()}\n{sys.version}\n{folder}"
    with file_lock(STATE / "elastalert.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, python)
            stamp.write_text(wanted)
    return python


def _install(folder: Path, python: Path) -> None:
    """With uv; it does not read pip's configuration, so where it fails pip may still get through."""
    uv = Path(sys.executable).with_name("uv")
    options = ["install", "--quiet", "--no-deps", "--requirement", REQUIREMENTS]
    try:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", *options, "--python", python], check=True)
    except (OSError, subprocess.CalledProcessError):
        venv.create(folder, clear=True, symlinks=True, with_pip=True)
        subprocess.run([python, "-m", "pip", *options], check=True)
