"""What a real broker does to a topic between two runs, and what the archive makes of it."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.findings import VerifyReport
from faultline.archive.losses import DELETED, LOSS_STEPS, RECREATED, STOPPED
from faultline.archive.verify import verify_topic
from faultline.dispatch.messages import render
from faultline.errors import PermanentError
from faultline.model import OffsetRange, TopicPartition, utc_now
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import archived_until, plan_archive_run
from tests.contracts.brokers import LATELY, RealBroker

RULES = "groups: []\nroute: {receiver: ops}\nreceivers: [{name: ops, console_configs: [{}]}]\n"


@pytest.fixture
def topic() -> str:
    return f"policy-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def broker(kafka: str) -> RealBroker:
    return RealBroker(kafka)


@pytest.fixture
def settings(kafka: str, topic: str, tmp_path: Path) -> Settings:
    """Losses of ``topic`` are recorded; a database and a receiver are there."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {topic}, lost_records: record_gap}}]")
    database_url = f"sqlite:///{tmp_path}/faultline.db"
    with Database(database_url) as database:
        database.migrate()
    return Settings(
        kafka_bootstrap_servers=kafka,
        archive_url=str(tmp_path / "archive"),
        database_url=database_url,
        rules_file=tmp_path / "rules.yaml",
        topics_file=tmp_path / "topics.yaml",
        archive_batch_rows=10,
        archive_patience=timedelta(0),
    )


def fail_on_losses(settings: Settings, topic: str) -> None:
    settings.topics_file.write_text(f"topics: [{{name: {topic}}}]")


def archive(settings: Settings, broker: RealBroker, **more: Any) -> list[dict[str, Any]]:
    groups = plan_archive_run(settings, broker.source, until=utc_now())
    return [append_group(settings, broker.source, group, **more) for group in groups]


def prove(settings: Settings, broker: RealBroker, topic: str) -> VerifyReport:
    report = verify_topic(TopicTable.open(settings.archive_url, topic), broker.source)
    assert report.faults == ()
    return report


def told(settings: Settings) -> list[str]:
    """The alert and the first words of every message in the outbox."""
    with Database(settings.database_url) as database:
        leased = database.lease_due(utc_now() + timedelta(hours=1), timedelta(seconds=1), 10)
    return [render(each.notification).text.splitlines()[0] for each in leased]


def wait_for_end(broker: RealBroker, topic: str, end: int) -> None:
    """Until the broker has written the markers of ended transactions, which it does a moment after it says so."""
    [part] = broker.source.partitions(topic)
    while broker.source.watermarks([part])[part].end < end:
        pass


def values(number: int) -> list[bytes]:
    return [b'{"message": "m%d"}' % count for count in range(number)]


def test_a_range_that_kafka_deleted_stops_the_topic_and_is_named_exactly(
    settings: Settings, broker: RealBroker, topic: str
) -> None:
    fail_on_losses(settings, topic)
    broker.create(topic)
    broker.produce(topic, values(5))
    archive(settings, broker)
    broker.produce(topic, values(10))
    broker.delete_records(topic, 0, 8)
    for _ in range(2):
        with pytest.raises(PermanentError, match=rf"{topic}/0\[5, 8\) \(3 offsets\)"):
            archive(settings, broker)
    assert prove_fails(settings, broker, topic) == ["lost"]
    assert told(settings) == [f"{topic}/0[5, 8) (3 offsets) was {STOPPED}"]


def prove_fails(settings: Settings, broker: RealBroker, topic: str) -> list[str]:
    table = TopicTable.open(settings.archive_url, topic)
    return [found.kind for found in verify_topic(table, broker.source).faults]


def test_or_the_gap_is_written_down_and_told_once_and_the_rest_is_archived(
    settings: Settings, broker: RealBroker, topic: str
) -> None:
    broker.create(topic)
    broker.produce(topic, values(5))
    archive(settings, broker)
    broker.produce(topic, values(10))
    broker.delete_records(topic, 0, 8)
    steps: list[str] = []
    [report] = archive(settings, broker, checkpoint=steps.append)
    assert (report["rows"], [(each["start"], each["end"]) for each in report["lost"]]) == (7, [(5, 8)])
    assert tuple(step for step in steps if "loss" in step) == LOSS_STEPS
    [loss] = prove(settings, broker, topic).losses
    assert (loss.range.start, loss.range.end, loss.reason) == (5, 8, DELETED)
    assert archive(settings, broker) == []
    assert told(settings) == [f"{topic}/0[5, 8) (3 offsets) was {DELETED}"]


def test_retention_that_overtakes_an_append_is_noticed(
    settings: Settings, broker: RealBroker, kafka: str, topic: str
) -> None:
    """Whatever was read ahead is archived, the rest written down as lost."""
    broker.create(topic)
    for _ in range(20):  # fetched ten by ten
        broker.produce(topic, [b"x" * 1000] * 10)
    broker.source = KafkaSource(kafka, {"queued.max.messages.kbytes": "1", "fetch.message.max.bytes": "1000"})

    def overtake(step: str) -> None:
        if step == "after_commit":
            broker.delete_records(topic, 0, 190)

    archive(settings, broker, checkpoint=overtake)
    report = prove(settings, broker, topic)
    [loss] = report.losses
    assert (loss.range.end, report.rows + len(loss.range), report.partitions[0].next) == (190, 200, 200)


