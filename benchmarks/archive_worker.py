"""One process of the archive's benchmark: appends some partitions of a topic, or only reads them."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Position

from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.archive.append import Limits, append_ranges
from faultline.model import OffsetRange
from faultline.settings import Settings
from faultline.topicfile import TopicConfig

SETTINGS = Settings()
LIMITS = Limits(SETTINGS.archive_batch_rows, SETTINGS.archive_batch_bytes, SETTINGS.archive_batch_time)


def main(work: str, bootstrap: str, url: str, topic: str, partitions: str) -> None:
    """``append`` to the table of each line's folder, or ``consume`` and forget, or ``open`` the table and no more."""
    numbers = [int(number) for number in partitions.split(",")]
    with KafkaSource(bootstrap) as source:
        if work == "open":
            TopicTable.open(url, topic).positions(source.partitions(topic))
        print("ready", flush=True)
        for line in sys.stdin:
            spans = list(source.watermarks([source.partitions(topic)[number] for number in numbers]).values())
            if work == "append":
                append(source, f"{url}/{line.strip()}", topic, spans)
            else:
                consume(bootstrap, spans)
            print("done", flush=True)


def append(source: KafkaSource, url: str, topic: str, spans: list[OffsetRange]) -> None:
    """As a task of ``archive_logs`` does."""
    table = TopicTable.open(url, topic)
    append_ranges(table, source, TopicConfig(name=topic), spans, LIMITS, event_time_span=SETTINGS.event_time_span)


def consume(bootstrap: str, spans: list[OffsetRange]) -> None:
    """The peer: confluent-kafka's consumer, its records thrown away."""
    # Without the last of these it rests for a second whenever its queue is full.
    properties = {"bootstrap.servers": bootstrap, "group.id": "peer", "fetch.queue.backoff.ms": 10}
    consumer = Consumer(properties)
    consumer.assign([Position(span.partition.topic, span.partition.partition, span.start) for span in spans])
    left = sum(map(len, spans))
    while left:
        left -= len(consumer.consume(min(1000, left), 1.0))
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
