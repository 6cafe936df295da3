"""What parsing a DAG file imports: Airflow does it again and again, and once more for each task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
PLUGINS = {path.stem for path in (ROOT / "plugins").glob("*.py")}

IMPORTED = """
import sys
import time
import airflow.sdk
for name in ("Asset", "AssetAlias", "BaseSensorOperator", "CronDataIntervalTimetable", "Param", "dag", "task"):
    getattr(airflow.sdk, name)
before, started = set(sys.modules), time.process_time()
__import__(sys.argv[1])
print(time.process_time() - started)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""


def parse(stem: str) -> list[str]:
    """What it takes, and the packages it imports."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parsed = subprocess.run(
        [sys.executable, "-c", IMPORTED, stem], capture_output=True, text=True, env=env, timeout=120, check=True
    )
    return parsed.stdout.splitlines()


@pytest.mark.parametrize("stem", DAGS)
def test_a_parse_imports_nothing_but_airflow_and_our_light_plugins(stem: str) -> None:
    _, imported = parse(stem)
    assert set(imported.split()) <= {stem, "airflow"} | PLUGINS


@pytest.mark.parametrize("stem", DAGS)
def test_a_parse_takes_less_than_300_ms_beyond_airflows_own(stem: str) -> None:
    """Of processor time: how busy the machine is says nothing of a DAG file."""
    seconds, _ = parse(stem)
    assert float(seconds) < 0.3
