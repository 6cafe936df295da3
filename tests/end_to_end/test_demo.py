"""The demo's whole way, unattended: Airflow, Kafka, HDFS and PostgreSQL as processes, the shop, one page."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.paths import ROOT, STATE
from dev.ports import from_base, is_free
from tests.servers import processes_of

PROFILE = "demo-test"


@pytest.fixture
def environment() -> dict[str, str]:
    """A set of servers of its own, from nothing, on ports that nobody uses."""
    shutil.rmtree(STATE / PROFILE, ignore_errors=True)
    base = next(
        base for base in random.sample(range(20_000, 32_000, 100), 100) if all(map(is_free, range(base, base + 100)))
    )
    return {**os.environ, "FAULTLINE_PROFILE": PROFILE, "FAULTLINE_PORT_BASE": str(base)}


@pytest.mark.timeout(900)
def test_from_a_log_call_to_one_page_and_a_proven_archive(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with log.open("w") as output:
        command = (sys.executable, "-m", "dev.demo", "--check")
        demo = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    assert demo.returncode == 0, log.read_text()
    assert processes_of(STATE / PROFILE, from_base(environment)) == []
    shutil.rmtree(STATE / PROFILE)
