"""Real Kafka, real HDFS, and everything that may happen between them: no record is lost, none is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.append import STEPS
from faultline.archive.losses import LOSS_STEPS
from faultline.archive.verify import verify_topic
from faultline.errors import TransientError
from tests.archive.crash import BATCH, append_all
from tests.archive.reader import polled
from tests.contracts.brokers import RealBroker
from tests.servers import HdfsServer, KafkaServer

Worker = subprocess.Popen[str]

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


def worker(kafka: str, archive: str, topic: str, step: str = "never", name: str = "SIGKILL", after: int = 0) -> Worker:
    """A process that archives the topic; it gets the signal at the step that has come ``after`` times before."""
    command = [sys.executable, "-m", "tests.archive.crash", kafka, archive, topic, step, name, str(after)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def die(kafka: str, archive: str, topic: str, step: str, after: int = 0) -> None:
    dying = worker(kafka, archive, topic, step, after=after)
    errors = dying.communicate(timeout=120)[1]
    assert dying.returncode == -signal.SIGKILL, errors


def end(loser: Worker) -> None:
    """Wait for a process that may find that another one was faster."""
    errors = loser.communicate(timeout=120)[1]
    assert loser.returncode == 0 or "Superseded" in errors, errors


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_and_run_again(kafka: str, archive: str, topic: str, step: str) -> None:
    per_batch = step in STEPS[1:5]
    with polled(archive, topic):
        die(kafka, archive, topic, step, after=1 if per_batch else 0)
        append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic)


@pytest.mark.parametrize("step", LOSS_STEPS)
def test_killed_while_a_loss_is_written_down_and_run_again(kafka: str, archive: str, topic: str, step: str) -> None:
    append_all(kafka, archive, topic)
    broker = RealBroker(kafka)
    broker.produce(topic, [b"{}"] * 9)
    broker.delete_records(topic, 0, PER_PARTITION + 4)
    with polled(archive, topic):
        die(kafka, archive, topic, step)
        append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic, 2 * PER_PARTITION + 5)
    [commit] = [commit for commit in TopicTable.open(archive, topic).commits() if commit.lost]
    assert [(loss.range.start, len(loss.range)) for loss in commit.lost] == [(PER_PARTITION, 4)]


def test_two_processes_that_race_leave_every_record_once(kafka: str, archive: str, topic: str) -> None:
    """Whoever loses a commit stops; what is left to do is done by the next run."""
    with polled(archive, topic):
        racers = [worker(kafka, archive, topic) for _ in range(2)]
        for racer in racers:
            end(racer)
        append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic)


def lose_to_a_successor(kafka: str, archive: str, topic: str, step: str, after: int) -> None:
    """A process is stopped at a step, another one does its work, and the first wakes up."""
    with polled(archive, topic):
        zombie = worker(kafka, archive, topic, step, "SIGSTOP", after)
        _, status = os.waitpid(zombie.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        append_all(kafka, archive, topic)
        zombie.send_signal(signal.SIGCONT)
        end(zombie)
    assert_proven(kafka, archive, topic)


@pytest.mark.parametrize("after", [0, 1], ids=["of the first commit", "of a later one"])
def test_a_zombie_that_wakes_after_its_successor_changes_nothing(
    kafka: str, archive: str, topic: str, after: int
) -> None:
    lose_to_a_successor(kafka, archive, topic, "before_commit", after)


@pytest.mark.matrix
@pytest.mark.parametrize("step", STEPS)
def test_a_zombie_may_have_been_stopped_anywhere(kafka: str, archive: str, topic: str, step: str) -> None:
    lose_to_a_successor(kafka, archive, topic, step, 0)


@pytest.mark.matrix
def test_five_races_of_four(kafka: str, archive: str, topic: str) -> None:
    broker = RealBroker(kafka)
    with polled(archive, topic):
        for _ in range(5):
            broker.produce(topic, [b"{}"] * 3 * BATCH)
            for racer in [worker(kafka, archive, topic) for _ in range(4)]:
                end(racer)
        append_all(kafka, archive, topic)
    assert_proven(kafka, archive, topic, 2 * PER_PARTITION + 5 * 3 * BATCH)


def test_the_namenode_restarts_between_two_appends(
    kafka: str, hdfs_server: HdfsServer, archive: str, topic: str
) -> None:
    append_all(kafka, archive, topic)
    hdfs_server.restart_namenode()
    RealBroker(kafka).produce(topic, [b"{}"] * 7)
    assert append_all(kafka, archive, topic) == 7
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
