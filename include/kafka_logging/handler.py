"""The handler: formats and produces in ``emit``, never blocks, never raises, and counts every record.

No Python queue between the application and librdkafka's own: what is mutable is captured in time and a traceback is
complete. No lock around ``emit`` either; the Producer is made for many threads.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from confluent_kafka import KafkaException, Producer

from kafka_logging import lifetime
from kafka_logging.client_log import Pacer
from kafka_logging.config import Hosts, Key, Topic, key_of, properties_of, topic_of, try_properties
from kafka_logging.flood import Clock, Flood
from kafka_logging.formatters import LogstashFormatter
from kafka_logging.json_lines import JsonFormatter
from kafka_logging.rescue import forms, reason_of
from kafka_logging.safe import attempt
from kafka_logging.shipping import Shipping
from kafka_logging.spill import new_spill
from kafka_logging.stats import HandlerStats
from kafka_logging.transport import ProducerLike

Headers: TypeAlias = Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]
OnDrop: TypeAlias = Callable[[str, logging.LogRecord | None], object]

# Whoever logs under these names may do so because of a record being sent here.
_OWN_LOGGERS = frozenset({"kafka_logging", "confluent_kafka", "librdkafka"})


class _Guard(threading.local):
    busy = False


class KafkaLoggingHandler(logging.Handler):
    """Sends records to a Kafka topic.

    ``hosts_list`` is ``"a:9092, b:9092"``, a list or a tuple, else ``KAFKA_LOG_HOSTS``; ``topic`` a name or a
    function of the record, else ``KAFKA_LOG_TOPIC``; ``key`` text, bytes, a function of the record, or one of
    ``"field:NAME"``, ``"logger"``, ``"host"``. ``timeout_secs`` is the network timeout. ``on_drop(reason, record)`` is
    told of each record given up; the record is None when Kafka held it already. At most ``burst`` records at once and
    ``rate_limit`` a second go to Kafka (None: no limit); of the rest, each call site sends a summary every 10 seconds
    and at close. What Kafka does not take goes to files below ``spill_dir``, at most ``spill_max_kbytes``, and is
    replayed later, by another process if need be. Every other keyword is a librdkafka
    property in snake case (``security_protocol="SSL"``); ``producer_config`` has them with dots. ValueError names
    what is wrong with the arguments.

    Every record gets a ``record_id`` (host-pid-start-sequence), by which an archive can tell a replay.
    """

    _clock: Clock = staticmethod(time.monotonic)

    def __init__(
        self,
        hosts_list: Hosts = None,
        topic: Topic | None = None,
        key: Key = None,
        *,
        timeout_secs: float | None = None,
        producer_config: Mapping[str, Any] | None = None,
        headers: Headers | None = None,
        rate_limit: float | None = 2000.0,
        burst: int = 20_000,
        spill_dir: str | os.PathLike[str] | None = None,
        spill_max_kbytes: int = 256 * 1024,
        queue_max_messages: int = 50_000,
        queue_max_kbytes: int = 32 * 1024,
        flush_timeout: float = 5.0,
        on_drop: OnDrop | None = None,
        **librdkafka: Any,
    ) -> None:
        self._properties = properties_of(
            hosts_list,
            producer_config,
            librdkafka,
            timeout_secs=timeout_secs,
            queue_max_messages=queue_max_messages,
            queue_max_kbytes=queue_max_kbytes,
        )
        self._largest = int(self._properties["message.max.bytes"])
        self._topic = topic_of(topic)
        self._key_of = key_of(key)
        self._headers = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        self._flush_timeout = flush_timeout
        self._on_drop = on_drop
        self._new_spill = functools.partial(new_spill, spill_dir, spill_max_kbytes)
        self._new_flood = functools.partial(Flood, rate_limit, burst, self._clock) if rate_limit else lambda: None
        self._flood: Flood | None = self._new_flood()
        try_properties(self._properties)
        super().__init__()
        self._guard = _Guard()
        self._pacers: dict[type[BaseException] | None, Pacer] = {}
        self._known_formatter: logging.Formatter | None = None
        self._format: Callable[[logging.LogRecord], str | bytes] = self.format
        self._shipping = self._new_shipping()
        self.setFormatter(LogstashFormatter())
        lifetime.register(self)

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and emit, without the lock of ``logging.Handler``: the Producer has its own."""
        if self.filters:
            passed = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # Python 3.12: a filter may replace the record
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Format and produce. Returns at once and never raises, whatever is wrong with the record or with Kafka."""
        flood = self._flood
        try:
            if _is_own(record.name) or (flood is not None and flood.refuses(record)):
                return
        except (AttributeError, TypeError):  # a record that is hardly one is not suppressed
            pass
        self._count_and_send(record)

    def _count_and_send(self, record: logging.LogRecord) -> bool:
        """Whether the record is on its way; if not, it is counted as dropped."""
        shipping = self._shipping
        number = next(shipping.tally.emitted)
        guard = self._guard
        if guard.busy:
            shipping.tally.drop("recursion")
            return False
        guard.busy = True
        try:
            if "record_id" not in record.__dict__:
                record.record_id = f"{shipping.origin}-{number}"
            self._send(record)
            return True
        except Exception as error:  # noqa: BLE001 - logging must not take the application down
            return self._rescue(record, error)
        except BaseException:  # Ctrl-C or a greenlet's timeout in the middle: the application's to handle
            shipping.tally.drop("interrupted")
            raise
        finally:
            guard.busy = False

    def handleError(self, record: logging.LogRecord) -> None:
        """As logging does it, but once in 30 s for each kind of fault: an outage must not flood stderr."""
        kind = sys.exc_info()[0]
        if self._pacers.setdefault(kind, Pacer())():
            with contextlib.suppress(Exception):  # a closed stderr raises what logging does not expect
                super().handleError(record)

    def stats(self) -> HandlerStats:
        """What became of the records emitted in this process so far."""
        return self._shipping.stats(self._flood.suppressed() if self._flood else 0)

    def flush(self) -> None:
        """Wait until all is delivered, at most ``flush_timeout`` seconds."""
        self._shipping.flush(self._flush_timeout)

    def close(self) -> None:
        """Deliver what is queued within ``flush_timeout`` seconds and count what is not; later records are dropped."""
        self._summarise()
        self._shipping.close(self._flush_timeout)
        super().close()

    def after_fork(self) -> None:
        """Begin again in a child process; the parent delivers what it had queued."""
        closed = self._shipping.closed
        self._shipping.leak()
        self._flood = self._new_flood()
        self._shipping = self._new_shipping()
        if closed:
            self._shipping.close(0)

    def _new_shipping(self) -> Shipping:
        return Shipping(self._make_producer, self._properties, self._headers, self._lost, self._tick, self._new_spill)

    def _tick(self) -> None:
        """What is to be done now and then; runs in the poll thread."""
        self._shipping.watch_size()
        if self._flood and self._flood.due():
            self._summarise()

    def _summarise(self) -> None:
        if self._flood and not self._shipping.closed:
            self._flood.report(self._count_and_send)

    def _make_producer(self, properties: dict[str, Any]) -> ProducerLike:
        lifetime.close_at_exit_of_child(self)
        return Producer(properties)

    def _payload(self, record: logging.LogRecord) -> str | bytes:
        if self.formatter is not self._known_formatter:
            self._known_formatter = self.formatter
            self._format = _bytes_of(self.formatter) or self.format
        return self._format(record)

    def _send(self, record: logging.LogRecord) -> None:
        shipping = self._shipping
        payload = self._format(record) if self.formatter is self._known_formatter else self._payload(record)
        topic = self._topic if self._topic.__class__ is str else self._topic(record)  # type: ignore[operator]
        key = self._key_of(record) if self._key_of else None
        produce = shipping.produce
        try:
            if record.levelno < logging.WARNING:
                shipping.require_room(payload)
            produce(topic, payload, key)
        except BufferError:
            if not shipping.spill:
                raise
            shipping.keep(topic, payload, key)
            return
        except KafkaException as error:
            if not error.args[0].fatal():
                raise
            shipping.replace(produce)
            shipping.produce(topic, payload, key)
        next(shipping.tally.sent)

    def _rescue(self, record: logging.LogRecord, error: Exception) -> bool:
        """Send the record in another form, or count it as dropped and say False; called while handling ``error``."""
        last: Exception | None = error
        for form in forms(record, error, largest=self._largest, payload=self._payload):
            last = attempt(lambda form=form: self._send(form()), lambda again: again)  # type: ignore[misc]
            if last is None:
                return True
        self._shipping.tally.drop(reason := reason_of(last or error))
        self._tell(reason, record)
        self.handleError(record)
        return False

    def _lost(self, reason: str) -> None:
        """A message was given up or refused after Kafka's client had taken it; runs where callbacks are served."""
        busy, self._guard.busy = self._guard.busy, True
        self._tell(reason, None)
        self._guard.busy = busy

    def _tell(self, reason: str, record: logging.LogRecord | None) -> None:
        if self._on_drop:
            attempt(functools.partial(self._on_drop, reason, record), lambda _: None)


@functools.lru_cache(maxsize=4096)
def _is_own(name: str) -> bool:
    return name.partition(".")[0] in _OWN_LOGGERS


def _bytes_of(formatter: logging.Formatter | None) -> Callable[[logging.LogRecord], bytes] | None:
    """Our formatter's shorter way, unless a subclass says otherwise."""
    if isinstance(formatter, JsonFormatter) and type(formatter).format is JsonFormatter.format:
        return formatter.format_bytes
    return None
