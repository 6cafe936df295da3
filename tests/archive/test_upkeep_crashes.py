"""Compaction, retention and cleaning on real HDFS, killed at every step beside a polling reader."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from deltalake import DeltaTable

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.expire import CLEANING_STEPS, EXPIRY_STEPS, vacuum
from faultline.archive.rewrite import MERGE_STEPS
from faultline.archive.verify import verify_topic
from tests.archive.upkeep import PART, fill, look_after, put
from tests.servers import HdfsServer

STEPS = {"merge": MERGE_STEPS, "expire": EXPIRY_STEPS, "clean": CLEANING_STEPS}
KILLS = [(what, step) for what, steps in STEPS.items() for step in steps]


@pytest.fixture
def archive(hdfs: HdfsServer) -> str:
    return f"{hdfs.url}/{uuid.uuid4().hex[:12]}"


@contextmanager
def polled(archive: str, least: int) -> Iterator[None]:
    """Reads the whole table over and over, from a snapshot that is one poll old; every read must be right."""
    stop = threading.Event()

    def read() -> int:
        polls = 0
        old = DeltaTable(f"{archive}/app")
        while not stop.is_set() or not polls:
            new = DeltaTable(f"{archive}/app")
            offsets = [row.as_py() for row in old.to_pyarrow_table(columns=["kafka_offset", "raw"])["kafka_offset"]]
            assert len(offsets) == len(set(offsets)) >= least
            old, polls = new, polls + 1
        return polls

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            yield
        finally:
            stop.set()
        assert reading.result() > 0


def kill(archive: str, what: str, step: str) -> None:
    command = [sys.executable, "-m", "tests.archive.upkeep", archive, what, step]
    assert subprocess.run(command, timeout=120, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(("what", "step"), KILLS, ids=[f"{what}-{step}" for what, step in KILLS])
def test_killed_at_any_step_and_run_again(archive: str, what: str, step: str) -> None:
    table = TopicUpkeep.open_or_create(archive, "app")
    end = fill(table, files=3)
    expired = 30 if what == "expire" else 0
    if what == "clean":
        look_after(archive, "merge")
    with polled(archive, end - expired):
        kill(archive, what, step)
        put(TopicTable.open(archive, "app"), end, end + 3, hour=1)
        look_after(archive, what)
    report = verify_topic(table)
    assert (report.faults, report.rows, table.positions([PART])) == ((), end + 3 - expired, {PART: end + 3})
    vacuum(table, timedelta(0))
    assert set(table.stored()) == {file.path for file in table.data_files()}


@pytest.mark.matrix
@pytest.mark.parametrize(("first", "second"), [("merge", "merge"), ("merge", "expire"), ("expire", "expire")])
def test_two_processes_at_once(archive: str, first: str, second: str) -> None:
    table = TopicUpkeep.open_or_create(archive, "app")
    end = fill(table)
    racers = [
        subprocess.Popen([sys.executable, "-m", "tests.archive.upkeep", archive, what, "never"])
        for what in (first, second)
    ]
    put(TopicTable.open(archive, "app"), end, end + 3)
    assert [racer.wait(timeout=120) for racer in racers] == [0, 0]
    look_after(archive, "expire" if "expire" in (first, second) else "merge")
    report = verify_topic(table)
    assert (report.faults, report.rows) == ((), 50 if "expire" in (first, second) else end + 3)
