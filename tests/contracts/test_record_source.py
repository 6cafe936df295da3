"""What the lanes rely on when they read a topic: the same on a real broker and on the one in memory."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Producer

from faultline.adapters.kafka import KafkaSource
from faultline.adapters.kafka_reader import RangeReader
from faultline.errors import LostRange, PermanentError, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RAW_SCHEMA
from faultline.testing.kafka import MemorySource
from tests.contracts.brokers import LATELY, Broker, MemoryBroker, RealBroker


@pytest.fixture(params=["memory", "real"])
def broker(request: pytest.FixtureRequest) -> Broker:
    return MemoryBroker() if request.param == "memory" else RealBroker(request.getfixturevalue("kafka"))


@pytest.fixture
def topic() -> str:
    return f"contract-{uuid.uuid4().hex[:12]}"


def values(count: int, start: int = 0) -> list[bytes]:
    return [b"value %d" % number for number in range(start, start + count)]


def held(broker: Broker, topic: str) -> list[OffsetRange]:
    return list(broker.source.watermarks(broker.source.partitions(topic)).values())


def read(
    broker: Broker, ranges: Sequence[OffsetRange], **limits: int
) -> tuple[list[dict[str, Any]], list[OffsetRange]]:
    rows: list[dict[str, Any]] = []
    covered: list[OffsetRange] = []
    for table, spans in broker.source.read(ranges, **{"max_rows": 1000, "max_bytes": 2**20, **limits}):
        assert table.schema == RAW_SCHEMA
        rows += table.to_pylist()
        covered += spans
    return rows, covered


def test_a_topic_that_does_not_exist_is_a_permanent_error(broker: Broker, topic: str) -> None:
    with pytest.raises(PermanentError, match=topic):
        broker.source.partitions(topic)


def test_an_empty_partition_holds_nothing_and_reads_as_nothing(broker: Broker, topic: str) -> None:
    broker.create(topic)
    [span] = held(broker, topic)
    assert (span.start, span.end) == (0, 0)
    assert read(broker, [span]) == ([], [])
    assert broker.source.offsets_at([span.partition], LATELY) == {span.partition: 0}


def test_a_record_comes_back_byte_for_byte_with_its_coordinates(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, [b"\xff\x00", None, b""])
    [span] = held(broker, topic)
    rows, covered = read(broker, [span])
    assert [(row["kafka_offset"], row["raw"]) for row in rows] == [(0, b"\xff\x00"), (1, None), (2, b"")]
    assert {(row["kafka_topic_id"], row["kafka_timestamp"], row["kafka_key"]) for row in rows} == {
        (span.partition.topic_id, LATELY, b"k")
    }
    assert covered == [OffsetRange(span.partition, 0, 3)]


def test_exactly_the_range_is_read(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, values(100))
    [part] = broker.source.partitions(topic)
    for start, end in [(10, 20), (0, 1), (99, 100), (50, 50)]:
        rows, _ = read(broker, [OffsetRange(part, start, end)])
        assert [row["kafka_offset"] for row in rows] == list(range(start, end))


@pytest.mark.parametrize("limits", [{"max_rows": 7}, {"max_bytes": 100}, {}], ids=["rows", "bytes", "one batch"])
def test_the_covered_ranges_of_all_batches_tile_what_was_asked_for(
    broker: Broker, topic: str, limits: dict[str, int]
) -> None:
    broker.create(topic, 3)
    for partition, count in enumerate([40, 0, 13]):
        broker.produce(topic, values(count), partition)
    asked = held(broker, topic)
    rows, covered = read(broker, asked, **limits)
    for span in asked:
        mine = [part for part in covered if part.partition == span.partition]
        edges = [span.start, *(part.end for part in mine)]
        assert [part.start for part in mine] == edges[:-1]
        assert edges[-1] == span.end
        offsets = [row["kafka_offset"] for row in rows if row["kafka_partition"] == span.partition.partition]
        assert offsets == list(range(span.start, span.end))


def test_offsets_without_a_record_are_covered(broker: Broker, topic: str) -> None:
    """A committed transaction ends with a marker, an aborted one leaves nothing but offsets."""
    broker.create(topic)
    broker.transaction(topic, values(3), commit=True)
    broker.transaction(topic, values(2), commit=False)
    broker.produce(topic, values(1))
    broker.transaction(topic, values(1), commit=True)
    [span] = held(broker, topic)
    rows, covered = read(broker, [span])
    assert [row["kafka_offset"] for row in rows] == [0, 1, 2, 7, 8]
    assert span.end == 10
    assert covered == [span]
    assert read(broker, [OffsetRange(span.partition, 3, 7)]) == ([], [OffsetRange(span.partition, 3, 7)])


def test_a_range_whose_start_is_gone_names_what_is_lost(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, values(10))
    [part] = broker.source.partitions(topic)
    broker.delete_records(topic, 0, 4)
    with pytest.raises(LostRange) as caught:
        read(broker, [OffsetRange(part, 1, 10)])
    assert caught.value.ranges == (OffsetRange(part, 1, 4),)
    assert f"{topic}/0[1, 4) (3 offsets)" in str(caught.value)


def test_a_range_beyond_the_end_is_refused(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, values(2))
    [part] = broker.source.partitions(topic)
    with pytest.raises(PermanentError, match="beyond"):
        read(broker, [OffsetRange(part, 0, 3)])


def test_a_topic_created_again_is_another_one(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, values(5))
    [before] = broker.source.partitions(topic)
    broker.delete(topic)
    broker.create(topic)
    broker.produce(topic, values(5))
    [after] = broker.source.partitions(topic)
    assert before.topic_id != after.topic_id
    with pytest.raises(PermanentError, match="created again"):
        read(broker, [OffsetRange(before, 0, 5)])
    assert len(read(broker, [OffsetRange(after, 0, 5)])[0]) == 5


def test_the_first_offset_at_or_after_a_time(broker: Broker, topic: str) -> None:
    broker.create(topic)
    for minute in range(4):
        broker.produce(topic, values(10), at=LATELY + timedelta(minutes=minute))
    [part] = broker.source.partitions(topic)
    found = [
        broker.source.offsets_at([part], LATELY + timedelta(minutes=minutes))[part] for minutes in (-1, 0, 2, 2.5, 9)
    ]
    assert found == [0, 0, 20, 30, 40]


def test_the_records_before_a_time_end_where_the_log_does_when_there_are_no_later_ones(
    broker: Broker, topic: str
) -> None:
    broker.create(topic)
    for minute in range(2):
        broker.produce(topic, values(10), at=LATELY + timedelta(minutes=minute))
    [part] = broker.source.partitions(topic)
    times = [LATELY + timedelta(minutes=minutes) for minutes in (0, 1, 9)]
    assert [broker.source.ends_at([part], time)[part] for time in times] == [0, 10, 20]


def test_many_partitions_are_read_together(broker: Broker, topic: str) -> None:
    broker.create(topic, 16)
    for partition in range(16):
        broker.produce(topic, values(partition), partition)
    rows, _ = read(broker, held(broker, topic))
    assert sorted((row["kafka_partition"], row["kafka_offset"]) for row in rows) == [
        (partition, offset) for partition in range(16) for offset in range(partition)
    ]


def test_reading_can_stop_early_and_go_on(broker: Broker, topic: str) -> None:
    broker.create(topic)
    broker.produce(topic, values(50))
    [span] = held(broker, topic)
    table, [covered] = next(iter(broker.source.read([span], max_rows=10, max_bytes=2**20)))
    assert (len(table), covered.end) == (10, 10)
    rows, _ = read(broker, [OffsetRange(span.partition, covered.end, span.end)])
    assert [row["kafka_offset"] for row in rows] == list(range(10, 50))


def test_a_broker_that_is_away_is_a_transient_error() -> None:
    memory = MemorySource()
    memory.unreachable = True
    with KafkaSource("127.0.0.1:1", timeout=timedelta(seconds=2)) as real:
        sources: list[MemorySource | KafkaSource] = [memory, real]
        part = TopicPartition("t", "id", 0)
        for source in sources:
            for ask in (
                lambda source: source.partitions("t"),
                lambda source: source.watermarks([part]),
                lambda source: list(source.read([OffsetRange(part, 0, 1)], max_rows=1, max_bytes=1)),
                lambda source: source.commit_group_offsets("g", {part: 1}),
            ):
                with pytest.raises(TransientError):
                    ask(source)


def test_a_users_properties_never_make_the_reader_skip_what_is_lost(kafka: str, topic: str) -> None:
    """Retention may overtake a reader between its first question and its first fetch."""
    broker = RealBroker(kafka)
    broker.create(topic)
    broker.produce(topic, values(10))
    [part] = broker.source.partitions(topic)
    broker.delete_records(topic, 0, 4)
    properties = {"bootstrap.servers": kafka, "auto.offset.reset": "earliest"}
    reader = RangeReader(properties, 8, logging.getLogger(__name__))
    with pytest.raises(LostRange) as caught:
        list(reader.read([OffsetRange(part, 1, 10)], max_rows=100, max_bytes=2**20))
    reader.close()
    assert caught.value.ranges == (OffsetRange(part, 1, 4),)


def test_an_undecided_transaction_hides_its_records_and_those_behind_it_but_not_that_there_are_some(
    kafka: str, topic: str
) -> None:
    broker = RealBroker(kafka)
    broker.create(topic)
    broker.produce(topic, values(3))
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided", timestamp=round(LATELY.timestamp() * 1000))
    producer.flush(20)
    broker.produce(topic, values(2))
    [part] = broker.source.partitions(topic)
    later = LATELY + timedelta(minutes=1)
    assert broker.source.watermarks([part])[part].end == 3
    assert broker.source.offsets_at([part], later) == {part: 3}
    assert broker.source.ends_at([part], later) == {part: 6}
    producer.abort_transaction(20)
    while broker.source.watermarks([part])[part].end < 7:  # the broker writes the marker a moment later
        pass


def test_what_was_read_before_the_broker_fell_silent_is_handed_out(kafka: str, topic: str) -> None:
    broker = RealBroker(kafka)
    broker.create(topic)
    broker.produce(topic, values(5))
    [part] = broker.source.partitions(topic)
    reader = RangeReader({"bootstrap.servers": kafka}, 2, logging.getLogger(__name__))
    batches = reader.read([OffsetRange(part, 0, 10)], max_rows=100, max_bytes=2**20)
    rows, covered = next(batches)
    assert (len(rows), covered) == (5, (OffsetRange(part, 0, 5),))
    with pytest.raises(TransientError, match="sent nothing"):
        next(batches)
    reader.close()


def test_a_group_sees_the_positions_copied_to_it(kafka: str, topic: str) -> None:
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as Position

    broker = RealBroker(kafka)
    broker.create(topic)
    broker.produce(topic, values(5))
    [part] = broker.source.partitions(topic)
    broker.source.commit_group_offsets("copy-of-" + topic, {part: 5})
    reader = Consumer({"bootstrap.servers": kafka, "group.id": "copy-of-" + topic})
    [committed] = reader.committed([Position(topic, 0)], timeout=20)
    reader.close()
    assert committed.offset == 5
