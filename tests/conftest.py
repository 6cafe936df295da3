"""Real servers for tests, each started when the first test asks for it; a server that cannot start is a failure.

``kafka``, ``hdfs``, ``postgres_url`` and ``database_url`` are for tests that leave the servers running. Tests that
stop, kill or suspend one take ``kafka_server`` or ``hdfs_server``, which bring it back afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import STATE, profile_folder
from dev.ports import Ports, free_ports
from tests.servers import HdfsServer, KafkaServer, PostgresServer, running

_BREAKABLE = {"kafka_server", "hdfs_server"}

# A machine that does something else too must fail no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts pytest in the background has it, and with it every program that a test starts, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what breaks a server, for ``make test-faults``."""
    for item in items:
        if isinstance(item, pytest.Function) and _BREAKABLE & set(item.fixturenames):
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def state_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where this session's servers live; kept, for its logs, only when a test failed."""
    for old in STATE.glob("test-*"):
        if not Path("/proc", old.name.removeprefix("test-")).exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = profile_folder(f"test-{os.getpid()}")
    yield folder
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_ports() -> Ports:
    """Ports that were free when the session began."""
    return free_ports()


@pytest.fixture(scope="session")
def _shared_kafka(state_folder: Path, server_ports: Ports) -> Iterator[KafkaServer]:
    with running(KafkaServer(state_folder / "kafka", find_java(), fetch("kafka", find_tool()), server_ports)) as server:
        yield server


@pytest.fixture(scope="session")
def _shared_hdfs(state_folder: Path, server_ports: Ports) -> Iterator[HdfsServer]:
    with running(HdfsServer(state_folder / "hdfs", find_java(), fetch("hdfs", find_tool()), server_ports)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(state_folder: Path, server_ports: Ports) -> Iterator[PostgresServer]:
    """The session's PostgreSQL."""
    with running(PostgresServer(state_folder / "postgres", server_ports)) as server:
        yield server


@pytest.fixture
def kafka_server(_shared_kafka: KafkaServer) -> Iterator[KafkaServer]:
    """The broker, to stop, kill, suspend; it runs again for the next test."""
    yield _shared_kafka
    _shared_kafka.resume()
    _shared_kafka.start()


@pytest.fixture
def kafka(_shared_kafka: KafkaServer) -> str:
    """The bootstrap servers of a running broker."""
    return _shared_kafka.bootstrap


@pytest.fixture
def hdfs_server(_shared_hdfs: HdfsServer) -> Iterator[HdfsServer]:
    """HDFS, to stop, restart, put into safe mode; it runs again, and takes writes, for the next test."""
    yield _shared_hdfs
    _shared_hdfs.resume()
    if _shared_hdfs.spec.in_safe_mode():
        _shared_hdfs.safe_mode(False)
    _shared_hdfs.start()


@pytest.fixture
def hdfs(_shared_hdfs: HdfsServer) -> HdfsServer:
    """A running HDFS."""
    return _shared_hdfs


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database that only this test has."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres_server.spec.create_database(name)
    postgres_server.spec.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty database: once a SQLite file, once PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faultline.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
