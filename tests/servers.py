"""A real Kafka, HDFS and PostgreSQL that a test can break and mend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from dev.airflow import Airflow
from dev.children import Child
from dev.hdfs import Hdfs
from dev.kafka import Kafka
from dev.ports import Ports
from dev.postgres import Postgres
from dev.programs import wait_until


class Server(Protocol):
    """What starts, waits until it is usable, and stops."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


AnyServer = TypeVar("AnyServer", bound=Server)


def processes_of(folder: Path, ports: Ports) -> list[str]:
    """The command lines of what still works in or with these servers' folder or ports."""
    numbers = {str(port) for port in ports.numbers.values()}
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line or numbers & set(line.replace(":", " ").split())]


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """The server, started; stopped on the way out, also when it did not start."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


class KafkaServer:
    """One broker."""

    def __init__(
        self, folder: Path, java: Path, jars: Path, ports: Ports, more: Mapping[str, object] | None = None
    ) -> None:
        self.spec = Kafka(folder, java, jars, ports, more or {})
        self.child = Child(self.spec.program())
        self.bootstrap = self.spec.bootstrap

    def start(self) -> None:
        """Start it and wait until it answers; nothing when it runs."""
        self.spec.prepare()
        self.child.start()
        wait_until(self.spec.answers, "Kafka", self.spec.log, self.child.alive)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.child.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self.child.kill()

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self.child.suspend()

    def resume(self) -> None:
        """SIGCONT after ``suspend``."""
        self.child.resume()


class HdfsServer:
    """A NameNode and three DataNodes."""

    def __init__(self, folder: Path, java: Path, jars: Path, ports: Ports) -> None:
        self.spec = Hdfs(folder, java, jars, ports)
        self.namenode, *self.datanodes = (Child(program) for program in self.spec.programs())
        self.url = self.spec.url
        self.webhdfs = self.spec.webhdfs

    def start(self) -> None:
        """Start what does not run and wait until files can be written."""
        self.spec.prepare()
        for child in (self.namenode, *self.datanodes):
            child.start()
        wait_until(self.spec.answers, "HDFS", self.spec.log("namenode"), self._alive)

    def stop(self) -> None:
        """Stop all of it."""
        for child in (*self.datanodes, self.namenode):
            child.stop()

    def kill(self) -> None:
        """SIGKILL to all of it."""
        for child in (self.namenode, *self.datanodes):
            child.kill()

    def resume(self) -> None:
        """Have all of it go on that was suspended."""
        for child in (self.namenode, *self.datanodes):
            child.resume()

    def restart_namenode(self) -> None:
        """Stop the NameNode, start it, wait until files can be written."""
        self.namenode.stop()
        self.start()

    def safe_mode(self, on: bool) -> None:
        """Enter or leave safe mode, as ``hdfs dfsadmin -safemode`` does."""
        self.spec.set_safe_mode(on)

    def _alive(self) -> bool:
        return all(child.alive() for child in (self.namenode, *self.datanodes))


class PostgresServer:
    """One PostgreSQL."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.spec = Postgres(folder, ports)
        self.child = Child(self.spec.program())

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self.spec.prepare()
        self.child.start()
        wait_until(self.spec.answers, "PostgreSQL", self.spec.log, self.child.alive)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        self.child.stop()


class AirflowUi:
    """Airflow's UI and API, without a scheduler."""

    def __init__(self, spec: Airflow) -> None:
        spec.prepare()  # its command's environment has the secrets
        self.spec = spec
        self.url = spec.url
        self.child = Child(spec.api_server())

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.child.start()
        wait_until(self.spec.serves, "Airflow", self.spec.log("api-server"), self.child.alive, 180)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self.child.stop()


class AirflowWorkers:
    """The scheduler with its executor, and the DAG processor, of an Airflow whose UI runs."""

    def __init__(self, spec: Airflow) -> None:
        self.spec = spec
        self.children = [Child(program) for program in spec.programs() if program != spec.api_server()]

    def start(self) -> None:
        """Start them and wait until both give signs of life."""
        for child in self.children:
            child.start()
        wait_until(self.spec.answers, "Airflow", self.spec.log("scheduler"), self._alive, 180)

    def stop(self) -> None:
        """Stop them. Tasks that will not end within seconds are killed."""
        for child in self.children:
            child.stop()

    def _alive(self) -> bool:
        return all(child.alive() for child in self.children)
