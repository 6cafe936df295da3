"""A RecordSource in memory, with what a broker can do to a reader: gaps, retention, a topic created again, silence."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from faultline.errors import LostRange, PermanentError, TopicMissing, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RAW_SCHEMA
from faultline.testing.records import NOON


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class _Log:
    low: int = 0
    high: int = 0
    records: list[_Record] = field(default_factory=list)

    def between(self, start: int, end: int) -> list[_Record]:
        first, last = (bisect_left(self.records, offset, key=lambda record: record.offset) for offset in (start, end))
        return self.records[first:last]


class MemorySource:
    """``create`` a topic, ``produce`` to it, read it as any RecordSource. ``unreachable = True`` takes it away."""

    def __init__(self) -> None:
        self.unreachable = False
        self.group_offsets: dict[str, dict[TopicPartition, int]] = {}
        self._ids = itertools.count(1)
        self._topics: dict[str, tuple[str, list[_Log]]] = {}

    def create(self, topic: str, partitions: int = 1) -> None:
        """A new topic, or a new generation of a deleted one."""
        self._topics[topic] = (f"generation-{next(self._ids)}", [_Log() for _ in range(partitions)])

    def delete(self, topic: str) -> None:
        """The topic and its records are gone."""
        del self._topics[topic]

    def produce(
        self, topic: str, value: bytes | None, *, partition: int = 0, key: bytes | None = None, at: datetime = NOON
    ) -> int:
        """Append one record; its offset."""
        log = self._topics[topic][1][partition]
        log.records.append(_Record(log.high, at, key, value))
        log.high += 1
        return log.high - 1

    def gap(self, topic: str, partition: int = 0, offsets: int = 1) -> None:
        """Offsets without a record, as control records and compaction leave them."""
        self._topics[topic][1][partition].high += offsets

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """What retention does: nothing below ``before`` is left."""
        log = self._topics[topic][1][partition]
        log.low = max(log.low, before)
        log.records = log.between(before, log.high)

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """As RecordSource."""
        self._check_reachable()
        if topic not in self._topics:
            raise TopicMissing(topic)
        topic_id, logs = self._topics[topic]
        return tuple(TopicPartition(topic, topic_id, number) for number in range(len(logs)))

    def watermarks(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetRange]:
        """As RecordSource."""
        self._check_reachable()
        logs = {part: self._topics[part.topic][1][part.partition] for part in partitions}
        return {part: OffsetRange(part, log.low, log.high) for part, log in logs.items()}

    def offsets_at(self, partitions: Sequence[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
        """As RecordSource."""
        self._check_reachable()
        logs = {part: self._topics[part.topic][1][part.partition] for part in partitions}
        return {
            part: next((record.offset for record in log.records if record.at >= at), log.high)
            for part, log in logs.items()
        }

    def ends_at(self, partitions: Sequence[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
        """As RecordSource; no transaction is undecided here."""
        return self.offsets_at(partitions, at)

    def read(
        self, ranges: Sequence[OffsetRange], *, max_rows: int, max_bytes: int
    ) -> Iterator[tuple[pa.Table, tuple[OffsetRange, ...]]]:
        """As RecordSource; one partition after the other."""
        for span in (span for span in ranges if len(span)):
            self._check_readable(span)
            yield from self._read_range(span, max_rows, max_bytes)

    def commit_group_offsets(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Remembered in ``group_offsets``."""
        self._check_reachable()
        self.group_offsets.setdefault(group, {}).update(positions)

    def _read_range(
        self, span: OffsetRange, max_rows: int, max_bytes: int
    ) -> Iterator[tuple[pa.Table, tuple[OffsetRange, ...]]]:
        start, batch, size = span.start, list[_Record](), 0
        for record in self._topics[span.partition.topic][1][span.partition.partition].between(span.start, span.end):
            batch.append(record)
            size += len(record.value or b"")
            if len(batch) >= max_rows or size >= max_bytes:
                end = record.offset + 1
                yield _table(span.partition, batch), (OffsetRange(span.partition, start, end),)
                self._check_readable(OffsetRange(span.partition, end, span.end))
                start, batch, size = end, [], 0
        if start < span.end:
            yield _table(span.partition, batch), (OffsetRange(span.partition, start, span.end),)

    def _check_reachable(self) -> None:
        if self.unreachable:
            raise TransientError("the broker is away")

    def _check_readable(self, span: OffsetRange) -> None:
        if self.partitions(span.partition.topic)[0].topic_id != span.partition.topic_id:
            raise PermanentError(f"{span} belongs to topic id {span.partition.topic_id}, created again since")
        log = self._topics[span.partition.topic][1][span.partition.partition]
        if span.start < min(log.low, span.end):
            raise LostRange([OffsetRange(span.partition, span.start, min(span.end, log.low))])
        if span.end > log.high:
            raise PermanentError(f"{span} ends beyond the broker's last offset {log.high}")


def _table(partition: TopicPartition, records: Sequence[_Record]) -> pa.Table:
    columns = [
        pa.array([partition.topic_id] * len(records), pa.string()),
        pa.array([partition.partition] * len(records), pa.int32()),
        pa.array([record.offset for record in records], pa.int64()),
        pa.array([record.at for record in records], pa.timestamp("us", tz="UTC")),
        pa.array([record.key for record in records], pa.binary()),
        pa.array([record.value for record in records], pa.large_binary()),
    ]
    return pa.table(columns, schema=RAW_SCHEMA)
