"""One Kafka broker that is its own controller (KRaft)."""

from __future__ import annotations

import base64
import logging
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from dev.errors import DevError
from dev.ports import Ports
from dev.programs import Program

PORTS = ("kafka", "kafka-controller")
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx384m")
# librdkafka prints a line for every refused connection unless it is given a logger.
_UNHEARD = logging.Logger("dev.kafka", level=logging.CRITICAL + 1)
_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker whose state is below ``folder``."""

    folder: Path
    java: Path
    jars: Path
    ports: Ports
    more: Mapping[str, object] = field(default_factory=dict)
    """Further settings of the broker, or other values of ours."""

    @property
    def bootstrap(self) -> str:
        """``127.0.0.1:PORT``, for bootstrap.servers."""
        return self.ports.address("kafka")

    @property
    def log(self) -> Path:
        """What the broker prints."""
        return self.folder / "kafka.log"

    def prepare(self) -> None:
        """Write the configuration and, the first time, format the storage."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self._settings())
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def program(self) -> Program:
        """The broker."""
        return Program("kafka", self._java("kafka.Kafka", str(self._properties)), self.log)

    def answers(self) -> bool:
        """Whether the broker lists its topics."""
        client = AdminClient({"bootstrap.servers": self.bootstrap}, logger=_UNHEARD)
        try:
            return bool(client.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, *arguments: str) -> tuple[str, ...]:
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return (str(self.java), *_FLAGS, log4j, "-cp", f"{self.jars}/*", *arguments)

    def _format(self) -> None:
        command = self._java("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._properties))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DevError(f"Kafka's storage in {self.folder} could not be formatted:\n{done.stdout}{done.stderr}")

    def _settings(self) -> str:
        controller = self.ports.address("kafka-controller")
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "num.partitions": 2,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # Compacted topics are compacted while one watches.
            "log.cleaner.backoff.ms": 500,
            # A killed broker may come back once its old session is over.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
        }
        return "".join(f"{name}={value}\n" for name, value in {**settings, **self.more}.items())


def _cluster_id() -> str:
    """22 characters; StorageTool takes one that starts with a dash for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
