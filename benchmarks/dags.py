"""What parsing a DAG file takes beyond importing what it needs of Airflow: in a process of its own, as Airflow does."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 7
PROGRAM = """
import sys, time
begun = time.perf_counter()
import airflow.sdk
for name in ("Asset", "AssetAlias", "BaseSensorOperator", "CronDataIntervalTimetable", "Param", "dag", "task"):
    getattr(airflow.sdk, name)
ready = time.perf_counter()
__import__(sys.argv[1])
print(ready - begun, time.perf_counter() - ready)
"""


def main() -> None:
    """Print the medians of each DAG file."""
    table = Table("DAG file", "Airflow, ms", "beyond it, ms", "beyond / Airflow", title=f"Parsing, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as home:
        for stem in sorted(path.stem for path in (ROOT / "dags").glob("*.py")):
            airflow, beyond = map(statistics.median, zip(*(_parse(stem, home) for _ in range(ROUNDS)), strict=True))
            table.add_row(stem, f"{airflow * 1000:,.0f}", f"{beyond * 1000:,.0f}", f"{beyond / airflow:.2f}")
    Console().print(table)


def _parse(stem: str, home: str) -> tuple[float, float]:
    path = os.pathsep.join(map(str, (ROOT / "dags", ROOT / "plugins", ROOT / "include")))
    env = {
        **os.environ,
        "PYTHONPATH": path,
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    }
    run = subprocess.run([sys.executable, "-c", PROGRAM, stem], capture_output=True, text=True, env=env, check=True)
    airflow, beyond = map(float, run.stdout.split())
    return airflow, beyond
