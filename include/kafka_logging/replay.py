"""Sends what was spilled, at a bounded rate, from a thread and with a Producer of its own.

A segment is deleted when Kafka has confirmed all of it; where it got to is noted after each batch, so that a process
that comes after a killed one repeats a batch at most.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from kafka_logging import native
from kafka_logging.client_log import client_log
from kafka_logging.segments import Segment, Spilled
from kafka_logging.spill import Spill
from kafka_logging.transport import PURGE_SECONDS, ProducerLike, destroy, leak

RATE = 2000  # messages a second
BATCH = 500
PAUSE_SECONDS = 1.0  # between looks for something to replay, or for a broker
CONFIRM_SECONDS = 10.0
_SLICE_SECONDS = 0.1
_WAITING = KafkaError(KafkaError._PURGE_INFLIGHT)
_PASSING = (
    KafkaError._PURGE_QUEUE,
    KafkaError._PURGE_INFLIGHT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._FATAL,
)


class Replay:
    """A running replay; ``make`` makes its Producer, when there is something to send."""

    def __init__(
        self, spill: Spill, make: Callable[[dict[str, Any]], ProducerLike], properties: Mapping[str, Any]
    ) -> None:
        self._spill = spill
        self._make = make
        self._properties = {**properties, "logger": client_log()}
        self._producer: ProducerLike | None = None
        self._stop = native.Flag()
        self._thread = native.Thread(self._run, "kafka-logging-replay")

    def close(self) -> None:
        """Stop soon; what is not confirmed stays on disk."""
        self._stop.set()
        self._thread.join(2 * PURGE_SECONDS)
        if self._producer:
            producer, self._producer = [self._producer], None
            destroy(producer)

    def leak(self) -> None:
        """In a forked child: see ``transport.leak``."""
        if self._producer:
            leak(self._producer)

    def _run(self) -> None:
        self._spill.adopt()
        while not self._stop.is_set():
            segment = self._spill.next()
            if not segment or not self._replay(segment):
                self._stop.wait(PAUSE_SECONDS)
                if self._producer:
                    self._producer.poll(0)  # reads the client's log, which grows without end if nobody does

    def _replay(self, segment: Segment) -> bool:
        """Whether all of it has arrived."""
        try:
            messages = segment.read()
        except OSError:  # tried again later, as a broker that is away
            return False
        for start in range(0, len(messages), BATCH):
            batch = messages[start : start + BATCH]
            refused = self._send(batch)
            if refused is None:
                return False
            self._spill.advance(segment, len(batch), refused)
            self._stop.wait(len(batch) / RATE)
        self._spill.finish(segment)
        return True

    def _send(self, batch: Sequence[Spilled]) -> int | None:
        """How many messages Kafka refused for good; None when some are not confirmed before it is time to stop."""
        waiting, refused = dict(enumerate(batch)), 0
        while waiting and not self._stop.is_set():
            errors = self._try(waiting)
            refused += sum(not is_passing(error) for error in errors.values())
            waiting = {number: waiting[number] for number, error in errors.items() if is_passing(error)}
            if waiting:
                self._stop.wait(PAUSE_SECONDS)
        return None if waiting else refused

    def _try(self, messages: Mapping[int, Spilled]) -> dict[int, KafkaError]:
        """Send them and wait for the broker's word; the errors of those that it did not take."""
        self._producer = producer = self._producer or self._make(self._properties)
        errors: dict[int, KafkaError] = {}
        for number, message in messages.items():
            note = functools.partial(_note, errors, number)
            try:
                producer.produce(
                    message.topic, message.value, message.key, headers=list(message.headers), on_delivery=note
                )
            except (BufferError, KafkaException) as error:
                note(error.args[0] if isinstance(error, KafkaException) else _WAITING, None)
        deadline = time.monotonic() + CONFIRM_SECONDS
        while (left := producer.flush(_SLICE_SECONDS)) and not self._stop.is_set() and time.monotonic() < deadline:
            pass
        if left:
            producer.purge()
            if producer.flush(PURGE_SECONDS):
                return {number: errors.get(number, _WAITING) for number in messages}
        if any(error.fatal() or error.code() == KafkaError._FATAL for error in errors.values()):
            self._producer = None
        return errors


def is_passing(error: KafkaError) -> bool:
    """Whether the same message may be taken later: the broker was away, or the message was given up here."""
    return error.code() in _PASSING or error.retriable() or error.fatal()


def _note(errors: dict[int, KafkaError], number: int, error: KafkaError | None, _: object) -> None:
    if error is not None:
        errors[number] = error
