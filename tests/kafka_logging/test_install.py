"""What an application installs: ``pip install .`` without extras is the handler, and nothing of the pipeline."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("airflow", "pandas", "pyarrow", "sqlalchemy", "pydantic")

PROGRAM = f"""
import importlib.util, logging, sys
import kafka_logging
from kafka_logging.testing import CaptureHandler

handler = CaptureHandler()
logging.getLogger().addHandler(handler)
logging.error("order %s failed", "a-1")
handler.close()
print(handler.records[0]["@message"], handler.stats().delivered)
print([name for name in {HEAVY} if name in sys.modules or importlib.util.find_spec(name)])
print(importlib.util.find_spec("kafka_logging").origin)
"""


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment in which a copy of this checkout is installed, without extras."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("clean")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "include", source / "include", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", source]
    uv, pip = [Path(sys.executable).with_name("uv"), "pip"], [sys.executable, "-m", "pip"]
    if not uv[0].exists() or subprocess.run([*uv, *install, "--python", python], timeout=240, check=False).returncode:
        # as dev/setup.sh does it: pip gets through where uv, which does not read pip's configuration, cannot
        subprocess.run([*pip, "--python", python, *install], check=True, timeout=240)
    return python


def test_an_application_gets_the_handler_and_no_more(clean_python: Path) -> None:
    done = subprocess.run([clean_python, "-I", "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    message, heavy, origin = done.stdout.splitlines()
    assert message == "order a-1 failed 1"
    assert heavy == "[]"
    assert Path(origin).is_relative_to(clean_python.parents[1])
