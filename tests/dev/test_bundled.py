"""Where there is neither Java nor mvn, Python packages run the same servers, beside others."""

from __future__ import annotations

from pathlib import Path

from dev.jars import fetch
from dev.java import bundled_java
from dev.ports import free_ports
from tests.servers import HdfsServer, KafkaServer, running


def test_a_second_kafka_runs_on_the_bundled_java_beside_the_first(kafka: str, state_folder: Path) -> None:
    folder = state_folder / "bundled-kafka"
    with running(KafkaServer(folder, bundled_java(), fetch("kafka", "jgo"), free_ports())) as second:
        assert second.spec.answers()
        assert second.bootstrap != kafka


def test_a_second_hdfs_runs_on_the_bundled_java_beside_the_first(hdfs: HdfsServer, state_folder: Path) -> None:
    with running(
        HdfsServer(state_folder / "bundled-hdfs", bundled_java(), fetch("hdfs", "jgo"), free_ports())
    ) as second:
        assert second.spec.answers()
        assert second.url != hdfs.url
