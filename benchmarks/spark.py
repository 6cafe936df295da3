"""Where the archive's peer comes from: PySpark in an environment of its own, its connector to Kafka from Maven."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dev.jars import fetch, find_tool
from dev.paths import ROOT, STATE, file_lock
from faultline.records.fingerprints import MASKS

VERSION = "3.5.1"


def command(bootstrap: str, url: str, topic: str) -> list[str]:
    """What starts it; DevError or CalledProcessError when it cannot be had."""
    jars = ",".join(str(jar) for jar in sorted(fetch("spark", find_tool()).iterdir()))
    return [
        str(_python()),
        str(ROOT / "benchmarks" / "spark_append.py"),
        bootstrap,
        url,
        topic,
        jars,
        json.dumps(MASKS),
    ]


def _python() -> Path:
    """The interpreter of the environment, made the first time: 320 MB."""
    environment = STATE / f"spark-{VERSION}"
    with file_lock(STATE / "spark.lock"):
        if not (environment / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            subprocess.run(
                [environment / "bin" / "pip", "install", "--quiet", f"pyspark=={VERSION}"], check=True, text=True
            )
            (environment / "complete").touch()
    return environment / "bin" / "python"
