"""Passwords and certificates, on a broker that asks for them: the right ones deliver, of wrong ones a line says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.ports import OFFSETS, free_ports
from tests.kafka_logging.broker import new_topic, read_all
from tests.kafka_logging.certificates import write_authority, write_broker
from tests.servers import KafkaServer, running


class Secure(NamedTuple):
    """A broker with three doors."""

    plain: str
    password: str
    certificate: str
    authority: Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder, ports = tmp_path_factory.mktemp("secure"), free_ports([*OFFSETS, "sasl", "tls"])
    plain, sasl, tls = (ports.address(name) for name in ("kafka", "sasl", "tls"))
    authority, certificate, key = write_authority(folder)
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = {
        "listeners": f"PLAINTEXT://{plain},SASL://{sasl},TLS://{tls},CONTROLLER://{ports.address('kafka-controller')}",
        "advertised.listeners": f"PLAINTEXT://{plain},SASL://{sasl},TLS://{tls}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": f'{login} required user_shop="right";',
        "listener.name.tls.ssl.keystore.type": "PEM",
        "listener.name.tls.ssl.keystore.location": write_broker(folder, certificate, key),
    }
    with running(KafkaServer(folder / "kafka", find_java(), fetch("kafka", find_tool()), ports, settings)):
        yield Secure(plain, sasl, tls, authority)


PROGRAM = """
import json, logging, sys, time
from kafka_logging import KafkaLoggingHandler

handler = KafkaLoggingHandler(**json.loads(sys.argv[1]))
logger = logging.getLogger()
logger.addHandler(handler)
for number in range(10):
    logger.error("%d", number)
handler.close()
stats = handler.stats()
print(json.dumps([stats.emitted, stats.delivered, stats.queued, stats.spilled, stats.dropped]))
"""


def run(**options: Any) -> tuple[list[Any], list[str]]:
    """The handler's numbers after ten records, and the lines on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(options)], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout), done.stderr.splitlines()


def password(broker: Secure, word: str) -> dict[str, Any]:
    return {
        "hosts_list": broker.password, "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
        "sasl_username": "shop", "sasl_password": word,
    }  # fmt: skip


def certificate(broker: Secure, authority: Path) -> dict[str, Any]:
    return {"hosts_list": broker.certificate, "security_protocol": "SSL", "ssl_ca_location": str(authority)}


def test_the_right_password_delivers(broker: Secure) -> None:
    topic = new_topic()
    stats, _ = run(**password(broker, "right"), topic=topic, flush_timeout=60)
    assert stats == [10, 10, 0, 0, {}]
    assert len(read_all(broker.plain, topic)) == 10


def test_a_wrong_password_is_one_line_and_every_record_counted(broker: Secure) -> None:
    stats, stderr = run(**password(broker, "wrong"), topic=new_topic(), flush_timeout=2)
    assert stats == [10, 0, 0, 0, {"purge_queue": 10}]
    (line,) = stderr
    assert "SASL authentication error: Authentication failed: Invalid username or password" in line
    assert "right" not in line


def test_with_a_wrong_password_records_wait_on_disk_for_the_right_one(broker: Secure, tmp_path: Path) -> None:
    topic = new_topic()
    stats, _ = run(**password(broker, "wrong"), topic=topic, flush_timeout=0.5, spill_dir=str(tmp_path))
    assert stats == [10, 0, 0, 10, {}]


def test_the_right_authority_delivers(broker: Secure) -> None:
    topic = new_topic()
    stats, _ = run(**certificate(broker, broker.authority), topic=topic, flush_timeout=60)
    assert stats == [10, 10, 0, 0, {}]
    assert len(read_all(broker.plain, topic)) == 10


def test_a_wrong_authority_is_one_line_and_every_record_counted(broker: Secure, tmp_path: Path) -> None:
    other, _, _ = write_authority(tmp_path)
    stats, stderr = run(**certificate(broker, other), topic=new_topic(), flush_timeout=2)
    assert stats == [10, 0, 0, 0, {"purge_queue": 10}]
    (line,) = stderr
    assert "SSL handshake failed" in line
    assert "certificate verify failed" in line


def test_no_tls_where_the_broker_wants_it_is_said(broker: Secure) -> None:
    stats, stderr = run(hosts_list=broker.certificate, topic=new_topic(), flush_timeout=2)
    assert stats == [10, 0, 0, 0, {"purge_queue": 10}]
    (line,) = stderr
    assert "security_protocol" in line


def test_a_broker_that_is_not_there_is_one_line() -> None:
    stats, stderr = run(hosts_list="127.0.0.1:1", topic="logs", flush_timeout=2)
    assert stats == [10, 0, 0, 0, {"purge_queue": 10}]
    (line,) = stderr
    assert "127.0.0.1:1" in line
    assert "Connection refused" in line
