"""Real Kafka, real HDFS, and everything that may happen between them: no record is lost, none is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.append import STEPS
from faultline.archive.verify import verify_topic
from faultline.errors import TransientError
from tests.archive.crash import BATCH, append_all
from tests.contracts.brokers import RealBroker
from tests.servers import HdfsServer, KafkaServer

PER_PARTITION = BATCH + 10


@pytest.fixture
def topic(kafka: str) -> str:
    """Two partitions on the real broker: a record, a broken record, and so on."""
    name = f"crash-{uuid.uuid4().hex[:12]}"
    broker = RealBroker(kafka)
    broker.create(name, 2)
    for partition in range(2):
        values = [b'{"level": "ERROR", "message": "m%d"}' % n if n % 2 else b"\xff" for n in range(PER_PARTITION)]
        broker.produce(name, values, partition)
    return name


@pytest.fixture
def archive(hdfs_server: HdfsServer) -> str:
    return f"{hdfs_server.url}/{uuid.uuid4().hex[:12]}"


def assert_proven(kafka: str, archive: str, topic: str, rows: int = 2 * PER_PARTITION) -> None:
    with KafkaSource(kafka) as source:
        report = verify_topic(TopicTable.open(archive, topic), source)
    assert report.faults == ()
    assert (report.rows, sum(part.lag or 0 for part in report.partitions)) == (rows, 0)


def die(kafka: str, archive: str, topic: str, step: str, after: int) -> None:
    command = [sys.executable, "-m", "tests.archive.crash", kafka, archive, topic, step, str(after)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_and_run_again(kafka: str, archive: str, topic: str, step: str) -> None:
    per_batch = step in STEPS[1:5]
    die(kafka, archive, topic, step, after=1 if per_batch else 0)
    append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic)


def test_two_processes_that_race_leave_every_record_once(kafka: str, archive: str, topic: str) -> None:
    """Whoever loses a commit stops; what is left to do is done by the next run."""
    TopicTable.open_or_create(archive, topic)
    command = [sys.executable, "-m", "tests.archive.crash", kafka, archive, topic, "never", "0"]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [racer.communicate(timeout=120)[1] for racer in racers]
    assert all(racer.returncode == 0 or "Superseded" in error for racer, error in zip(racers, errors, strict=True))
    append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic)


def test_the_namenode_restarts_between_two_appends(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    append_all(kafka, archive, topic)
    hdfs_server.restart_namenode()
    RealBroker(kafka).produce(topic, [b"{}"] * 7)
    assert append_all(kafka, archive, topic).rows == 7
    assert_proven(kafka, archive, topic, 2 * PER_PARTITION + 7)


def test_safe_mode_is_a_transient_error_until_hdfs_leaves_it(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    TopicTable.open_or_create(archive, topic)
    hdfs_server.safe_mode(True)
    with pytest.raises(TransientError, match="SafeModeException"):
        append_all(kafka, archive, topic)
    hdfs_server.safe_mode(False)
    append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic)


def test_hdfs_and_kafka_that_are_away_are_transient_errors(
    kafka_server: KafkaServer, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    TopicTable.open_or_create(archive, topic)
    hdfs_server.namenode.kill()
    with pytest.raises(TransientError, match="refused"):
        append_all(kafka_server.bootstrap, archive, topic)
    hdfs_server.start()
    kafka_server.kill()
    with KafkaSource(kafka_server.bootstrap, timeout=timedelta(seconds=2)) as source, pytest.raises(TransientError):
        source.partitions(topic)
    kafka_server.start()
    append_all(kafka_server.bootstrap, archive, topic)
    assert_proven(kafka_server.bootstrap, archive, topic)