def test_a_loss_is_written_down_also_when_nobody_can_be_told(
    settings: Settings, broker: RealBroker, topic: str, tmp_path: Path
) -> None:
    alone = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/nowhere/faultline.db"})
    broker.create(topic)
    broker.produce(topic, values(5))
    archive(alone, broker)
    broker.delete_records(topic, 0, 5)
    broker.produce(topic, values(4))
    broker.delete_records(topic, 0, 6)
    archive(alone, broker)
    assert [len(loss.range) for loss in prove(alone, broker, topic).losses] == [1]


def test_a_warning_comes_before_the_loss(
    settings: Settings, broker: RealBroker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker.create(topic)
    broker.produce(topic, values(10))
    archive(settings, broker)
    broker.produce(topic, values(20))
    broker.delete_records(topic, 0, 8)
    plan_archive_run(settings, broker.source, until=utc_now())
    assert f"{topic}/0[10, 30) is not archived, and Kafka already deletes what is 2 offsets before it" in caplog.text


def test_a_topic_created_again_starts_a_generation_and_what_it_takes_along_is_named(
    settings: Settings, broker: RealBroker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker.create(topic)
    broker.produce(topic, values(5))
    archive(settings, broker)
    [before] = broker.source.partitions(topic)
    with Database(settings.database_url) as database:
        database.record_counts([OffsetRange(before, 0, 9)], [])  # the alert lane had read on
    broker.delete(topic)
    broker.create(topic)
    broker.produce(topic, values(3))
    with caplog.at_level(logging.WARNING):
        assert [report["rows"] for report in archive(settings, broker)] == [3]
    assert "deleted and created again" in caplog.text
    report = prove(settings, broker, topic)
    assert [(loss.range, loss.reason) for loss in report.losses] == [(OffsetRange(before, 5, 9), RECREATED)]
    assert sorted((part.next, part.rows) for part in report.partitions) == [(3, 3), (9, 5)]
    assert archive(settings, broker) == []
    assert ["lost behind that" in line for line in told(settings)] == [True]


def test_partitions_that_are_added_are_archived_from_their_first_record(
    settings: Settings, broker: RealBroker, kafka: str, topic: str
) -> None:
    broker.create(topic)
    broker.produce(topic, values(5))
    archive(settings, broker)
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result()
    while len(broker.source.partitions(topic)) < 3:
        pass
    for partition in range(3):
        broker.produce(topic, values(4), partition)
    archive(settings, broker)
    assert [(part.next, part.rows) for part in prove(settings, broker, topic).partitions] == [(9, 9), (4, 4), (4, 4)]


def test_of_transactions_only_what_was_committed_is_archived_and_the_rest_explained(
    settings: Settings, broker: RealBroker, topic: str
) -> None:
    broker.create(topic)
    broker.transaction(topic, values(3), commit=True)
    broker.transaction(topic, values(2), commit=False)
    wait_for_end(broker, topic, 7)
    archive(settings, broker)
    [part] = prove(settings, broker, topic).partitions
    assert (part.next, part.rows, part.explained) == (7, 3, 4)


def test_what_a_compacted_topic_still_has_is_archived_and_the_rest_explained(
    settings: Settings, broker: RealBroker, kafka: str, topic: str
) -> None:
    eager = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 1, 1, config=eager)])[topic].result()
    broker.produce(topic, values(50))  # all under one key
    broker.produce(topic, values(1), at=LATELY + timedelta(minutes=1))  # closes the segment before it
    [part] = broker.source.partitions(topic)
    while len(offsets := offsets_of(broker, part)) == 50:
        pass
    archive(settings, broker)
    [proven] = prove(settings, broker, topic).partitions
    assert proven.explained >= 49 - len(offsets)
    assert proven.rows + proven.explained == proven.next


def offsets_of(broker: RealBroker, part: TopicPartition) -> list[int]:
    """The first fifty offsets, as far as they have a record."""
    batches = broker.source.read([OffsetRange(part, 0, 50)], max_rows=1000, max_bytes=2**20)
    return [offset for table, _ in batches for offset in table["kafka_offset"].to_pylist()]


def test_an_idle_topic_is_complete_until_now_and_gets_no_commits(
    settings: Settings, broker: RealBroker, topic: str
) -> None:
    broker.create(topic, 2)
    broker.produce(topic, values(3))
    archive(settings, broker)
    version = TopicTable.open(settings.archive_url, topic).version
    assert archive(settings, broker) == []
    assert TopicTable.open(settings.archive_url, topic).version == version
    now = utc_now()
    assert archived_until(settings, broker.source, topic, times=[], now=now) == now


def test_an_undecided_transaction_holds_the_topic_back(
    settings: Settings, broker: RealBroker, kafka: str, topic: str
) -> None:
    broker.create(topic)
    broker.produce(topic, values(3))
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"{}")
    producer.flush(20)
    archive(settings, broker)
    now = utc_now()
    assert archived_until(settings, broker.source, topic, times=[now - timedelta(hours=2)], now=now) == now - timedelta(
        hours=2
    )
    producer.commit_transaction(20)
    wait_for_end(broker, topic, 5)
    archive(settings, broker)
    assert archived_until(settings, broker.source, topic, times=[], now=now) == now
