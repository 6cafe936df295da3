"""A program that a test starts knows what it was given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dev.children import Child
from dev.programs import Program, wait_until


def test_it_has_no_settings_of_the_airflow_of_whoever_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "elsewhere")
    told = "import os; print(sorted(name for name in os.environ if name.startswith('AIRFLOW')))"
    own = {"AIRFLOW__CORE__DAGS_FOLDER": "here"}
    child = Child(Program("told", (sys.executable, "-c", told), tmp_path / "log", own))
    child.start()
    wait_until(lambda: not child.alive(), "the child", tmp_path / "log", lambda: True)
    assert (tmp_path / "log").read_text() == "['AIRFLOW__CORE__DAGS_FOLDER']\n"
