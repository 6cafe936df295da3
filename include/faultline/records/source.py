"""What a source of records looks like to the lanes: planned offset ranges in, batches of raw bytes out.

Knows the columns of a raw batch; refuses to know where they come from (see ``adapters.kafka`` and ``testing``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from faultline.model import OffsetRange, TopicPartition

# One row per record, as the broker holds it. `kafka_timestamp` is the message's CreateTime or LogAppendTime.
RAW_SCHEMA = pa.schema(
    [
        pa.field("kafka_topic_id", pa.string(), nullable=False),
        pa.field("kafka_partition", pa.int32(), nullable=False),
        pa.field("kafka_offset", pa.int64(), nullable=False),
        pa.field("kafka_timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("kafka_key", pa.binary()),
        pa.field("raw", pa.large_binary()),
    ]
)


class RecordSource(Protocol):
    """Reads planned ranges of a topic; positions are always the *next* offset."""

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """The topic's partitions with its current id, by number; PermanentError when the topic does not exist."""

    def watermarks(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, OffsetRange]:
        """The offsets the broker holds of each partition, ``[low, high)``."""

    def offsets_at(self, partitions: Sequence[TopicPartition], at: datetime) -> Mapping[TopicPartition, int]:
        """The first offset whose timestamp is at or after ``at``; the high mark where there is none."""

    def ends_at(self, partitions: Sequence[TopicPartition], at: datetime) -> Mapping[TopicPartition, int]:
        """As ``offsets_at``, counting what belongs to undecided transactions: the log's end where there is none.

        What is below and at or above the high mark cannot be read yet, and may become readable later.
        """

    def read(
        self, ranges: Sequence[OffsetRange], *, max_rows: int, max_bytes: int
    ) -> Iterator[tuple[pa.Table, tuple[OffsetRange, ...]]]:
        """Exactly the ranges, in batches.

        Each item is a table in RAW_SCHEMA, ordered by offset within a partition, and the offset ranges it covers
        (one per partition it advanced; offsets without a row inside them are control records or compacted away).
        The covered ranges of all items tile the ranges asked for. Raises PermanentError naming the exact lost range
        when the broker no longer holds a range's start, TransientError when the broker is away.
        """

    def commit_group_offsets(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Copy positions to a consumer group for lag tools. Advisory: nobody reads them back."""
