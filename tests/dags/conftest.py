"""An Airflow of its own for DAG tests: a home and a SQLite database, set before airflow is first imported."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="airflow-"))
FOLDERS = {
    "dags": ROOT / "dags",
    "bundle": Path(__file__).with_name("bundle"),
    "examples": ROOT / "examples" / "dags",
}
_LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"

Result = TypeVar("Result")

assert "airflow" not in sys.modules, "airflow was imported before its home was set"
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [{"name": name, "classpath": _LOCAL, "kwargs": {"path": str(folder)}} for name, folder in FOLDERS.items()]
        ),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
)
# Airflow puts these on the path itself when it runs as a process of its own.
sys.path[:0] = [str(ROOT / "plugins"), *map(str, FOLDERS.values())]


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables."""
    from airflow.utils.db import initdb

    initdb()


def in_task(call: Callable[[], Result]) -> Result:
    """What the function returns when a task calls it."""
    from probe import calls, probe_dag

    results: list[Result] = []
    calls.append(lambda: results.append(call()))
    probe_dag.test()
    [result] = results
    return result
