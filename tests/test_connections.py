"""Which field of an Airflow Connection becomes which setting, and what is said of a field that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from faultline.connections import ConnectionFields, ConnectionKind, settings_of
from faultline.errors import PermanentError

EXTRA = json.dumps({"security.protocol": "SASL_SSL", "enable.ssl.certificate.verification": False, "linger.ms": 5})

GOOD: dict[str, tuple[ConnectionKind, dict[str, Any], dict[str, Any]]] = {
    "brokers": (
        "kafka",
        {"host": "b1:9092,b2:9093"},
        {"kafka_bootstrap_servers": "b1:9092,b2:9093", "kafka_properties": {}},
    ),
    "a port for the brokers that have none": (
        "kafka",
        {"host": "b1,b2:9093", "port": 9092},
        {"kafka_bootstrap_servers": "b1:9092,b2:9093", "kafka_properties": {}},
    ),
    "credentials and properties of librdkafka": (
        "kafka",
        {"host": "b1:9092", "login": "us", "password": "hunter2", "extra": EXTRA},
        {
            "kafka_bootstrap_servers": "b1:9092",
            "kafka_properties": {
                "security.protocol": "SASL_SSL",
                "enable.ssl.certificate.verification": "false",
                "linger.ms": "5",
                "sasl.username": "us",
                "sasl.password": "hunter2",
            },
        },
    ),
    "as Airflow's own Kafka provider has it": (
        "kafka",
        {"extra": '{"bootstrap.servers": "b1:9092"}'},
        {"kafka_bootstrap_servers": "b1:9092", "kafka_properties": {}},
    ),
    "a NameNode": ("hdfs", {"host": "nn", "port": 8020}, {"archive_url": "hdfs://nn:8020/faultline"}),
    "a name service, a folder, WebHDFS": (
        "hdfs",
        {"host": "cluster", "schema": "/logs/archive/", "extra": '{"webhdfs_url": "http://nn1:9870;http://nn2:9870"}'},
        {"archive_url": "hdfs://cluster/logs/archive", "webhdfs_url": "http://nn1:9870;http://nn2:9870"},
    ),
    "a field that was not filled in": (
        "hdfs",
        {"host": "nn", "extra": '{"webhdfs_url": null}'},
        {"archive_url": "hdfs://nn/faultline"},
    ),
    "PostgreSQL with an awkward password": (
        "database",
        {"host": "db", "port": 5432, "schema": "alerts", "login": "us", "password": "p@ss/w:rd", "extra": "{}"},
        {"database_url": "postgresql+psycopg2://us:p%40ss%2Fw%3Ard@db:5432/alerts"},
    ),
    "PostgreSQL with options": (
        "database",
        {"host": "db", "schema": "alerts", "extra": '{"sslmode": "require"}'},
        {"database_url": "postgresql+psycopg2://db/alerts?sslmode=require"},
    ),
    "SQLite": (
        "database",
        {"conn_type": "sqlite", "host": "/var/lib/faultline.db"},
        {"database_url": "sqlite:////var/lib/faultline.db"},
    ),
}

BAD: dict[str, tuple[ConnectionKind, dict[str, Any], str]] = {
    "no broker": ("kafka", {}, "Host is empty: write broker1:9092,broker2:9092"),
    "Extra that is no JSON": ("kafka", {"extra": '{"sasl.password": "hunter2"'}, "Extra is not JSON"),
    "Extra that is no object": ("kafka", {"extra": '["hunter2"]'}, "Extra is not a JSON object"),
    "no NameNode": ("hdfs", {}, "Host is empty: write the NameNode's"),
    "an address for a host": ("hdfs", {"host": "hdfs://nn"}, "Host is an address: write the host alone"),
    "a field that there is not": ("hdfs", {"host": "nn", "extra": '{"webhdfs": 1}'}, "Extra has 'webhdfs', which"),
    "WebHDFS without a scheme": ("hdfs", {"host": "nn", "extra": '{"webhdfs_url": "nn:9870"}'}, "write http://"),
    "no server": ("database", {"schema": "alerts"}, "Host is empty: write the database server's"),
    "no database": ("database", {"host": "db"}, "Schema is empty: write the name of the database"),
}


@pytest.mark.parametrize(("kind", "fields", "settings"), GOOD.values(), ids=GOOD.keys())
def test_a_connection_is_settings(kind: ConnectionKind, fields: dict[str, Any], settings: dict[str, Any]) -> None:
    assert settings_of(kind, ConnectionFields("ours", **fields)) == settings


@pytest.mark.parametrize(("kind", "fields", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named_with_its_field_and_no_secret(
    kind: ConnectionKind, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        settings_of(kind, ConnectionFields("ours", **fields))
    assert str(caught.value).startswith("Connection ours: ")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_connection_shows_no_secret() -> None:
    assert "hunter2" not in repr(ConnectionFields("ours", password="hunter2", extra='{"sasl.password": "hunter2"}'))
