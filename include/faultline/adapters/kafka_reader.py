"""One consumer that reads explicit offset ranges of one topic at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Position

from faultline.adapters.kafka_errors import faultline_error
from faultline.adapters.kafka_messages import Accepted, MessageBuffer, RangeProgress
from faultline.errors import FaultlineError, LostRange, PermanentError, TransientError
from faultline.model import OffsetRange

_TICK = 0.2
# Messages per call: enough to amortise the call, few enough that Python's garbage collector is not called for them.
_MESSAGES = 500
# Seconds: how old the first message of a batch may get while a slow broker fills it.
_LONGEST = 5.0
_DEFAULTS = {
    "group.id": "faultline-reader",  # librdkafka wants one; it is never joined or committed to
    # A fetch is unpacked whole, to about ten times its bytes: this much for every partition.
    "fetch.message.max.bytes": "524288",
    "queued.max.messages.kbytes": "32768",
    # A fetch that waits for news at the end of one range would hold up the first fetch of the next one.
    "fetch.wait.max.ms": "10",
    # With its queue full, librdkafka rests for a second unless told otherwise; we have emptied the queue by then.
    "fetch.queue.backoff.ms": "10",
}
# What reading exactly a range rests on: nobody's own properties may change it. With another auto.offset.reset, say,
# records that retention deleted would be skipped as if they had never been.
_FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "true",
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
}

Batch = tuple[pa.Table, tuple[OffsetRange, ...]]


class RangeReader:
    """Reads ranges one call after the other on one consumer."""

    def __init__(self, properties: Mapping[str, str | int | float | bool], timeout: float, log: logging.Logger) -> None:
        self._consumer = Consumer({**_DEFAULTS, **properties, **_FIXED}, logger=log)
        self._timeout = timeout

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def read(self, ranges: Sequence[OffsetRange], *, max_rows: int, max_bytes: int) -> Iterator[Batch]:
        """Ranges of one topic, each partition at most once, in batches of at most ``max_rows``.

        A batch that has reached ``max_bytes`` ends with what the same call to the broker brought. What was read before
        an error is handed out before the error is raised.
        """
        progress = RangeProgress(ranges)
        self._consumer.assign([Position(s.partition.topic, s.partition.partition, s.start) for s in ranges])
        try:
            yield from self._batches(progress, max_rows, max_bytes)
        finally:
            self._consumer.unassign()

    def _batches(self, progress: RangeProgress, max_rows: int, max_bytes: int) -> Iterator[Batch]:
        buffer = MessageBuffer(progress.topic_id)
        try:
            while progress.open:
                buffer.add(self._consume(progress, max_rows - buffer.rows))
                if buffer.rows >= max_rows or buffer.size >= max_bytes or buffer.age >= _LONGEST:
                    yield buffer.take(), progress.take()
        except FaultlineError:
            # Soon it may not be in Kafka any more.
            yield from _rest(buffer, progress)
            raise
        yield from _rest(buffer, progress)

    def _consume(self, progress: RangeProgress, number: int) -> Accepted:
        """Messages inside the ranges, after moving ``progress`` past them; waits for the broker, but not for ever."""
        deadline = time.monotonic() + self._timeout
        while True:
            before = progress.left
            accepted = self._poll(progress, min(number, _MESSAGES, before))
            if done := progress.newly_done():
                self._consumer.incremental_unassign([Position(progress.topic, partition) for partition in done])
            if progress.left < before:
                return accepted
            if time.monotonic() > deadline:
                raise TransientError(f"Kafka sent nothing for {self._timeout:g} s while reading {progress}")

    def _poll(self, progress: RangeProgress, number: int) -> Accepted:
        """``consume`` waits until it has as many as it is asked for: never ask for more than there are."""
        try:
            polled = self._consumer.consume(number, _TICK)
        except KafkaException as error:
            raise faultline_error(error, f"reading {progress}") from error
        signals = [message for message in polled if message.error()] if any(map(Message.error, polled)) else []
        records = [message for message in polled if not message.error()] if signals else polled
        accepted = progress.accept(records)
        for signal in signals:
            self._heed(signal, progress)
        return accepted

    def _heed(self, message: Message, progress: RangeProgress) -> None:
        error, partition = message.error(), message.partition() or 0
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            progress.skip_to(partition, message.offset() or 0)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise self._lost(progress.rest(partition)) from KafkaException(error)
        else:
            raise faultline_error(error, f"reading {progress}")

    def _lost(self, rest: OffsetRange) -> PermanentError:
        """Retention has overtaken the reader (or the log was cut): name what is gone."""
        place = Position(rest.partition.topic, rest.partition.partition)
        try:
            low, high = self._consumer.get_watermark_offsets(place, timeout=self._timeout)
        except KafkaException as error:
            return PermanentError(f"the broker refuses the start of {rest}, and its marks are unknown: {error}")
        if rest.start < low:
            return LostRange([OffsetRange(rest.partition, rest.start, min(low, rest.end))])
        return PermanentError(f"the broker refuses the start of {rest}; it holds [{low}, {high})")


def _rest(buffer: MessageBuffer, progress: RangeProgress) -> Iterator[Batch]:
    if covered := progress.take():
        yield buffer.take(), covered
