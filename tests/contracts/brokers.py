"""The same hands on a broker in memory and on a real one, for contract tests of a RecordSource."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from faultline.adapters.kafka import KafkaSource
from faultline.records.source import RecordSource
from faultline.testing.kafka import MemorySource

# A broker refuses times in the future and, by retention, forgets old ones.
LATELY = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
Values = Sequence[bytes | None]


class Broker(Protocol):
    """What a contract test does to a broker; ``source`` reads it."""

    @property
    def source(self) -> RecordSource: ...

    def create(self, topic: str, partitions: int = 1) -> None: ...

    def delete(self, topic: str) -> None: ...

    def produce(self, topic: str, values: Values, partition: int = 0, at: datetime = LATELY) -> None: ...

    def delete_records(self, topic: str, partition: int, before: int) -> None: ...

    def transaction(self, topic: str, values: Sequence[bytes], *, commit: bool) -> None:
        """The values in one transaction; its end marker takes one more offset."""


class MemoryBroker:
    def __init__(self) -> None:
        self.source = MemorySource()
        self.create = self.source.create
        self.delete = self.source.delete
        self.delete_records = self.source.delete_records

    def produce(self, topic: str, values: Values, partition: int = 0, at: datetime = LATELY) -> None:
        for value in values:
            self.source.produce(topic, value, partition=partition, key=b"k", at=at)

    def transaction(self, topic: str, values: Sequence[bytes], *, commit: bool) -> None:
        if commit:
            self.produce(topic, values)
        self.source.gap(topic, offsets=1 if commit else len(values) + 1)


class RealBroker:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self.source = KafkaSource(bootstrap, timeout=timedelta(seconds=8))

    def create(self, topic: str, partitions: int = 1) -> None:
        # A name is free again a moment after its topic was deleted.
        _wait(lambda: self._admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result())

    def delete(self, topic: str) -> None:
        self._admin.delete_topics([topic])[topic].result()

    def produce(self, topic: str, values: Values, partition: int = 0, at: datetime = LATELY) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 1})
        self._send(producer, topic, values, partition, at)
        assert producer.flush(20) == 0

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        place = TopicPartition(topic, partition, before)
        self._admin.delete_records([place])[place].result()

    def transaction(self, topic: str, values: Sequence[bytes], *, commit: bool) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap, "transactional.id": uuid.uuid4().hex})
        producer.init_transactions(30)
        producer.begin_transaction()
        self._send(producer, topic, values, 0, LATELY)
        producer.flush(20)
        if commit:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)

    def _send(self, producer: Producer, topic: str, values: Values, partition: int, at: datetime) -> None:
        milliseconds = round(at.timestamp() * 1000)
        for value in values:
            producer.produce(
                topic, value, key=b"k", partition=partition, timestamp=milliseconds, on_delivery=_assert_delivered
            )


def _assert_delivered(error: KafkaError | None, message: Message) -> None:
    assert error is None, error


def _wait(action: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            action()
            return
        except KafkaException:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)
