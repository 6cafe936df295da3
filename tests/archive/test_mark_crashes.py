"""Marks on real HDFS when their writer is killed: whole, and never more than the table holds."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.markers import Markers, mark_path
from faultline.adapters.small_files import HdfsFiles
from faultline.archive.expire import EXPIRY_STEPS
from faultline.archive.hours import Hour
from faultline.settings import Settings
from faultline.steps.marks import MARK_STEPS
from tests.archive.marking import HOUR, NOON, archive_and_merge, settings_of, source_of, work
from tests.servers import HdfsServer

EARLY, ALL = (0, 1), (0, 1, 0)  # the third record belongs to an hour that may be marked already


@pytest.fixture
def settings(hdfs: HdfsServer, tmp_path: Path) -> Settings:
    return settings_of(f"{hdfs.url}/{uuid.uuid4().hex[:12]}", hdfs.webhdfs, str(tmp_path / "topics.yaml"))


def kill(settings: Settings, what: str, step: str, hours: tuple[int, ...]) -> None:
    where = [settings.archive_url, settings.webhdfs_url, str(settings.topics_file)]
    command = [sys.executable, "-m", "tests.archive.marking", *map(str, where), what, step, *map(str, hours)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -signal.SIGKILL


def marked_rows(settings: Settings) -> list[int | None]:
    """Of the first two hours, as whoever waits for them reads it; None where there is no mark."""
    files = HdfsFiles(str(settings.webhdfs_url), "/" + settings.archive_url.rpartition("/")[2])
    found: list[int | None] = []
    for hour in (Hour(NOON), Hour(NOON + HOUR)):
        folder, _, name = mark_path("app", hour).rpartition("/")
        there = name in files.names(folder)
        said: Any = Markers(files).read("app", hour)
        assert there == (said is not None), "half a mark"
        found.append(said["rows"] if there else None)
    return found


def silent(step: str) -> None:
    pass


@pytest.mark.parametrize("step", MARK_STEPS)
def test_killed_while_it_marks_for_the_first_time(settings: Settings, step: str) -> None:
    source = source_of(ALL)
    archive_and_merge(settings, source)
    kill(settings, "mark", step, ALL)
    assert marked_rows(settings) == [2 if step == "after_mark" else None, None]
    work("mark", settings, source, silent)
    assert marked_rows(settings) == [2, 1]


@pytest.mark.parametrize("step", MARK_STEPS)
def test_killed_while_it_marks_anew(settings: Settings, step: str) -> None:
    archive_and_merge(settings, source_of(EARLY))
    work("mark", settings, source_of(EARLY), silent)
    archive_and_merge(settings, source_of(ALL))
    kill(settings, "mark", step, ALL)
    assert marked_rows(settings) == [2 if step == "after_mark" else 1, 1]
    work("mark", settings, source_of(ALL), silent)
    assert marked_rows(settings) == [2, 1]


@pytest.mark.parametrize("step", EXPIRY_STEPS)
def test_killed_while_a_marked_hour_expires(settings: Settings, step: str) -> None:
    """A mark promises rows: it goes before them."""
    archive_and_merge(settings, source_of(ALL))
    work("mark", settings, source_of(ALL), silent)
    kill(settings, "expire", step, ALL)
    assert marked_rows(settings) == [None, 1]
    work("expire", settings, source_of(ALL), silent)
    assert marked_rows(settings) == [None, 1]
