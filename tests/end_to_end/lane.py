"""The continuous lane on a running Airflow: an error a second, and when it was counted, evaluated and told of."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from dev.airflow import Airflow
from dev.airflow_api import AirflowApi
from dev.pager import Pager
from dev.ports import Ports
from dev.programs import wait_until
from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.model import utc_now
from tests.servers import AirflowUi, AirflowWorkers, running

DAG, COUNT, SENSOR = "watch_errors", "count_errors", "alert_sensor"
_LOOK = 0.1

# Each error is an alert of its own, so that each is a message.
_RULES = """
groups: [{{name: lane, rules: [{{alert: Error, query_key: [number], num_events: 1, timeframe: 30s}}]}}]
route: {{receiver: pager}}
receivers: [{{name: pager, webhook_configs: [{{url: "{url}", send_resolved: false}}]}}]
"""


@dataclass
class Seen:
    """How many errors were logged, and when something new was counted, evaluated and told of, in order."""

    pager: Pager
    logged: int = 0
    counted: list[datetime] = field(default_factory=list)
    evaluated: list[datetime] = field(default_factory=list)

    @property
    def told(self) -> list[datetime]:
        """When each message came."""
        return [page.at for page in self.pager.pages]

    @property
    def untold(self) -> set[int]:
        """The numbers of the errors of which nobody was told."""
        return set(range(self.logged)) - {int(page.alert["labels"]["number"]) for page in self.pager.pages}


@dataclass(frozen=True)
class Lane:
    """The lane under observation."""

    workers: AirflowWorkers
    api: AirflowApi
    seen: Seen

    def process(self, task: str) -> psutil.Process:
        """In which the task runs; its parent, a worker of the executor, supervises it."""
        found: list[psutil.Process] = []

        def runs() -> bool:
            found[:] = self._processes(task)
            return bool(found)

        wait_until(runs, task, self.workers.spec.log("scheduler"), lambda: True)
        return found[0]

    def kill_scheduler(self) -> None:
        """SIGKILL to the scheduler and all that runs below it, and start it again, as whoever watches over it would."""
        [scheduler] = (child for child in self.workers.children if child.program.name == "airflow-scheduler")
        below = psutil.Process(scheduler.pid).children(recursive=True)
        scheduler.kill()
        for process in below:
            if process.is_running():
                process.kill()
        scheduler.start()

    def _processes(self, task: str) -> list[psutil.Process]:
        run = self.api.runs(DAG, 1)[0]["dag_run_id"]
        ids = {
            each["id"] for each in self.api.tasks(DAG, run) if each["task_id"] == task and each["state"] == "running"
        }
        below = (psutil.Process(child.pid).children(recursive=True) for child in self.workers.children)
        titles = {f"airflow worker -- {each}" for each in ids}  # a supervisor's has LocalExecutor in it
        return [process for some in below for process in some if _title(process) in titles]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return ""


KILLS: dict[str, Callable[[Lane], object]] = {
    "the process of count_errors": lambda lane: lane.process(COUNT).kill(),
    "the process of alert_sensor": lambda lane: lane.process(SENSOR).kill(),
    "the worker of count_errors": lambda lane: lane.process(COUNT).parent().kill(),
    "the worker of alert_sensor": lambda lane: lane.process(SENSOR).parent().kill(),
    "the scheduler and all below it": lambda lane: lane.kill_scheduler(),
}


def longest_pause(times: Sequence[datetime], since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Between which two of the times, or the ends of the interval, nothing happened for longest."""
    inside = [since, *(time for time in times if since < time < until), until]
    return max(pairwise(inside), key=lambda pair: pair[1] - pair[0])


@contextmanager
def lane(
    folder: Path, ports: Ports, kafka: str, database_url: str, airflow_database: str, budget: str
) -> Iterator[Lane]:
    """A running Airflow on these servers with the DAG switched on, once the first messages have come."""
    topic = f"lane-{uuid.uuid4().hex[:8]}"
    (folder / "rules.yaml").write_text(_RULES.format(url=f"http://{ports.address('webhook')}/pager"))
    (folder / "topics.yaml").write_text(f"topics: [{{name: {topic}, count_labels: [number]}}]")
    environment = {
        "FAULTLINE_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "FAULTLINE_ARCHIVE_URL": str(folder / "archive"),
        "FAULTLINE_DATABASE_URL": database_url,
        "FAULTLINE_RULES_FILE": str(folder / "rules.yaml"),
        "FAULTLINE_TOPICS_FILE": str(folder / "topics.yaml"),
        "FAULTLINE_TASK_BUDGET": budget,
    }
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    spec = Airflow(folder, ports, airflow_database, environment)
    workers = AirflowWorkers(spec)
    with Database(database_url) as database, running(AirflowUi(spec)), running(workers), spec.api() as api:
        database.migrate()
        log = spec.log("scheduler")
        wait_until(lambda: any(dag["dag_id"] == DAG for dag in api.dags()), "the DAG", log, lambda: True)
        api.pause(DAG, paused=False)
        with Pager(ports["webhook"]) as pager, _observed(database, kafka, topic, seen := Seen(pager)):
            wait_until(lambda: len(seen.told) > 3, "the first message", log, lambda: True, 300)
            yield Lane(workers, api, seen)


@contextmanager
def _observed(database: Database, kafka: str, topic: str, seen: Seen) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        producer, counted, evaluated, next_error = Producer({"bootstrap.servers": kafka}), 0, None, 0.0
        while not over.wait(_LOOK):
            if time.monotonic() >= next_error:
                next_error = time.monotonic() + 1
                record = {"service": "lane", "level": "ERROR", "message": "refused", "number": str(seen.logged)}
                producer.produce(topic, json.dumps(record).encode())
                producer.poll(0)
                seen.logged += 1
            now = sum(each.next_offset for each in database.counted())
            if now != counted:
                counted = now
                seen.counted.append(utc_now())
            last = database.evaluated(LEASE)
            if last and last.at != evaluated:
                evaluated = last.at
                seen.evaluated.append(utc_now())
        producer.flush(10)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
