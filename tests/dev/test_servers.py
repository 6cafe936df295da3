"""The shared servers come back, whatever a test did to them."""

from __future__ import annotations

import httpx
import sqlalchemy
from confluent_kafka.admin import AdminClient

from dev.programs import wait_until
from tests.servers import HdfsServer, KafkaServer


def brokers(server: KafkaServer) -> int:
    return len(AdminClient({"bootstrap.servers": server.bootstrap}).list_topics(timeout=10).brokers)


def write(hdfs: HdfsServer, path: str, text: str) -> int:
    url = f"{hdfs.webhdfs}/webhdfs/v1{path}"
    return httpx.put(url, params={"op": "CREATE", "overwrite": "true"}, content=text, follow_redirects=True).status_code


def wait_for_text(hdfs: HdfsServer, path: str, text: str) -> None:
    """A DataNode's first call to a NameNode that has come back may still go down the old connection, and fail."""
    url = f"{hdfs.webhdfs}/webhdfs/v1{path}"
    wait_until(
        lambda: httpx.get(url, params={"op": "OPEN"}, follow_redirects=True).text == text,
        f"{path} on HDFS",
        hdfs.spec.log("namenode"),
        lambda: True,
        seconds=30,
    )


def test_a_killed_broker_answers_again_after_start(kafka_server: KafkaServer) -> None:
    kafka_server.kill()
    kafka_server.start()
    assert brokers(kafka_server) == 1


def test_a_suspended_broker_does_not_answer_until_it_is_resumed(kafka_server: KafkaServer) -> None:
    kafka_server.suspend()
    assert not kafka_server.spec.answers()
    kafka_server.resume()
    assert brokers(kafka_server) == 1


def test_hdfs_refuses_changes_in_safe_mode_only(hdfs_server: HdfsServer) -> None:
    hdfs_server.safe_mode(True)
    assert write(hdfs_server, "/servers/safe", "x") == 403
    hdfs_server.safe_mode(False)
    assert write(hdfs_server, "/servers/safe", "x") == 201


def test_files_outlive_a_restart_of_the_namenode(hdfs_server: HdfsServer) -> None:
    assert write(hdfs_server, "/servers/restart", "still here") == 201
    hdfs_server.restart_namenode()
    wait_for_text(hdfs_server, "/servers/restart", "still here")


def test_files_outlive_a_kill_of_everything(hdfs_server: HdfsServer) -> None:
    assert write(hdfs_server, "/servers/kill", "still here") == 201
    hdfs_server.kill()
    hdfs_server.start()
    wait_for_text(hdfs_server, "/servers/kill", "still here")


def test_every_test_gets_a_database_without_tables(database_url: str) -> None:
    engine = sqlalchemy.create_engine(database_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()
