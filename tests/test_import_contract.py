"""The direction of dependencies, held by import-linter; ``make check`` runs the same contracts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_import_looks_down_only() -> None:
    lint = subprocess.run(
        (Path(sys.executable).with_name("lint-imports"), "--no-cache"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout
