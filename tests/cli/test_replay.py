"""``faultline replay`` on a real broker: byte for byte, never by accident, and honest about what was not taken."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner, Result

from faultline.cli import app
from faultline.testing.records import raw_table
from tests.archive.search.brute import append
from tests.processes import Started

# Brokers delete what is old.
LATELY = datetime.now(UTC).replace(microsecond=123000) - timedelta(hours=1)
VALUES: Sequence[bytes | None] = [b'{"message": "a", "level": "ERROR"}', b"\xff\x00", None, b"", "超时".encode()]


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an archive of app-logs: two partitions with keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", str(tmp_path / "archive"))
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    for partition in (0, 1):
        raw = raw_table(VALUES, at=LATELY, partition=partition, start=10)
        keys = pa.array([b"key", None, b"\xfe", b"", b"k"], pa.binary())
        append(
            str(tmp_path / "archive"),
            raw.set_column(raw.schema.get_field_index("kafka_key"), "kafka_key", keys),
            "app-logs",
        )
    return str(tmp_path / "archive")


@pytest.fixture
def again(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty topic of two partitions."""
    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    return create(kafka, 2)


def create(kafka: str, partitions: int, **config: str) -> str:
    name = f"again-{uuid.uuid4().hex[:8]}"
    topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([topic])[name].result()
    while len(admin.list_topics(name, timeout=30).topics[name].partitions) < partitions:
        time.sleep(0.1)  # the broker has agreed, and is still making it
    return name


def run(*arguments: str, **more: str) -> Result:
    return CliRunner().invoke(app, ("replay", "--since", "2h", *arguments), **more)  # type: ignore[arg-type]


def messages(kafka: str, topic: str, partitions: int = 2) -> list[Message]:
    """Everything in the topic."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found, ended = list[Message](), 0
    while ended < partitions:
        message = consumer.poll(20)
        assert message is not None
        if message.error():
            ended += 1
        else:
            found.append(message)
    consumer.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def test_records_come_back_byte_for_byte_with_key_time_and_origin(archived: str, kafka: str, again: str) -> None:
    result = run("--to", f"kafka://{again}", "--yes")
    assert (result.exit_code, "10 of 10 records replayed." in result.stderr) == (0, True), result.output
    found = messages(kafka, again)
    assert [message.value() for message in found] == [*VALUES, *VALUES]
    assert [message.key() for message in found] == 2 * [b"key", None, b"\xfe", b"", b"k"]
    assert {message.timestamp()[1] for message in found} == {round(LATELY.timestamp() * 1000)}
    origins = [dict(message.headers() or [])["faultline.origin"].decode() for message in found]
    assert origins == [f"app-logs/{part}/{offset}" for part in (0, 1) for offset in range(10, 15)]


def test_only_what_matches_is_replayed_to_a_cluster_named_in_the_address(
    archived: str, kafka: str, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = run("level>=ERROR kafka_partition=1", "--to", f"kafka://{kafka}/{again}", "--yes", "--topic", "app-logs")
    assert result.exit_code == 0, result.output
    assert [message.value() for message in messages(kafka, again)] == [VALUES[0]]


def test_it_says_what_it_would_do_and_does_nothing_without_a_yes(archived: str, kafka: str, again: str) -> None:
    result = run("--to", f"kafka://{again}", input="n\n")
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert f"10 records of app-logs, from {LATELY:%Y-%m-%d %H:%M:%S}.123" in said
    assert f"to topic {again} at {kafka}, at most 1,000 a second." in said
    assert messages(kafka, again) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "kafka://app-logs", "--yes"), "app-logs is archived"),
        (("--to", "kafka://no-such-topic", "--yes"), "there is no topic 'no-such-topic'"),
    ],
)
def test_a_destination_that_will_not_do_is_refused(
    archived: str, again: str, arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, said in result.stderr) == (1, True)


def test_nothing_to_replay_is_said(archived: str, again: str) -> None:
    result = run("nowhere", "--to", f"kafka://{again}")
    assert (result.exit_code, result.stderr) == (0, "Nothing to replay.\n")


def test_an_address_that_is_none_says_what_is_expected(archived: str) -> None:
    result = CliRunner().invoke(app, ("replay", "--since", "2h", "--to", "again"), env={"COLUMNS": "200"})
    assert (result.exit_code, "expected kafka://topic" in result.stderr) == (2, True)


def test_what_the_broker_refuses_is_counted_and_the_rest_arrives(archived: str, kafka: str, again: str) -> None:
    small = create(kafka, 1, max_message_bytes="2000")
    large = json.dumps({"noise": [hash(str(n)) for n in range(1000)]}).encode()
    append(archived, raw_table([b"before", large, b"after"], at=LATELY, start=15), "app-logs")
    result = run("kafka_offset>=15", "--to", f"kafka://{small}", "--yes")
    assert result.exit_code == 1
    assert "2 of 3 records replayed, 1 were not taken." in result.stderr
    assert [message.value() for message in messages(kafka, small, 1)] == [b"before", b"after"]


def test_ctrl_c_says_how_to_go_on(archived: str, kafka: str, again: str) -> None:
    command = [str(Path(sys.executable).with_name("faultline")), "replay", "--since", "2h", "--to", f"kafka://{again}"]
    with Started([*command, "--yes", "--rate", "0.5"], stderr=subprocess.PIPE, text=True) as slow:
        assert slow.stderr is not None
        slow.stderr.readline()
        end = time.monotonic() + 30
        while not messages(kafka, again) and time.monotonic() < end:
            pass
        slow.send_signal(signal.SIGINT)
        said = slow.stderr.read()
    assert slow.returncode == 130
    assert f"To go on: --since {LATELY:%Y-%m-%dT%H:%M:%S.%f}Z" in said
