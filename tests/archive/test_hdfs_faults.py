"""What HDFS may do to an append in the middle of it: it is waited out or comes out as transient, and nothing half
written is ever part of the table.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from dev.programs import wait_until
from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.adapters.webhdfs import HdfsHealth
from faultline.archive.verify import verify_topic
from faultline.errors import TransientError
from tests.archive.crash import append_all
from tests.archive.reader import polled
from tests.contracts.brokers import RealBroker
from tests.servers import HdfsServer

PATIENCE = timedelta(minutes=2)
ROWS = 100


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"fault-{uuid.uuid4().hex[:12]}"
    broker = RealBroker(kafka)
    broker.create(name)
    broker.produce(name, [b"{}"] * ROWS)
    return name


@pytest.fixture
def folder() -> str:
    return f"/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def archive(hdfs_server: HdfsServer, folder: str) -> str:
    return f"{hdfs_server.url}{folder}"


def assert_proven(kafka: str, archive: str, topic: str, rows: int = ROWS) -> None:
    with KafkaSource(kafka) as source:
        report = verify_topic(TopicTable.open(archive, topic), source, deep=True)
    assert (report.faults, report.rows) == ((), rows)


def once(step: str, action: Callable[[], object]) -> Callable[[str], None]:
    """A checkpoint that does something the first time the step comes."""
    left = [action]

    def checkpoint(name: str) -> None:
        if name == step and left:
            left.pop()()

    return checkpoint


def test_a_namenode_that_restarts_during_a_commit_is_waited_for(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    killed = threading.Event()

    def kill() -> None:
        hdfs_server.namenode.kill()
        killed.set()

    # The server lives as long as the thread that started it: so the append is beside the test.
    with ThreadPoolExecutor(1) as pool:
        append = pool.submit(append_all, kafka, archive, topic, once("before_commit", kill), patience=PATIENCE)
        killed.wait()
        hdfs_server.start()
        append.result()
    assert_proven(kafka, archive, topic)


def test_a_datanode_that_is_lost_disturbs_no_reader_and_the_append_goes_on_when_it_is_back(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    """Three replicas need three DataNodes until the NameNode gives up the lost one, which takes it ten minutes."""
    append_all(kafka, archive, topic)
    RealBroker(kafka).produce(topic, [b"{}"] * 7)
    with polled(archive, topic):
        with contextlib.suppress(TransientError):
            append_all(kafka, archive, topic, once("consuming", hdfs_server.datanodes[0].kill))
        hdfs_server.start()
        append_all(kafka, archive, topic, patience=PATIENCE)
    assert_proven(kafka, archive, topic, ROWS + 7)


def test_datanodes_cut_off_in_the_middle_of_a_block_leave_nothing_that_anybody_sees(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    RealBroker(kafka).produce(topic, [os.urandom(500_000) for _ in range(100)])
    TopicTable.open_or_create(archive, topic)

    def cut() -> None:
        while not blocks_being_written(hdfs_server):
            pass
        for datanode in hdfs_server.datanodes:
            datanode.kill()

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(TransientError):
        append_all(kafka, archive, topic, batch=1000)
    cutter.join()
    hdfs_server.start()
    append_all(kafka, archive, topic, batch=1000, patience=PATIENCE)
    assert_proven(kafka, archive, topic, ROWS + 100)


def blocks_being_written(server: HdfsServer) -> bool:
    """Whether a DataNode has a part of a block that is not finished; sooner known from its disk than by asking."""
    return any(server.spec.folder.glob("datanode-*/data/current/BP-*/current/rbw/blk_*"))


def set_quota(server: HdfsServer, folder: str, allowed: int) -> None:
    """At most so many bytes, replicas counted, as ``hdfs dfsadmin -setSpaceQuota`` does; -1 for no limit."""
    query = {"op": "SETQUOTA", "storagespacequota": str(allowed), "user.name": getpass.getuser()}
    httpx.put(f"{server.webhdfs}/webhdfs/v1{folder}", params=query).raise_for_status()


def test_a_folder_that_is_full_is_a_transient_error_until_there_is_room(
    kafka: str, hdfs_server: HdfsServer, archive: str, folder: str, topic: str
) -> None:
    append_all(kafka, archive, topic)
    RealBroker(kafka).produce(topic, [b"{}"] * 7)
    set_quota(hdfs_server, folder, 2**20)
    version = TopicTable.open(archive, topic).version
    with polled(archive, topic), pytest.raises(TransientError, match="quota"):
        append_all(kafka, archive, topic)
    assert TopicTable.open(archive, topic).version == version
    set_quota(hdfs_server, folder, -1)
    assert append_all(kafka, archive, topic) == 7
    assert_proven(kafka, archive, topic, ROWS + 7)


def fill_disks(server: HdfsServer) -> None:
    """Restart the DataNodes so that they keep more room free than there is; ``start`` after a stop undoes it."""
    reserved = f"<property><name>dfs.datanode.du.reserved</name><value>{2**60}</value></property></configuration>"
    for number, datanode in enumerate(server.datanodes):
        datanode.stop()
        site = server.spec.folder / f"datanode-{number}" / "conf" / "hdfs-site.xml"
        site.write_text(site.read_text().replace("</configuration>", reserved))
        datanode.start()
    health = HdfsHealth(server.webhdfs)
    wait_until(lambda: not health.state().remaining, "full disks", server.spec.log("namenode"), lambda: True)


def test_disks_that_are_full_are_a_transient_error_until_there_is_room(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    append_all(kafka, archive, topic)
    RealBroker(kafka).produce(topic, [b"{}"] * 7)
    version = TopicTable.open(archive, topic).version
    fill_disks(hdfs_server)
    try:
        with pytest.raises(TransientError, match="could only be written to 0 of the 1"):
            append_all(kafka, archive, topic)
        assert TopicTable.open(archive, topic).version == version
    finally:
        for datanode in hdfs_server.datanodes:
            datanode.stop()
        hdfs_server.start()
    assert append_all(kafka, archive, topic, patience=PATIENCE) == 7
    assert_proven(kafka, archive, topic, ROWS + 7)
