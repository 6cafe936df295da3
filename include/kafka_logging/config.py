"""What a user writes, checked at construction: hosts, topic, key, librdkafka properties. Opens no connection."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from confluent_kafka import KafkaException, Producer

Key: TypeAlias = str | bytes | Callable[[logging.LogRecord], str | bytes | None] | None
Topic: TypeAlias = str | Callable[[logging.LogRecord], str]
Hosts: TypeAlias = str | Sequence[str] | None

HOSTS_VARIABLE = "KAFKA_LOG_HOSTS"
TOPIC_VARIABLE = "KAFKA_LOG_TOPIC"

DEFAULTS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.codec": "zstd",
    "linger.ms": 50,
    "message.timeout.ms": 300_000,
    "message.max.bytes": 1_000_000,
    "partitioner": "murmur2_random",
    "delivery.report.only.error": True,
}
_OURS = ("on_delivery", "dr_cb", "logger")  # accounting and quietness depend on them
_CALLBACKS = ("error_cb", "stats_cb", "throttle_cb", "oauth_cb")  # the client's own names, not dotted properties


def bootstrap_servers(hosts: Hosts) -> str | None:
    """``"a:1, b:2"``, a list or a tuple as librdkafka wants it; without hosts, what the environment says."""
    given = hosts if hosts is not None else os.environ.get(HOSTS_VARIABLE, "")
    parts = given.split(",") if isinstance(given, str) else [str(host) for host in given]
    return ",".join(part.strip() for part in parts if part.strip()) or None


def topic_of(topic: Topic | None) -> Topic:
    """The topic or the function that chooses it; without one, what the environment says."""
    chosen = topic or os.environ.get(TOPIC_VARIABLE)
    if not chosen:
        raise ValueError(f"no topic: pass topic= or set {TOPIC_VARIABLE}")
    if not isinstance(chosen, str) and not callable(chosen):
        raise ValueError(f"topic is a str or a callable that takes a record, not {type(chosen).__name__}")
    return chosen


def key_of(key: Key) -> Callable[[logging.LogRecord], str | bytes | None] | None:
    """How to get a record's key. ``"logger"``, ``"host"`` and ``"field:NAME"`` are words, other text is the key."""
    if key is None or callable(key):
        return key
    if isinstance(key, bytes):
        return lambda record: key
    if not isinstance(key, str):
        raise ValueError(f"key is str, bytes or a callable that takes a record, not {type(key).__name__}")
    if key == "logger":
        return lambda record: record.name
    if key.startswith("field:"):
        return _field(key.removeprefix("field:"))
    constant = (socket.gethostname() if key == "host" else key).encode()
    return lambda record: constant


def _field(name: str) -> Callable[[logging.LogRecord], str | bytes | None]:
    if not name:
        raise ValueError('key "field:" needs the name of a record attribute, such as "field:request_id"')

    def field_key(record: logging.LogRecord) -> str | bytes | None:
        value = getattr(record, name, None)
        return value if value is None or isinstance(value, str | bytes) else str(value)

    return field_key


def properties_of(
    hosts: Hosts,
    producer_config: Mapping[str, Any] | None,
    keywords: Mapping[str, Any],
    *,
    timeout_secs: float | None,
    queue_max_messages: int,
    queue_max_kbytes: int,
) -> dict[str, Any]:
    """The Producer's configuration: defaults, then ``producer_config``, then snake_case keywords, then hosts."""
    properties: dict[str, Any] = {
        **DEFAULTS,
        "client.id": Path(sys.argv[0] if sys.argv else "").stem or "python",
        "queue.buffering.max.messages": queue_max_messages,
        "queue.buffering.max.kbytes": queue_max_kbytes,
        **(producer_config or {}),
        **{_dotted(name): value for name, value in keywords.items()},
    }
    if timeout_secs is not None:
        properties["socket.timeout.ms"] = int(timeout_secs * 1000)
    if hosts is not None or "bootstrap.servers" not in properties:
        properties["bootstrap.servers"] = bootstrap_servers(hosts)
    _check(properties)
    return properties


def try_properties(properties: Mapping[str, Any]) -> None:
    """Make a Producer and let it go: it starts no connection, and librdkafka names what it does not accept."""
    try:
        Producer({**properties, "log_level": 0})
    except KafkaException as error:
        raise ValueError(f"librdkafka: {error.args[0].str()}") from error


def _dotted(name: str) -> str:
    return name if name in (*_OURS, *_CALLBACKS) else name.replace("_", ".")


def _check(properties: Mapping[str, Any]) -> None:
    if taken := sorted(set(_OURS) & set(properties)):
        raise ValueError(f"{', '.join(taken)} cannot be set: the handler needs it for its accounting")
    if not properties.get("bootstrap.servers"):
        raise ValueError(f"no Kafka hosts: pass hosts_list= or set {HOSTS_VARIABLE}")
