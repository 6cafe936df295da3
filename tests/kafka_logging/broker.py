"""What a test reads back from a real topic."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient


def new_topic() -> str:
    return f"logs-{uuid.uuid4().hex[:12]}"


def read_all(bootstrap: str, topic: str) -> Sequence[Message]:
    """Everything that is in the topic now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    found = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30) for number in found]
    consumer.close()
    return read(bootstrap, topic, sum(end - start for start, end in ends))


def read(bootstrap: str, topic: str, number: int, seconds: float = 60) -> Sequence[Message]:
    """The topic's first ``number`` messages by partition and offset; fewer when no more arrive in time."""
    partitions = AdminClient({"bootstrap.servers": bootstrap}).list_topics(topic, timeout=30).topics[topic].partitions
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: list[Message] = []
    deadline = time.monotonic() + seconds
    while len(found) < number and time.monotonic() < deadline:
        found += [message for message in consumer.consume(number, timeout=0.5) if not message.error()]
    consumer.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))
