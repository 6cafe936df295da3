"""What was counted of a stretch of event time, and out of which offsets: for a recount to compare with."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from faultline.adapters.database.counting import counts_between
from faultline.adapters.database.status import counted, late_counts
from faultline.adapters.database.tables import count_batches, counts
from faultline.model import ErrorCount, LateCount, TopicPartition


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """Counts and where they come from: ``positions`` is how far each partition is counted at all, ``reached`` how far
    the batches go that counted into these buckets; ``late`` is what came too late for the hours they are in.
    """

    counts: tuple[ErrorCount, ...]
    positions: Mapping[TopicPartition, int]
    reached: Mapping[TopicPartition, int]
    late: tuple[LateCount, ...]


def live_counts(connection: Connection, topics: Collection[str], start: datetime, end: datetime) -> LiveCounts:
    """The counts of the buckets that start in ``[start, end)``."""
    return LiveCounts(
        counts=tuple(counts_between(connection, topics, start, end)),
        positions={each.partition: each.next_offset for each in counted(connection) if each.partition.topic in topics},
        reached=_reached(connection, topics, start, end),
        late=tuple(each for each in late_counts(connection) if each.topic in topics and start <= each.hour < end),
    )


def _reached(
    connection: Connection, topics: Collection[str], start: datetime, end: datetime
) -> dict[TopicPartition, int]:
    inside = select(counts.c.batch).where(
        counts.c.topic.in_(topics), counts.c.bucket_start >= start, counts.c.bucket_start < end
    )
    reached: dict[TopicPartition, int] = {}
    for text in connection.scalars(select(count_batches.c.ranges).where(count_batches.c.id.in_(inside))):
        for topic, topic_id, number, _, stop in json.loads(text):
            partition = TopicPartition(topic, topic_id, number)
            reached[partition] = max(stop, reached.get(partition, 0))
    return reached
