"""What a user may write for hosts, topic, key and librdkafka's properties, and what is refused at once."""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import pytest

from kafka_logging import KafkaLoggingHandler
from kafka_logging.config import bootstrap_servers, key_of, properties_of, topic_of


def record(**extras: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "shop.payments", **extras})


def properties(hosts: Any = "a:1", producer_config: Any = None, **keywords: Any) -> dict[str, Any]:
    return properties_of(
        hosts, producer_config, keywords, timeout_secs=None, queue_max_messages=10, queue_max_kbytes=20
    )


@pytest.mark.parametrize("hosts", ["a:1, b:2", "a:1,b:2,", ["a:1", "b:2"], ("a:1", " b:2 ")])
def test_hosts_as_text_list_or_tuple(hosts: Any) -> None:
    assert bootstrap_servers(hosts) == "a:1,b:2"


def test_hosts_and_topic_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_LOG_HOSTS", "env:9092")
    monkeypatch.setenv("KAFKA_LOG_TOPIC", "env-logs")
    assert properties(None)["bootstrap.servers"] == "env:9092"
    assert topic_of(None) == "env-logs"
    assert properties("arg:9092")["bootstrap.servers"] == "arg:9092"
    assert properties(None, {"bootstrap.servers": "config:9092"})["bootstrap.servers"] == "config:9092"
    assert topic_of("arg-logs") == "arg-logs"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("orders", b"orders"),
        (b"\x00", b"\x00"),
        ("logger", "shop.payments"),
        ("host", socket.gethostname().encode()),
        ("field:request_id", "r-1"),
        ("field:user", "17"),
        ("field:missing", None),
        (lambda made: made.request_id.upper(), "R-1"),
    ],
    ids=["text", "bytes", "logger", "host", "field", "field of a number", "field not there", "callable"],
)
def test_forms_of_a_key(key: Any, expected: str | bytes | None) -> None:
    get = key_of(key)
    assert get is not None
    assert get(record(request_id="r-1", user=17)) == expected


def test_snake_case_keywords_are_librdkafka_properties_and_win() -> None:
    made = properties(producer_config={"linger.ms": 1, "acks": "1"}, linger_ms=2, security_protocol="SSL")
    assert made["linger.ms"] == 2
    assert made["acks"] == "1"
    assert made["security.protocol"] == "SSL"


def test_defaults_are_safe_and_bounded() -> None:
    made = properties()
    assert made["acks"] == "all"
    assert made["enable.idempotence"] is True
    assert made["queue.buffering.max.messages"] == 10
    assert made["queue.buffering.max.kbytes"] == 20


def test_timeout_secs_is_the_network_timeout() -> None:
    made = properties_of("a:1", None, {}, timeout_secs=1.5, queue_max_messages=1, queue_max_kbytes=1)
    assert made["socket.timeout.ms"] == 1500


def test_works_where_the_process_has_no_argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    assert properties()["client.id"] == "python"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"lingr_ms": 5}, "lingr.ms"),
        ({"producer_config": {"foo.bar": 5}}, "foo.bar"),
        ({"linger_ms": "soon"}, "queue.buffering.max.ms"),
        ({"acks": 1}, "enable.idempotence"),
        ({"on_delivery": print}, "on_delivery"),
        ({"topic": None}, "KAFKA_LOG_TOPIC"),
        ({"topic": 5}, "topic is a str or a callable"),
        ({"hosts_list": None}, "KAFKA_LOG_HOSTS"),
        ({"hosts_list": " , "}, "KAFKA_LOG_HOSTS"),
        ({"key": 5}, "key is str, bytes or a callable"),
        ({"key": "field:"}, "field:"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_at_construction(
    arguments: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKA_LOG_HOSTS", raising=False)
    monkeypatch.delenv("KAFKA_LOG_TOPIC", raising=False)
    with pytest.raises(ValueError, match=named):
        KafkaLoggingHandler(**{"hosts_list": "a:1", "topic": "logs", **arguments})
