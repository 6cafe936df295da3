"""The example shop, run for real: quiet while it is healthy, and failing in the order of cause and effect."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from faultline.alerting.rules import load_rules
from faultline.topicfile import load_topics

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SERVICES = ["db-proxy", "payments", "checkout"]
COMBINED = re.compile(
    r"(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)


@dataclass
class RunningShop:
    """The shop, its fault switch and all that it has logged so far."""

    port: int
    consumer: Consumer
    records: list[dict[str, Any]] = field(default_factory=list)
    access: list[str] = field(default_factory=list)

    def fault(self, state: str) -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{self.port + 4}/fault/{state}", data=b"", timeout=30).close()

    def read_until(self, enough: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < deadline, self.errors()[-3:]
            for message in self.consumer.consume(500, timeout=0.5):
                text = (message.value() or b"").decode()
                if message.topic() == "app-logs":
                    self.records.append(json.loads(text))
                else:
                    self.access.append(text)

    def of(self, service: str, *levels: str) -> list[dict[str, Any]]:
        return [
            record
            for record in self.records
            if record["appName"] == service and record["@fields"]["levelname"] in (levels or ("INFO",))
        ]

    def errors(self) -> list[dict[str, Any]]:
        return [record for service in (*SERVICES, "gateway") for record in self.of(service, "ERROR", "CRITICAL")]


def five_free_ports() -> int:
    """The first of five ports in a row that nobody listens on."""
    for base in range(24000, 31000, 10):
        if all(is_free(base + number) for number in range(5)):
            return base
    raise AssertionError("no five free ports in a row")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def from_now_on(bootstrap: str) -> Consumer:
    """Reads what comes to both topics from now on."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    missing = {"app-logs", "access-log"} - set(admin.list_topics(timeout=30).topics)
    for created in admin.create_topics([NewTopic(topic, 2) for topic in missing]).values() if missing else ():
        created.result(30)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    topics = admin.list_topics(timeout=30).topics
    names = ("app-logs", "access-log")
    partitions = [TopicPartition(name, number) for name in names for number in topics[name].partitions]
    for partition in partitions:
        partition.offset = end_of(consumer, partition)
    consumer.assign(partitions)
    return consumer


def end_of(consumer: Consumer, partition: TopicPartition) -> int:
    """The next offset; a topic that has just been created has no leader for a moment."""
    for _ in range(100):
        try:
            end: int = consumer.get_watermark_offsets(partition, timeout=30)[1]
        except KafkaException:
            time.sleep(0.1)
        else:
            return end
    raise AssertionError(f"{partition} has no leader")


@pytest.fixture
def shop(kafka: str, tmp_path: Path) -> Iterator[RunningShop]:
    """Open, with the first orders through; on leaving it must end well on SIGTERM."""
    consumer, port = from_now_on(kafka), five_free_ports()
    command = [sys.executable, str(SHOP / "run.py"), "--bootstrap", kafka, "--port-base", str(port)]
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen([*command, "--rate", "10", "--log-dir", str(tmp_path)], stdout=output, stderr=output)
    running = RunningShop(port, consumer)
    try:
        running.read_until(lambda: len(running.of("gateway")) >= 20)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        consumer.close()
    assert status == 0, (tmp_path / "output").read_text()


def test_a_healthy_shop_logs_orders_and_no_error(shop: RunningShop, tmp_path: Path) -> None:
    shop.read_until(lambda: len(shop.access) >= 20)
    assert not shop.errors()
    orders = {record["@fields"]["request_id"] for record in shop.of("gateway")}
    for service in ("checkout", "payments", "db-proxy"):
        assert orders & {record["@fields"]["request_id"] for record in shop.of(service)}
        assert (tmp_path / f"{service}.log").stat().st_size > 0
    assert {record["environment"] for record in shop.records} == {"demo"}
    lines = [COMBINED.fullmatch(line) for line in shop.access]
    assert all(lines), shop.access
    assert {line["status"] for line in lines if line and line["request"].startswith("POST /order")} == {"200"}


def test_a_fault_shows_in_the_order_of_cause_and_effect(shop: RunningShop) -> None:
    shop.fault("on")
    shop.read_until(lambda: len(shop.of("checkout", "ERROR")) >= 5)
    first = [shop.of(service, "ERROR")[0] for service in SERVICES]
    created = [record["@fields"]["created"] for record in first]
    assert created[1] - created[0] >= 2
    assert created[2] - created[1] >= 2
    types = [record["@fields"]["exc_type"] for record in first]
    assert types == ["ConnectionRefusedError", "ConnectionRefusedError", "service.ServiceError"]
    assert all("Traceback (most recent call last):\n" in record["@fields"]["exception"] for record in first)
    assert {record["appName"] for record in shop.errors()} == set(SERVICES)


def test_a_mended_shop_is_quiet_again(shop: RunningShop) -> None:
    shop.fault("on")
    shop.read_until(lambda: len(shop.of("db-proxy", "ERROR")) >= 1)
    shop.fault("off")
    done = len(shop.of("db-proxy"))
    shop.read_until(lambda: len(shop.of("db-proxy")) >= done + 20)
    assert not shop.of("payments", "ERROR"), "its retries outlast a short fault"
    assert not shop.of("checkout", "ERROR")


def test_rules_and_topics_of_the_shop_have_no_faults() -> None:
    rules = load_rules((SHOP / "rules.yaml").read_text(), "rules.yaml")
    topics = load_topics((SHOP / "topics.yaml").read_text())
    assert {topic for rule in rules.rules.values() for topic in rule.topics} <= {topic.name for topic in topics.topics}


def test_a_busy_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(SHOP / "run.py"), "--port-base", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stderr
