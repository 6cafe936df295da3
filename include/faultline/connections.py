"""Airflow Connections as settings: which field of a Connection says what. Knows their fields and nothing of Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import quote, urlencode

from faultline.errors import PermanentError

ConnectionKind = Literal["kafka", "hdfs", "database"]
KINDS: tuple[ConnectionKind, ...] = get_args(ConnectionKind)


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """A Connection as Airflow's form has it; ``extra`` is the text of a JSON object."""

    conn_id: str
    conn_type: str | None = None
    host: str | None = None
    port: int | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: str | None = field(default=None, repr=False)

    def faulty(self, name: str, said: str) -> PermanentError:
        """The error that says which field is wrong, and what to write."""
        return PermanentError(f"Connection {self.conn_id}: {name} {said}")


def settings_of(kind: ConnectionKind, connection: ConnectionFields) -> dict[str, Any]:
    """The settings that a Connection stands for; PermanentError names the field that is wrong."""
    return {"kafka": _kafka, "hdfs": _hdfs, "database": _database}[kind](connection)


def _kafka(connection: ConnectionFields) -> dict[str, Any]:
    properties = {name: _text(value) for name, value in _extra(connection).items()}
    servers = connection.host or properties.pop("bootstrap.servers", None)
    if not servers:
        raise connection.faulty("Host", "is empty: write broker1:9092,broker2:9092")
    properties.pop("bootstrap.servers", None)
    if connection.port is not None:
        servers = ",".join(each if ":" in each else f"{each}:{connection.port}" for each in servers.split(","))
    credentials = {"sasl.username": connection.login, "sasl.password": connection.password}
    return {
        "kafka_bootstrap_servers": servers,
        "kafka_properties": properties | {name: value for name, value in credentials.items() if value},
    }


def _hdfs(connection: ConnectionFields) -> dict[str, Any]:
    extra = _extra(connection)
    if unknown := sorted(extra.keys() - {"webhdfs_url"}):
        raise connection.faulty("Extra", f"has {unknown[0]!r}, which means nothing here: it may have webhdfs_url")
    if not connection.host:
        raise connection.faulty("Host", "is empty: write the NameNode's, or the name service")
    if "://" in connection.host or "/" in connection.host:
        raise connection.faulty("Host", "is an address: write the host alone, the folder belongs into Schema")
    authority = connection.host if connection.port is None else f"{connection.host}:{connection.port}"
    found = {"archive_url": f"hdfs://{authority}/{(connection.schema or 'faultline').strip('/')}"}
    if webhdfs := extra.get("webhdfs_url"):
        if not all(each.startswith(("http://", "https://")) for each in _text(webhdfs).split(";")):
            raise connection.faulty("Extra", "has a webhdfs_url that is no address: write http://namenode:9870")
        found["webhdfs_url"] = _text(webhdfs)
    return found


def _database(connection: ConnectionFields) -> dict[str, Any]:
    extra = _extra(connection)
    if connection.conn_type == "sqlite":
        if not connection.host:
            raise connection.faulty("Host", "is empty: write the path of the file")
        return {"database_url": f"sqlite:///{connection.host}"}
    if not connection.host:
        raise connection.faulty("Host", "is empty: write the database server's")
    if not connection.schema:
        raise connection.faulty("Schema", "is empty: write the name of the database")
    login = ":".join(quote(each, safe="") for each in (connection.login, connection.password) if each)
    port = f":{connection.port}" if connection.port is not None else ""
    query = f"?{urlencode({name: _text(value) for name, value in extra.items()})}" if extra else ""
    at = f"{login}@" if login else ""
    return {"database_url": f"postgresql+psycopg2://{at}{connection.host}{port}/{quote(connection.schema)}{query}"}


def _extra(connection: ConnectionFields) -> Mapping[str, Any]:
    if not (connection.extra or "").strip():
        return {}
    try:
        extra = json.loads(connection.extra or "")
    except ValueError as error:
        # What is wrong may be in a password, so the text is not repeated.
        raise connection.faulty("Extra", f"is not JSON: {str(error).partition(':')[0]}") from None
    if not isinstance(extra, dict):
        raise connection.faulty("Extra", "is not a JSON object")
    # The form of a type with fields of its own leaves null in those that were not filled in.
    return {name: value for name, value in extra.items() if value not in (None, "")}


def _text(value: Any) -> str:
    """As librdkafka and URLs have it: true and false in lower case."""
    return value if isinstance(value, str) else json.dumps(value)
