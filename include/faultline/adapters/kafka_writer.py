"""Messages into one topic, each with a partition of its own, and the broker's word on every one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from faultline.archive.replay import Failure, Outgoing

_LOG = logging.getLogger(__name__)
_TIMEOUT = 30.0


class KafkaWriter:
    """Writes to a topic that is there. ``properties`` are further librdkafka properties; ``timeout`` in seconds."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        properties: Mapping[str, str] | None = None,
        *,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._topic = topic
        settings: dict[str, str | int | float | bool] = {
            "enable.idempotence": True,
            "compression.type": "zstd",
            "linger.ms": 5,
            # The broker decides what is too large, not this client.
            "message.max.bytes": 1_000_000_000,
            **(properties or {}),
            "message.timeout.ms": round(timeout * 1000),
            "bootstrap.servers": bootstrap_servers,
        }
        self._producer = Producer(settings, logger=_LOG)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What was interrupted is not sent behind the user's back.
        self._producer.purge()
        self._producer.flush(1)

    def send(self, messages: Iterable[Outgoing]) -> list[Failure]:
        """Send all and wait for the broker's answers; those that failed, within the timeout."""
        tried = self._try(messages)
        # A batch is refused as a whole: each of it gets another try, alone.
        alone = [self._try([each.message]) if each.too_large else [each] for each in tried]
        return [failure for failures in alone for failure in failures]

    def _try(self, messages: Iterable[Outgoing]) -> list[Failure]:
        failures: list[Failure] = []
        for message in messages:
            self._produce(message, failures)
        self._producer.flush()
        return failures

    def _produce(self, message: Outgoing, failures: list[Failure]) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    message.value,
                    message.key,
                    message.partition,
                    headers=list(message.headers),
                    on_delivery=partial(_note, message, failures),
                    timestamp=message.timestamp or 0,  # 0 is now
                )
            except BufferError:
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                failures.append(Failure(message, str(error.args[0].str())))
            return


def _note(message: Outgoing, failures: list[Failure], error: KafkaError | None, _: Message) -> None:
    if error is not None:
        failures.append(Failure(message, error.str(), error.code() == KafkaError.MSG_SIZE_TOO_LARGE))
