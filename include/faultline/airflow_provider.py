"""The types of Airflow Connections that are ours, as Airflow asks for them through the package's entry point.

With them the UI offers a form for each and tests what it has. The classes that do are in ``plugins/``.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": ["string", "null"]}


def get_provider_info() -> dict[str, Any]:
    """What Airflow's form of a Connection shows."""
    return {
        "package-name": "faultline",
        "name": "Faultline",
        "description": "Log archive, error counts and cause-chain alerts.",
        "connection-types": [
            {
                "connection-type": "faultline_kafka",
                "hook-class-name": "faultline_connections.KafkaHook",
                "hook-name": "Faultline: Kafka",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {"host": "Brokers", "login": "SASL user name", "password": "SASL password"},
                    "placeholders": {
                        "host": "broker1:9092,broker2:9092",
                        "extra": '{"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}',
                    },
                },
            },
            {
                "connection-type": "faultline_hdfs",
                "hook-class-name": "faultline_connections.HdfsHook",
                "hook-name": "Faultline: HDFS",
                "conn-fields": {
                    "webhdfs_url": {
                        "label": "WebHDFS",
                        "schema": _TEXT,
                        "description": "http://namenode:9870, several separated by ; for health, capacity and marks.",
                    }
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "password"],
                    "relabeling": {"host": "NameNode or name service", "schema": "Folder"},
                    "placeholders": {"host": "namenode", "port": "8020", "schema": "faultline"},
                },
            },
            {
                "connection-type": "faultline_database",
                "hook-class-name": "faultline_connections.DatabaseHook",
                "hook-name": "Faultline: alert database",
                "ui-field-behaviour": {
                    "relabeling": {"schema": "Database"},
                    "placeholders": {"port": "5432", "schema": "faultline", "extra": '{"sslmode": "require"}'},
                },
            },
        ],
    }
