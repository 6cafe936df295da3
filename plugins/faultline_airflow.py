"""Airflow's side of Faultline: where tasks get their settings, how errors end a task, and the alert sensor.

Every heavy import sits inside a function: Airflow imports this file in each of its components.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException
from faultline_configuration import LiveVariables, run_settings, settings
from faultline_connections import default_conn_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from faultline.adapters.kafka import KafkaSource
    from faultline.settings import Settings
    from faultline.steps.alerts import AlertWatch

log = logging.getLogger(__name__)


@contextmanager
def kafka(config: Settings) -> Iterator[KafkaSource]:
    """The Kafka of the settings, closed afterwards."""
    from faultline.adapters.kafka import KafkaSource

    with KafkaSource(config.kafka_bootstrap_servers, config.kafka_properties) as source:
        yield source


def connection(conn_id: str) -> dict[str, str]:
    """The credentials of an Airflow Connection: its password, and what its Extra has.

    Airflow does not tell a connection that is not there from a secrets backend that is away, so both are waited for.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

    from faultline.errors import TransientError

    try:
        found = Connection.get(conn_id)
    except (AirflowException, AirflowRuntimeError, PermissionError) as error:
        raise TransientError(f"Airflow gives no connection {conn_id}: {type(error).__name__}") from error
    fields = {**found.extra_dejson, "password": found.password}
    return {name: str(value) for name, value in fields.items() if value}


def tell_failure(context: Context) -> None:
    """Callback of a task that has failed for good: the operators are told, once an hour for each task."""
    from faultline.model import utc_now
    from faultline.steps.meta import tell_operators

    task, at, ours = context["ti"], utc_now(), {"database": default_conn_id("database")}
    error = context.get("exception") or "its process is gone"
    tell_operators(
        settings(conn_ids=ours),
        "TaskFailed",
        {"dag": task.dag_id, "task": task.task_id},
        f"{task.dag_id}.{task.task_id} has failed in run {task.run_id}, attempt {task.try_number}: {error}",
        identity=f"task:{task.dag_id}:{task.task_id}:{at:%Y-%m-%dT%H}",
        at=at,
    )


@contextmanager
def decisions() -> Iterator[None]:
    """A PermanentError fails the task at once; every other error is left to the task's retries."""
    from faultline.errors import PermanentError

    try:
        yield
    except PermanentError as error:
        raise AirflowFailException(str(error)) from error


@contextmanager
def watchdog(limit: timedelta) -> Iterator[Callable[[str], None]]:
    """Ends the process when ``limit`` passes without a step, saying where it hangs; Airflow then retries the task.

    The HDFS client waits for ever for a NameNode that is suspended or cut off, in native code that no signal, and so no
    execution_timeout, interrupts. Yields what to call at each step.
    """

    def step(name: str) -> None:
        faulthandler.dump_traceback_later(limit.total_seconds(), exit=True, file=2)  # replaces the one before

    step("started")
    try:
        yield step
    finally:
        faulthandler.cancel_dump_traceback_later()


def until_budget_or_orphaned(budget: timedelta) -> Callable[[], bool]:
    """Says when a continuous task should stop: its time is used up, or the supervisor that started it has died.

    Airflow does not end the task of a dead supervisor and soon starts a successor beside it. The database refuses the
    orphan's writes anyway; this ends it early.
    """
    parent, end = os.getppid(), time.monotonic() + budget.total_seconds()
    return lambda: time.monotonic() >= end or os.getppid() != parent


def until_restart(budget: timedelta, variables: LiveVariables) -> Callable[[], bool]:
    """The same; also as soon as the settings or the topics are others, so that the next run takes them up at once."""
    over = until_budget_or_orphaned(budget)
    return lambda: over() or variables.restart_needed()


class AlertSensor(BaseSensorOperator):
    """Evaluates the rules about once a second and sends what is due; ends successfully when its budget is used up."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(mode="poke", **kwargs)
        self._watch: AlertWatch | None = None
        self._transitions: Counter[str] = Counter()
        self._stop: Callable[[], bool] = lambda: True

    def execute(self, context: Context) -> None:
        from faultline.adapters.database import Database
        from faultline.steps.alerts import begin_watch
        from faultline.steps.report import write_report

        holder = f"{context['run_id']}/{context['ti'].try_number}/{os.getpid()}"
        with decisions():
            config, form = run_settings(context["params"], ["database"]), context["params"]["settings"]
            with Database(config.database_url) as database, LiveVariables(config, form) as variables:
                self._stop = until_restart(config.task_budget, variables)
                with begin_watch(
                    self._stop, config, database, holder, connections=connection, read=variables.document
                ) as watch:
                    variables.record_settings(database)
                    self._watch = watch
                    super().execute(context)
        write_report(log, "Transitions of alerts in this run", ("To", "Alerts"), sorted(self._transitions.items()))

    def poke(self, context: Context) -> bool:
        """One evaluation; True when this run should end."""
        from faultline.errors import Superseded, TransientError

        assert self._watch is not None
        try:
            if evaluation := self._watch.evaluate():
                self._transitions.update(step.target for step in evaluation.transitions)
        except TransientError as error:
            self.log.warning("Not evaluated, trying again: %s", error)
        except Superseded as error:
            self.log.warning("Ending: %s", error)
            return True
        return self._stop()
