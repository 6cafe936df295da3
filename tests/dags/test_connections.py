"""Airflow Connections: what overrides what, what is said of faulty ones, and the UI's forms and tests of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.database import Database
from faultline.airflow_provider import get_provider_info
from faultline.errors import FaultlineError, PermanentError, TransientError
from faultline.settings import Settings
from tests.dags.conftest import in_task
from tests.installed import installed
from tests.servers import HdfsServer

ROOT = Path(__file__).resolve().parents[2]
TYPES = {each["connection-type"]: each for each in get_provider_info()["connection-types"]}


@pytest.fixture
def add(airflow_database: None) -> Iterator[Callable[..., None]]:
    """Makes a Connection, as the UI does."""
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    def make(conn_id: str, **fields: Any) -> None:
        with create_session() as session:
            session.add(Connection(conn_id=conn_id, conn_type=fields.pop("conn_type", "generic"), **fields))

    yield make
    with create_session() as session:
        session.execute(delete(Connection))


@pytest.fixture
def variable(airflow_database: None) -> Iterator[Callable[[str], None]]:
    """Sets the Variable of settings."""
    from airflow.models import Variable

    yield lambda text: Variable.set("faultline_settings", text)
    for name in ("faultline_settings", "faultline_settings_last_good"):
        Variable.delete(name)


def outcome(call: Callable[[], Any]) -> Any:
    """What the function returns when a task calls it, or the error it raises."""

    def caught() -> Any:
        try:
            return call()
        except FaultlineError as error:
            return error

    if isinstance(result := in_task(caught), FaultlineError):
        raise result
    return result


def run_settings(kinds: Collection[str] = (), **params: Any) -> Settings:
    """The settings of a run whose form has these fields."""
    from faultline_configuration import run_settings

    form = {f"{kind}_conn_id": f"faultline_{kind}" for kind in ("kafka", "hdfs", "database")}
    result: Settings = outcome(lambda: run_settings({"settings": {}, **form, **params}, kinds))
    return result


@pytest.mark.usefixtures("airflow_database")
def test_without_connections_the_environment_says_where_things_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", "hdfs://environment/faultline")
    assert run_settings().archive_url == "hdfs://environment/faultline"


def test_a_variable_overrides_the_usual_connection_one_that_the_form_names_both_and_its_settings_all(
    add: Callable[..., None], variable: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", "hdfs://environment/faultline")
    add("faultline_hdfs", host="usual", extra='{"webhdfs_url": "http://usual:9870"}')
    add("other_hdfs", host="other")
    assert run_settings().archive_url == "hdfs://usual/faultline"
    variable("archive_url: hdfs://variable/faultline")
    assert run_settings().archive_url == "hdfs://variable/faultline"
    assert run_settings().webhdfs_url == "http://usual:9870"
    assert run_settings(hdfs_conn_id="other_hdfs").archive_url == "hdfs://other/faultline"
    form = {"archive_url": "hdfs://form/faultline"}
    assert run_settings(hdfs_conn_id="other_hdfs", settings=form).archive_url == "hdfs://form/faultline"


@pytest.mark.usefixtures("airflow_database")
def test_the_page_and_code_of_users_have_the_usual_connections_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from faultline_configuration import settings, settings_to_look_at

    monkeypatch.setenv("AIRFLOW_CONN_FAULTLINE_DATABASE", "postgres://us:hunter2@db/alerts")
    url = "postgresql+psycopg2://us:hunter2@db/alerts"
    assert outcome(settings).database_url == url
    assert settings_to_look_at().database_url == url


@pytest.mark.usefixtures("airflow_database")
def test_a_connection_that_only_a_form_names_must_be_there() -> None:
    with pytest.raises(PermanentError, match="kafka_conn_id: there is no Connection mistyped; make it, or"):
        run_settings(kafka_conn_id="mistyped")


def test_a_faulty_connection_is_named_with_its_field_and_stops_only_who_needs_it(add: Callable[..., None]) -> None:
    add("faultline_kafka", login="us")
    with pytest.raises(PermanentError, match="Connection faultline_kafka: Host is empty: write broker1:9092"):
        run_settings()
    assert run_settings(["database"]).archive_url


@pytest.mark.usefixtures("airflow_database")
def test_when_airflow_does_not_say_which_connections_there_are_a_task_is_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse
    from faultline_connections import find

    def away(prefix: str | None = None) -> None:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    monkeypatch.setattr(Variable, "keys", away)
    with pytest.raises(TransientError, match="Airflow does not say what the Connection faultline_kafka is"):
        outcome(lambda: find("faultline_kafka"))


def test_what_is_secret_in_a_connection_is_masked_in_logs_also_within_an_address(add: Callable[..., None]) -> None:
    from airflow.sdk.log import redact
    from faultline_configuration import settings

    add("faultline_database", host="db", schema="alerts", login="us", password="p@ss/hunter2")

    def shown() -> str:
        return str(redact(f"connecting to {settings().database_url} with p@ss/hunter2"))

    assert outcome(shown) == "connecting to postgresql+psycopg2://us:***@db/alerts with ***"


def test_a_secret_within_extra_is_masked_by_itself(add: Callable[..., None]) -> None:
    from airflow.sdk.log import redact
    from faultline_connections import find

    add("faultline_kafka", host="b1:9092", extra='{"sasl.password": "letmein-7", "client.id": "archiver"}')
    assert outcome(lambda: find("faultline_kafka") and redact("letmein-7 of archiver")) == "*** of archiver"


@pytest.fixture
def ask(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, str]]:
    """What the UI says when it tests a Connection of ours; to do so it puts it into the environment."""
    import faultline_connections
    from airflow.models import Connection

    def press_test(kind: str, **fields: Any) -> tuple[bool, str]:
        connection = Connection(conn_id="tried", conn_type=f"faultline_{kind}", **fields)
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", connection.get_uri())
        hook = getattr(faultline_connections, TYPES[f"faultline_{kind}"]["hook-class-name"].rpartition(".")[2])
        answer: tuple[bool, str] = hook(conn_id="tried").test_connection()
        return answer

    return press_test


def test_a_broker_is_asked(ask: Callable[..., tuple[bool, str]], kafka: str) -> None:
    assert ask("kafka", host=kafka) == (True, "Kafka answers: 1 brokers")


def test_hdfs_is_asked_how_it_is(ask: Callable[..., tuple[bool, str]], hdfs: HdfsServer) -> None:
    works, said = ask("hdfs", host="nn", extra=json.dumps({"webhdfs_url": hdfs.webhdfs}))
    assert works
    assert said.startswith("HDFS answers: 3 DataNodes, ")


def test_a_namenode_without_webhdfs_is_only_connected_to(
    ask: Callable[..., tuple[bool, str]], hdfs: HdfsServer
) -> None:
    host, port = hdfs.url.removeprefix("hdfs://").split(":")
    works, said = ask("hdfs", host=host, port=int(port.split("/")[0]))
    assert (works, said) == (True, "The NameNode takes connections. Without WebHDFS nothing more is asked")


def test_the_database_is_asked(ask: Callable[..., tuple[bool, str]], postgres_url: str) -> None:
    from sqlalchemy import make_url

    url = make_url(postgres_url)
    fields = {"host": url.host, "port": url.port, "schema": url.database, "login": url.username}
    works, said = ask("database", **fields, password=url.password)
    assert (works, "run faultline migrate" in said) == (False, True)
    with Database(postgres_url) as database:
        database.migrate()
    works, said = ask("database", **fields, password=url.password)
    assert (works, said) == (True, "The database answers: 0 topic partitions are counted")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("kafka", {"host": "127.0.0.1:1"}, "127.0.0.1:1"),
        ("hdfs", {"host": "127.0.0.1", "port": 1}, "no NameNode at 127.0.0.1:1: Connection refused"),
        ("hdfs", {}, "Connection tried: Host is empty"),
        ("database", {"host": "127.0.0.1", "port": 1, "schema": "alerts", "password": "hunter2"}, "Connection refused"),
    ],
)
def test_what_is_in_the_way_is_said_without_secrets(
    ask: Callable[..., tuple[bool, str]], kind: str, fields: dict[str, Any], said: str
) -> None:
    works, answer = ask(kind, **fields)
    assert not works
    assert said in answer
    assert "hunter2" not in answer


IN_AIRFLOW = """
from airflow.providers_manager import ProvidersManager
from airflow.models import Connection
manager = ProvidersManager()
for name, hook in manager.hooks.items():
    if name.startswith("faultline_"):
        print(name, hook and hook.hook_name, sep="|")
for name in manager.connection_form_widgets:
    if "faultline" in name:
        print(name)
print(manager.field_behaviours["faultline_hdfs"]["relabeling"]["schema"])
tried = Connection(conn_id="tried", conn_type="faultline_hdfs", host="127.0.0.1", port=1)
import os
os.environ["AIRFLOW_CONN_TRIED"] = tried.get_uri()
print(tried.test_connection())
"""


def test_airflow_finds_our_types_by_the_installed_package_and_tests_them(tmp_path: Path) -> None:
    path = os.pathsep.join([str(installed(tmp_path)), str(ROOT / "include"), *sys.path])
    asked = subprocess.run(
        [sys.executable, "-c", IN_AIRFLOW],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    said = asked.stdout.splitlines()
    assert {f"{name}|{each['hook-name']}" for name, each in TYPES.items()} <= set(said)
    assert "extra__faultline_hdfs__webhdfs_url" in said
    assert "Folder" in said
    assert said[-1] == "(False, 'no NameNode at 127.0.0.1:1: Connection refused')"
