"""Airflow Connections: where Kafka, HDFS and the alert database are, as settings, and the UI's test of them.

What their fields mean is in ``faultline.connections``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultline.connections import ConnectionFields, ConnectionKind


def default_conn_id(kind: str) -> str:
    """The Connection that is used when it is there and a form names no other one."""
    return f"faultline_{kind}"


def usual_conn_ids() -> dict[ConnectionKind, str]:
    """Those of every kind."""
    from faultline.connections import KINDS

    return {kind: default_conn_id(kind) for kind in KINDS}


def named_conn_ids(params: Mapping[str, Any], kinds: Collection[str] = ()) -> dict[ConnectionKind, str]:
    """Which Connections a run's form names; of these kinds only, if any are given."""
    from faultline.connections import KINDS

    return {kind: params[f"{kind}_conn_id"] for kind in kinds or KINDS if f"{kind}_conn_id" in params}


def connected(conn_ids: Mapping[ConnectionKind, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of the Connections of the default names, as far as they are there, and of others, which must be.

    PermanentError names a Connection that is faulty or missing; TransientError when Airflow does not say.
    """
    from faultline.connections import settings_of
    from faultline.errors import PermanentError

    usual: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for kind, conn_id in conn_ids.items():
        found = find(conn_id)
        if found is not None:
            (usual if conn_id == default_conn_id(kind) else chosen).update(settings_of(kind, found))
        elif conn_id != default_conn_id(kind):
            raise PermanentError(f"{kind}_conn_id: there is no Connection {conn_id}; make it, or name another one")
    return usual, chosen


def find(conn_id: str) -> ConnectionFields | None:
    """The Connection; None when there is none, TransientError when Airflow does not say."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError

    from faultline.errors import TransientError

    try:
        try:
            return _fields(Connection.get(conn_id))
        except AirflowNotFoundException:
            # To a task a Connection is also not there when Airflow's API is away.
            return _fields(Connection.get(conn_id)) if _answers() else None
    except AirflowNotFoundException:
        return None
    except (AirflowException, AirflowRuntimeError, PermissionError) as error:
        raise TransientError(f"Airflow does not say what the Connection {conn_id} is: {error}") from error


def _answers() -> bool:
    """Whether this is a task, and Airflow's API answers it; an AirflowRuntimeError when it does not."""
    from airflow.sdk import Variable

    try:
        len(Variable.keys(prefix="faultline_"))
    except ImportError:  # not in a task: it was Airflow's database that was asked
        return False
    return True


def _fields(found: Any) -> ConnectionFields:
    """With what is secret in it masked in logs: in an address it is quoted, and Airflow masks Extra only as a whole."""
    from urllib.parse import quote

    from airflow.sdk.log import mask_secret

    from faultline.connections import ConnectionFields

    if found.password:
        mask_secret(quote(found.password, safe=""))
    if found.extra:
        mask_secret(found.extra_dejson)
    return ConnectionFields(
        found.conn_id,
        found.conn_type,
        found.host,
        found.port,
        found.schema,
        found.login,
        found.password,
        found.extra,
    )


class _Hook:
    """What Airflow makes of a Connection to test it; ``conn_type`` and ``hook_name`` are as the provider says."""

    kind: ConnectionKind
    conn_name_attr = "conn_id"

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    def test_connection(self) -> tuple[bool, str]:
        """Whether it works, and what to tell who asked."""
        from faultline.connections import settings_of
        from faultline.dispatch.secrets import mask
        from faultline.errors import FaultlineError
        from faultline.settings import Settings
        from faultline.steps.probes import probe

        if (fields := find(self.conn_id)) is None:
            return False, f"there is no Connection {self.conn_id}"
        secrets = [each for each in (fields.password, fields.extra) if each]
        try:
            return True, probe(self.kind, Settings(**settings_of(self.kind, fields)))
        except FaultlineError as error:
            return False, mask(str(error), secrets)


class KafkaHook(_Hook):
    """The brokers."""

    kind: ConnectionKind = "kafka"
    conn_type = default_conn_name = "faultline_kafka"
    hook_name = "Faultline: Kafka"


class HdfsHook(_Hook):
    """The archive's HDFS."""

    kind: ConnectionKind = "hdfs"
    conn_type = default_conn_name = "faultline_hdfs"
    hook_name = "Faultline: HDFS"


class DatabaseHook(_Hook):
    """The database of counts, alerts and outbox."""

    kind: ConnectionKind = "database"
    conn_type = default_conn_name = "faultline_database"
    hook_name = "Faultline: alert database"
