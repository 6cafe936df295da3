"""What ``faultline status`` asks HDFS, on a real one."""

from __future__ import annotations

import getpass
import uuid
from datetime import timedelta

import pytest
import requests
from pytest_httpserver import HTTPServer

from faultline.adapters.delta import TopicTable
from faultline.adapters.webhdfs import HdfsHealth
from faultline.errors import TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer


def test_a_healthy_hdfs_shows_its_capacity(hdfs: HdfsServer) -> None:
    state = HdfsHealth(hdfs.webhdfs).state()
    assert (state.safe_mode, state.live_datanodes, state.dead_datanodes) == (False, 3, 0)
    assert 0 < state.remaining < state.total


def test_safe_mode_is_seen(hdfs_server: HdfsServer) -> None:
    health = HdfsHealth(hdfs_server.webhdfs)
    hdfs_server.safe_mode(True)
    assert health.safe_mode()
    hdfs_server.safe_mode(False)
    assert not health.safe_mode()


def test_the_newest_hours_of_a_table_are_listed_with_their_files(hdfs: HdfsServer) -> None:
    archive = f"/{uuid.uuid4().hex[:12]}"
    table = TopicTable.open_or_create(hdfs.url + archive, "app")
    part = TopicPartition("app", "generation-1", 0)
    for number in range(3):
        raw = raw_table([b"{}"], at=NOON + timedelta(hours=12 * number), start=number)
        events = decode(raw, TopicConfig(name="app"), event_time_span=timedelta(days=7))
        table.append(events, [OffsetRange(part, number, number + 1)])
    hours = HdfsHealth(hdfs.webhdfs).hours(f"{archive}/app", newest=2)
    assert [(hour.dt, hour.hr, hour.files) for hour in hours] == [("2026-11-23", "00", 1), ("2026-11-23", "12", 1)]
    assert all(hour.bytes > 0 for hour in hours)


def test_a_folders_use_and_quotas_are_those_of_hdfs(hdfs: HdfsServer) -> None:
    folder = f"/{uuid.uuid4().hex[:12]}"
    TopicTable.open_or_create(hdfs.url + folder, "app")
    health = HdfsHealth(hdfs.webhdfs)
    use = health.use(folder)
    assert use is not None
    assert (use.files, use.stored, use.space_quota, use.name_quota) == (1, 3 * use.bytes, None, None)
    query = {"op": "SETQUOTA", "storagespacequota": "1000000", "namespacequota": "50", "user.name": getpass.getuser()}
    requests.put(f"{hdfs.webhdfs}/webhdfs/v1{folder}", params=query, timeout=10).raise_for_status()
    limited = health.use(folder)
    assert limited is not None
    assert (limited.space_quota, limited.name_quota, limited.names) == (1_000_000, 50, use.names)
    assert health.use(f"{folder}/nothing") is None


def test_a_folder_that_is_not_there_has_no_hours(hdfs: HdfsServer) -> None:
    assert HdfsHealth(hdfs.webhdfs).hours(f"/{uuid.uuid4().hex}") == ()


def test_a_namenode_that_is_starting_is_a_transient_error(httpserver: HTTPServer) -> None:
    """Its web server answers before its namespace is loaded."""
    httpserver.expect_ordered_request("/jmx").respond_with_json({"beans": [{"State": "active"}]})
    httpserver.expect_ordered_request("/jmx").respond_with_json({"beans": []})
    with pytest.raises(TransientError, match="starting"):
        HdfsHealth(httpserver.url_for("").rstrip("/")).state()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:1;http://127.0.0.1:2"], ids=["one", "two"])
def test_namenodes_that_are_away_are_a_transient_error(url: str) -> None:
    health = HdfsHealth(url, timeout=timedelta(seconds=2))
    with pytest.raises(TransientError):
        health.state()
    with pytest.raises(TransientError):
        health.hours("/x")
