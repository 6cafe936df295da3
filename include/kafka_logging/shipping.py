"""All that a handler owns in one process: the Producer (made late, replaced after a fatal error) and the tally.

A forked child gets a new one. Knows nothing of log records.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, Message

from kafka_logging import native
from kafka_logging.client_log import client_log
from kafka_logging.replay import Replay, is_passing
from kafka_logging.segments import Spilled
from kafka_logging.spill import Spill, SpillError
from kafka_logging.stats import HandlerStats, Tally, value_of
from kafka_logging.transport import PURGE_SECONDS, ProducerLike, Transport, destroy, leak

MakeProducer: TypeAlias = Callable[[dict[str, Any]], ProducerLike]

_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)
_OTHERS_SECONDS = 0.1
_SPILL_SECONDS = 5.0  # to write a whole queue to a slow disk
_SAME_SHUTDOWN_SECONDS = 1.0
_SHARE_OF_ALL = 0.8  # of the queue, for records of every level; the rest is for warnings and errors
_WEIGHT = 0.02  # of one payload in the mean size


class ClosedHandlerError(Exception):
    """A record came after the handler was closed."""


class CrowdedError(BufferError):
    """The queue is so full that what is left of it is for warnings and errors."""


class Shipping:
    """``produce(topic, payload, key)`` takes a message; ``on_lost(reason)`` hears of each one that was not delivered.
    ``tick`` is called now and then, while there is a Producer. What Kafka does not take waits in a Spill, if any.

    ``origin`` names this process among all that ever ran; with a number it makes a record's id.
    """

    def __init__(
        self,
        make: MakeProducer,
        properties: Mapping[str, Any],
        headers: Sequence[tuple[str, str | bytes]],
        on_lost: Callable[[str], None],
        tick: Callable[[], None],
        new_spill: Callable[[str, Tally], Spill | None],
    ) -> None:
        self.tally = Tally()
        self.origin = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}"
        self.produce: Callable[..., None] = self._produce_first
        self._make = make
        self._properties = properties
        self._headers = list(headers)
        self._on_lost = on_lost
        self._tick = tick
        self._lock = native.rlock()  # a signal handler that logs may interrupt the thread that holds it
        self.length: Callable[[], int] = int  # of the queue; 0 while there is none
        self._mean_size = 300.0
        self.watch_size()
        self.spill = new_spill(self.origin, self.tally)
        self._replay: Replay | None = None
        self._transport: Transport | None = None
        self._retiring: Transport | None = None
        self._flush_failed_at = float("-inf")
        self._complaint: str | None = None

    @property
    def closed(self) -> bool:
        """Whether every message is refused."""
        return self.produce is _refuse

    def stats(self, suppressed: int) -> HandlerStats:
        """The tally with what the Producers hold now and the number of records that never came here."""
        return self.tally.stats([line.producer for line in (self._transport, self._retiring) if line], suppressed)

    def require_room(self, payload: bytes | str) -> None:
        """CrowdedError when a record that is no warning would take the place of one that is."""
        self._mean_size += _WEIGHT * (len(payload) - self._mean_size)
        if self.length() >= self._room:
            raise CrowdedError(f"{self.length()} messages are waiting")

    def watch_size(self) -> None:
        """Take account of the mean size: big messages fill the queue by their bytes before their number does."""
        number = int(self._properties["queue.buffering.max.messages"])
        kbytes = int(self._properties["queue.buffering.max.kbytes"])
        self._room = _SHARE_OF_ALL * min(number, kbytes * 1024 / max(self._mean_size, 1))

    def flush(self, timeout: float) -> None:
        """Wait until all is delivered, at most ``timeout`` seconds."""
        transport, before = self._transport, value_of(self.tally.sent)
        if transport and transport.producer.flush(timeout):
            self._flush_failed_at = time.monotonic()
        elif not self._retiring:
            self.tally.confirm(before)

    def close(self, timeout: float) -> None:
        """Take nothing more, deliver within ``timeout`` seconds what is queued, and count the rest.

        ``logging.shutdown`` flushes and then closes: when that flush has just failed, its wait is not repeated.
        """
        if time.monotonic() - self._flush_failed_at < _SAME_SHUTDOWN_SECONDS:
            timeout = 0
        with self._lock:
            self.produce = _refuse
            self._wait_for_others()
            if self._replay:
                self._replay.close()
            self._retire(timeout)
            if self.spill:
                self.spill.close()

    def replace(self, failed: Callable[..., None]) -> None:
        """A new Producer instead of the one of ``failed``, which had a fatal error, unless another thread was first."""
        with self._lock:
            if self.produce is failed:
                self.produce = self._produce_first
                self._retire(timeout=0)

    def leak(self) -> None:
        """In a forked child: never destroy the parent's Producers."""
        for transport in (self._transport, self._retiring):
            if transport:
                leak(transport.producer)
        if self._replay:
            self._replay.leak()
        if self.spill:
            self.spill.leak()

    def _produce_first(self, topic: str, payload: bytes | str, key: bytes | str | None) -> None:
        with self._lock:
            if self._transport is None and self.produce is not _refuse:
                self._transport = Transport(self._make, self._properties, self._report, self._now_and_then)
                produce = self._transport.producer.produce
                self.length = self._transport.producer.__len__
                if self.spill and not self._replay:
                    self._replay = Replay(self.spill, self._make, self._properties)
                self.produce = functools.partial(produce, headers=self._headers) if self._headers else produce
            produce = self.produce
        produce(topic, payload, key)

    def _wait_for_others(self) -> None:
        """A thread may have got hold of ``produce`` before it refused; not for long, it may be this one."""
        deadline = time.monotonic() + _OTHERS_SECONDS
        while self.tally.underway() and time.monotonic() < deadline:
            time.sleep(_OTHERS_SECONDS / 100)

    def _retire(self, timeout: float) -> None:
        self._retiring, self._transport = self._transport, None
        self.length = int
        if self._retiring:
            purge_seconds = _SPILL_SECONDS if self.spill else PURGE_SECONDS
            self.tally.give_up("purge_queue", self._retiring.close(timeout, purge_seconds))
            last, self._retiring = [self._retiring], None
            destroy(last)

    def keep(self, topic: str, payload: bytes | str, key: bytes | str | None, *, sent: bool = False) -> None:
        """Write a message to the disk; SpillError when that fails."""
        assert self.spill
        headers = tuple((name, _bytes(value)) for name, value in self._headers)
        self.spill.append(Spilled(topic, _bytes(payload), None if key is None else _bytes(key), headers))
        self.tally.spill(sent=sent)

    def _report(self, error: KafkaError, message: Message) -> None:
        if self.spill and is_passing(error):
            with contextlib.suppress(SpillError):
                self.keep(message.topic() or "", message.value() or b"", message.key(), sent=True)
                return
        reason = error.name().strip("_").lower()
        if error.code() in _PURGED:
            self.tally.purge(reason)
        else:
            self.tally.fail()
            self._complaint = f"a record for the topic {message.topic()} was not delivered: {error.str()}"
        self._on_lost(reason)

    def _now_and_then(self) -> None:
        complaint, self._complaint = self._complaint, None
        if complaint:  # not at once: nothing is logged where reports are served
            client_log().error(complaint)
        self._tick()


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _refuse(*_: object) -> None:
    raise ClosedHandlerError("the handler is closed")
