"""Whether what the settings name is there: a sentence for people, or the error that says what is in the way."""

from __future__ import annotations

import socket
from datetime import timedelta
from urllib.parse import urlsplit

from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.adapters.webhdfs import HdfsHealth
from faultline.connections import ConnectionKind
from faultline.errors import TransientError
from faultline.settings import Settings

# People wait for the answer.
_PATIENCE = timedelta(seconds=5)


def probe(kind: ConnectionKind, settings: Settings) -> str:
    """What answers; FaultlineError when nothing does, or it refuses."""
    return {"kafka": _kafka, "hdfs": _hdfs, "database": _database}[kind](settings)


def _kafka(settings: Settings) -> str:
    with KafkaSource(settings.kafka_bootstrap_servers, settings.kafka_properties, timeout=_PATIENCE) as source:
        return f"Kafka answers: {source.brokers()} brokers"


def _hdfs(settings: Settings) -> str:
    if settings.webhdfs_url is None:
        _connect(settings.archive_url)
        return "The NameNode takes connections. Without WebHDFS nothing more is asked"
    state = HdfsHealth(settings.webhdfs_url, timeout=_PATIENCE).state()
    safe_mode = ", in safe mode" if state.safe_mode else ""
    return f"HDFS answers: {state.live_datanodes} DataNodes, {state.remaining / 1e9:,.1f} GB free{safe_mode}"


def _connect(url: str) -> None:
    """The client of HDFS waits for ever for a NameNode that does not answer; this does not."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port or 8020), _PATIENCE.total_seconds()).close()
    except OSError as error:
        raise TransientError(f"no NameNode at {address.netloc}: {error.strerror or error}") from error


def _database(settings: Settings) -> str:
    with Database(settings.database_url) as database:
        return f"The database answers: {len(database.counted())} topic partitions are counted"
