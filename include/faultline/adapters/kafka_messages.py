"""Messages of one topic on their way into Arrow: where each range stands, and the columns gathered so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Message

from faultline.model import OffsetRange
from faultline.records.source import RAW_SCHEMA

Numbers = npt.NDArray[np.int64]
_NONE: Numbers = np.empty(0, np.int64)
# The end of the year 9999 in milliseconds. A producer that writes micro- or nanoseconds into a message's timestamp gets
# beyond it; older brokers take that, and no calendar has such a day.
_LATEST = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Accepted:
    """Messages with their partitions and offsets."""

    messages: Sequence[Message]
    partitions: Numbers
    offsets: Numbers

    def where(self, wanted: npt.NDArray[np.bool_]) -> Accepted:
        """Some of them."""
        if wanted.all():
            return self
        messages = [self.messages[index] for index in np.flatnonzero(wanted).tolist()]
        return Accepted(messages, self.partitions[wanted], self.offsets[wanted])


class RangeProgress:
    """Where each range of a topic stands: read up to, handed out up to."""

    def __init__(self, ranges: Sequence[OffsetRange]) -> None:
        self._ranges = {span.partition.partition: span for span in ranges}
        self._next = {number: span.start for number, span in self._ranges.items()}
        self._taken = dict(self._next)
        self._done: list[int] = []
        self.open = set(self._ranges)
        self.topic = ranges[0].partition.topic
        self.topic_id = ranges[0].partition.topic_id

    def __str__(self) -> str:
        return ", ".join(str(self.rest(number)) for number in sorted(self.open))

    @property
    def left(self) -> int:
        """How many offsets have not been passed; at least one while a range is open."""
        return sum(self._ranges[number].end - self._next[number] for number in self.open)

    def rest(self, partition: int) -> OffsetRange:
        """The part of a range that has not been passed."""
        span = self._ranges[partition]
        return OffsetRange(span.partition, self._next[partition], span.end)

    def accept(self, messages: Sequence[Message]) -> Accepted:
        """The messages that lie in what is left of the ranges; moves past them."""
        partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
        offsets = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
        wanted = np.zeros(len(messages), np.bool_)
        for number in np.unique(partitions).tolist():
            here = partitions == number
            if number in self.open:
                wanted |= here & (offsets >= self._next[number]) & (offsets < self._ranges[number].end)
                self.skip_to(number, int(offsets[here].max()) + 1)
        return Accepted(messages, partitions, offsets).where(wanted)

    def skip_to(self, partition: int, offset: int) -> None:
        """Everything before ``offset`` has been read, or has no record."""
        if partition not in self.open or offset <= self._next[partition]:
            return
        self._next[partition] = min(offset, self._ranges[partition].end)
        if self._next[partition] == self._ranges[partition].end:
            self.open.discard(partition)
            self._done.append(partition)

    def newly_done(self) -> list[int]:
        """Partitions whose range ended since the last call."""
        done, self._done = self._done, []
        return done

    def take(self) -> tuple[OffsetRange, ...]:
        """What was passed since the last call."""
        taken = [
            OffsetRange(self._ranges[number].partition, self._taken[number], offset)
            for number, offset in sorted(self._next.items())
            if offset > self._taken[number]
        ]
        self._taken = dict(self._next)
        return tuple(taken)


class MessageBuffer:
    """Messages taken apart; ``take`` makes one table of them."""

    def __init__(self, topic_id: str) -> None:
        self._topic_id = topic_id
        self._clear()

    @property
    def rows(self) -> int:
        """How many messages it has."""
        return len(self._values)

    @property
    def age(self) -> float:
        """Seconds since the first message was added; 0 when there is none."""
        return time.monotonic() - self._since if self._values else 0.0

    def add(self, accepted: Accepted) -> None:
        """Keep what the table needs, let go of the messages: they hold a broker's whole fetch in memory."""
        if not self._values:
            self._since = time.monotonic()
        messages = accepted.messages
        times = (milliseconds for _, milliseconds in map(Message.timestamp, messages))
        self._values += map(Message.value, messages)
        self._keys += map(Message.key, messages)
        self._times.append(np.fromiter(times, np.int64, len(messages)))
        self._partitions.append(accepted.partitions)
        self._offsets.append(accepted.offsets)
        self.size += sum(map(len, messages))

    def take(self) -> pa.Table:
        """RAW_SCHEMA, and the buffer is empty."""
        times = np.concatenate(self._times or [_NONE])
        unknown = (times < 0) | (times > _LATEST)  # -1 stands for "no timestamp"
        columns = [
            pa.repeat(pa.scalar(self._topic_id), self.rows),
            pa.array(np.concatenate(self._partitions or [_NONE]).astype(np.int32)),
            pa.array(np.concatenate(self._offsets or [_NONE])),
            pa.array(times * 1000, pa.timestamp("us", tz="UTC"), mask=unknown),
            _binary(self._keys).cast(pa.binary()),
            _binary(self._values),
        ]
        self._clear()
        return pa.table(columns, schema=RAW_SCHEMA)

    def _clear(self) -> None:
        self._values: list[bytes | None] = []
        self._keys: list[bytes | None] = []
        self._partitions: list[Numbers] = []
        self._offsets: list[Numbers] = []
        self._times: list[Numbers] = []
        self._since = 0.0
        self.size = 0


def _binary(values: Sequence[bytes | None]) -> pa.Array:
    """As ``pa.array(values, pa.large_binary())``, at a tenth of its cost."""
    count = len(values)
    absent = values.count(None)
    if absent == count:
        return pa.nulls(count, pa.large_binary())
    validity = pa.array([value is not None for value in values], pa.bool_()).buffers()[1] if absent else None
    texts = [value or b"" for value in values]
    offsets: Numbers = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, count), out=offsets[1:])
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.large_binary(), count, buffers)
