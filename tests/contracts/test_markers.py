"""Marks of hours: the same in a local folder and on HDFS."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from faultline.adapters.markers import Markers, markers
from faultline.adapters.small_files import HdfsFiles
from faultline.archive.hours import Hour
from faultline.errors import TransientError
from faultline.testing.records import NOON
from tests.servers import HdfsServer

HOUR = Hour(NOON)


@pytest.fixture(params=["local", "hdfs"])
def store(request: pytest.FixtureRequest) -> Markers:
    if request.param == "local":
        found = markers(str(request.getfixturevalue("tmp_path")), None)
    else:
        hdfs: HdfsServer = request.getfixturevalue("hdfs")
        found = markers(f"{hdfs.url}/{uuid.uuid4().hex[:12]}", hdfs.webhdfs)
    assert found is not None
    return found


def test_a_mark_is_read_as_it_was_written_and_written_anew(store: Markers) -> None:
    assert store.read("app", HOUR) is None
    store.write("app", HOUR, {"rows": 1})
    assert store.read("app", HOUR) == {"rows": 1}
    store.write("app", HOUR, {"rows": 22})
    assert store.read("app", HOUR) == {"rows": 22}
    assert store.read("app", Hour(HOUR.end)) is None


def test_a_mark_that_is_removed_is_gone_and_removing_it_again_does_nothing(store: Markers) -> None:
    store.write("app", HOUR, {"rows": 1})
    for _ in range(2):
        store.remove("app", HOUR)
        assert store.read("app", HOUR) is None


def test_nothing_lies_beside_a_mark(hdfs: HdfsServer) -> None:
    files = HdfsFiles(hdfs.webhdfs, f"/{uuid.uuid4().hex[:12]}")
    for rows in (1, 2):
        Markers(files).write("app", HOUR, {"rows": rows})
    assert files.names("_complete/app/dt=2026-11-22") == ["hr=12"]


def test_whoever_looks_while_a_mark_is_written_anew_sees_a_whole_one(store: Markers) -> None:
    store.write("app", HOUR, {"rows": 0})
    over = threading.Event()

    def look() -> list[int]:
        seen = [0]
        while not over.is_set():
            said = store.read("app", HOUR)
            assert said is not None
            seen.append(said["rows"])
        return seen

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            for rows in range(1, 21):
                store.write("app", HOUR, {"rows": rows})
        finally:
            over.set()
        assert looking.result() == sorted(looking.result())


def test_the_marks_of_some_days_are_listed_and_nothing_else(store: Markers) -> None:
    assert store.marked("app", ["2026-11-22"]) == frozenset()
    next_day = Hour(NOON + timedelta(days=1))
    for topic, hour in (("app", HOUR), ("app", Hour(HOUR.end)), ("app", next_day), ("other", HOUR)):
        store.write(topic, hour, {"rows": 1})
    store.files.write("_complete/app/dt=2026-11-22/_hr=05.left-by-a-kill", {})
    assert store.marked("app", ["2026-11-21", "2026-11-22"]) == {HOUR, Hour(HOUR.end)}


def test_the_last_proof_of_a_table_is_kept(store: Markers) -> None:
    assert store.proof("app") is None
    for version in (1, 2):
        store.write_proof("app", {"version": version})
    assert (store.proof("app"), store.proof("other")) == ({"version": 2}, None)


def test_an_archive_elsewhere_has_no_marks() -> None:
    assert markers("s3://bucket/archive", None) is None
    assert markers("hdfs://namenode:8020/archive", None) is None


def test_a_namenode_that_is_away_is_a_transient_error() -> None:
    with pytest.raises(TransientError):
        Markers(HdfsFiles("http://127.0.0.1:1", "/x")).write("app", HOUR, {})
