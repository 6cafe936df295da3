"""Kafka logging without Kafka, for tests: ``CaptureHandler`` is the real handler on a Producer that keeps messages."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError
from confluent_kafka import Message as Delivered

from kafka_logging.flood import Clock
from kafka_logging.handler import KafkaLoggingHandler


@dataclass(frozen=True, slots=True)
class Message:
    """What was produced."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, str | bytes], ...] = ()
    on_delivery: Callable[[KafkaError, Delivered], None] | None = field(default=None, compare=False, repr=False)


class FakeProducer:
    """A ``confluent_kafka.Producer`` in memory.

    A message is queued until a flush delivers it; ``reachable = False`` plays a dead broker. ``fault`` is raised by
    ``produce`` when it is set. ``delivered`` has what arrived.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.properties = dict(properties)
        self.queued: list[Message] = []
        self.delivered: list[Message] = []
        self.reachable = True
        self.fault: Exception | None = None
        self._purged: list[Message] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.queued) + len(self._purged)

    def produce(
        self, topic: str, value: bytes | str | None = None, key: bytes | str | None = None, **more: Any
    ) -> None:
        """Queue the message; BufferError when ``queue.buffering.max.messages`` are waiting."""
        if self.fault:
            raise self.fault
        if len(self) >= int(self.properties.get("queue.buffering.max.messages", 100_000)):
            raise BufferError("Local: Queue full")
        on_delivery = more.get("on_delivery") or self.properties.get("on_delivery")
        headers = tuple(more.get("headers", ()))
        with self._lock:
            self.queued.append(Message(topic, _bytes(value) or b"", _bytes(key), headers, on_delivery))

    def poll(self, timeout: float = 0, /) -> int:
        """Report purged messages; waits a little, as nothing else paces a poll thread."""
        time.sleep(min(timeout, 0.01))
        with self._lock:
            purged, self._purged = self._purged, []
        for message in purged:
            if message.on_delivery:
                given_up = Delivered(topic=message.topic, value=message.value, key=message.key)
                message.on_delivery(KafkaError(KafkaError._PURGE_QUEUE), given_up)
        return len(purged)

    def flush(self, timeout: float = -1, /) -> int:
        """Deliver what is queued, if the broker is reachable; returns at once what is left."""
        self.poll()
        with self._lock:
            if self.reachable:
                self.delivered += self.queued
                self.queued = []
        return len(self)

    def purge(self) -> None:
        """Give up what is queued."""
        with self._lock:
            self._purged += self.queued
            self.queued = []


class CaptureHandler(KafkaLoggingHandler):
    """A KafkaLoggingHandler whose messages stay in this process: ``messages``, and ``records`` as parsed JSON.

    ``clock`` gives the seconds by which ``rate_limit`` goes, if not those of ``time.monotonic``.
    """

    def __init__(self, topic: Any = "logs", *, clock: Clock | None = None, **options: Any) -> None:
        if clock:
            self._clock = clock
        self.producers: list[FakeProducer] = []
        self._reachable = True
        super().__init__("capture:9092", topic, **options)

    def _make_producer(self, properties: dict[str, Any]) -> FakeProducer:
        self.producers.append(FakeProducer(properties))
        self.producers[-1].reachable = self._reachable
        return self.producers[-1]

    @property
    def reachable(self) -> bool:
        """Whether the broker is there, for every Producer of this handler; set it to False for an outage."""
        return self._reachable

    @reachable.setter
    def reachable(self, yes: bool) -> None:
        self._reachable = yes
        for producer in self.producers:
            producer.reachable = yes

    @property
    def messages(self) -> list[Message]:
        """Every message so far, delivered or not, in order."""
        return [message for producer in self.producers for message in (*producer.delivered, *producer.queued)]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The messages as the JSON objects they hold."""
        return [json.loads(message.value) for message in self.messages]


def _bytes(text: bytes | str | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
