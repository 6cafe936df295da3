"""Archived records on their way back into Kafka: where to, as what, how fast. Pure.

A record goes as it came: value, key and timestamp; headers say where it was. Origin partition ``n`` goes to partition
``n`` modulo the destination's, so that what was in order stays so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from faultline.errors import PermanentError

COLUMNS = ("timestamp", "kafka_timestamp", "kafka_key", "raw")
ORIGIN = "faultline.origin"  # topic/partition/offset
ORIGIN_ID = "faultline.origin.topic_id"
_SCHEME = "kafka://"


@dataclass(frozen=True, slots=True)
class Destination:
    """A topic, and the cluster where it is not the one of the settings."""

    topic: str
    bootstrap: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """``kafka://topic`` or ``kafka://host:port,host:port/topic``; ValueError for anything else."""
        servers, slash, topic = url.removeprefix(_SCHEME).rpartition("/")
        if not url.startswith(_SCHEME) or not topic or (slash and not servers):
            raise ValueError(f"not a destination: {url!r}; expected kafka://topic or kafka://host:9092/topic")
        return cls(topic, servers or None)

    def check(self, archived: Collection[str], *, allow_same_topic: bool) -> None:
        """PermanentError when what is replayed would be archived, and counted, once more."""
        if self.topic in archived and not allow_same_topic:
            raise PermanentError(
                f"{self.topic} is archived: what is replayed into it would be archived and counted again. "
                "Name another topic, or say --allow-same-topic if you mean it or if it is another cluster's"
            )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for a partition; ``timestamp`` in milliseconds, None for now."""

    partition: int
    value: bytes | None
    key: bytes | None
    timestamp: int | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def origin(self) -> str:
        """topic/partition/offset where it was."""
        return self.headers[0][1].decode()


def to_messages(rows: pa.Table, partitions: int) -> Iterator[Outgoing]:
    """Rows of a search with COLUMNS, for a topic of so many partitions."""
    times = pc.divide(rows["kafka_timestamp"].cast(pa.int64()), 1000)
    plain = rows.select(["topic", "kafka_topic_id", "kafka_partition", "kafka_offset", "raw", "kafka_key"])
    for row, time in zip(plain.to_pylist(), times.to_pylist(), strict=True):
        origin = f"{row['topic']}/{row['kafka_partition']}/{row['kafka_offset']}"
        headers = (ORIGIN, origin.encode()), (ORIGIN_ID, row["kafka_topic_id"].encode())
        yield Outgoing(row["kafka_partition"] % partitions, row["raw"], row["kafka_key"], time, headers)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that the broker did not take; ``too_large`` may mean the batch that it was sent in."""

    message: Outgoing
    reason: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay is. Everything before ``reached`` is delivered or among the failures; None: nothing yet."""

    delivered: int = 0
    failed: int = 0
    reached: datetime | None = None

    def after(self, rows: pa.Table, failures: int) -> Replayed:
        """Once these rows, which are not empty, have been tried."""
        return replace(
            self,
            delivered=self.delivered + len(rows) - failures,
            failed=self.failed + failures,
            reached=rows["timestamp"][-1].as_py(),
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """How many records there are to replay, and their first and last event time."""

    records: int
    first: datetime
    last: datetime


def pause(sent: int, elapsed: float, rate: float) -> float:
    """Seconds to wait after ``sent`` messages in ``elapsed`` seconds; ``rate`` is messages a second, 0 for any."""
    return max(0.0, sent / rate - elapsed) if rate else 0.0


def portion(rate: float) -> int:
    """Messages to send at once: a tenth of a second's."""
    return max(1, min(5000, int(rate / 10))) if rate else 5000
