"""One Producer with its poll thread: made on the first record, in the process that logs, and closed within a bound.

Knows how a Producer lives and dies; refuses to know what a log record is.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, Message

from kafka_logging import native
from kafka_logging.client_log import client_log

POLL_SECONDS = 0.1  # how long close waits at most for the poll thread to see that it should end
PURGE_SECONDS = 0.3
DESTROY_SECONDS = 0.3


class ProducerLike(Protocol):
    """What is used of ``confluent_kafka.Producer``; ``kafka_logging.testing`` has another one."""

    @property
    def produce(self) -> Callable[..., None]:
        """(topic, value, key, headers=…) puts a message on the queue, or raises BufferError or KafkaException."""

    def poll(self, timeout: float = ..., /) -> int:
        """Serve callbacks for so many seconds."""

    def flush(self, timeout: float = ..., /) -> int:
        """Wait until the queue is empty; how many are left."""

    def purge(self) -> None:
        """Give up all messages; the next poll reports them."""

    def __len__(self) -> int: ...


class Transport:
    """A running Producer; the poll thread calls ``report(error, message)`` for each message that was not delivered,
    and ``tick()`` several times a second.

    The Producer must hold no reference back to this object: it would be destroyed by the garbage collector, at a time
    nobody chose, perhaps in a forked child, where its native destructor hangs.
    """

    def __init__(
        self,
        make: Callable[[dict[str, Any]], ProducerLike],
        properties: Mapping[str, Any],
        report: Callable[[KafkaError, Message], None],
        tick: Callable[[], None],
    ) -> None:
        over = native.Flag()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None and not over.is_set():
                report(error, message)

        self.producer = make({**properties, "on_delivery": delivered, "logger": client_log()})
        self._over = over
        self._stop = native.Flag()
        self._thread = native.Thread(functools.partial(_poll, self.producer, self._stop, tick), "kafka-logging-poll")

    def close(self, timeout: float, purge_seconds: float = PURGE_SECONDS) -> int:
        """Flush for ``timeout`` seconds, purge what is left (each is reported), and stop the poll thread.

        Returns how many messages nobody reported on, at most; the length of a Producer says no more than that, as lines
        of the client's log that nobody has read yet are part of it. Never ``Producer.close()``, which flushes without
        limit.
        """
        left = self.producer.flush(timeout)
        if left:
            self.producer.purge()
            left = self.producer.flush(purge_seconds)
        self._stop.set()
        self._thread.join(2 * POLL_SECONDS)
        self._over.set()  # a report that comes later is about a message counted here
        return min(left, len(self.producer))


def destroy(last: list[ProducerLike] | list[Transport]) -> None:
    """Give up the last reference, in a thread: the destructor waits for the client's own threads, which in a forked
    child once in some hundred times do not end. When no thread starts any more, the end of the process ends them.
    """
    thread = native.Thread(last.clear, "kafka-logging-end")
    if thread.started:
        thread.join(DESTROY_SECONDS)
    else:
        leak(last[0])


def leak(producer: ProducerLike | Transport) -> None:
    """Keep the Producer for ever: in a forked child its threads are gone, and destroying it would wait for them."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))


def _poll(producer: ProducerLike, stop: native.Flag, tick: Callable[[], None]) -> None:
    while not stop.is_set():
        producer.poll(POLL_SECONDS)
        tick()
