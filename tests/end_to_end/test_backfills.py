"""Real backfills on a running Airflow, with live runs beside them: by REST and by the command line, there and back."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import create_engine, select

from dev.airflow import Airflow
from dev.airflow_api import AirflowApi
from dev.ports import free_ports
from faultline.adapters.database import Database
from faultline.adapters.database.tables import alerts, outbox, transitions
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.adapters.markers import markers
from faultline.archive.hours import Hour
from faultline.model import Interval, utc_now
from tests.servers import AirflowUi, AirflowWorkers, HdfsServer, PostgresServer, running

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ERRORS = 20  # an hour
PARTITIONS = 4

RULES = """
groups: [{name: shop, rules: [{alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m}]}]
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""

# An hour is archived, merged, recounted and digested by the runs whose logical dates are so long after its start.
DAGS = {
    "archive_logs": timedelta(0),
    "compact_archive": 15 * MINUTE,
    "recount_errors": 30 * MINUTE,
    "digest_errors": timedelta(0),
}
SCHEDULES = {"FAULTLINE_ARCHIVE_SCHEDULE": "0 * * * *", "FAULTLINE_DIGEST_SCHEDULE": "0 * * * *"}
# Nothing is killed here, and on a busy machine nothing is to look as if it were.
PATIENCE = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300"}


@dataclass(frozen=True)
class Site:
    """A running Airflow, its servers, and some hours of errors."""

    spec: Airflow
    api: AirflowApi
    database: Database
    kafka: str
    topic: str
    past: Interval

    @property
    def hours(self) -> list[datetime]:
        """The start of each."""
        number = (self.past.end - self.past.start) // HOUR
        return [self.past.start + number * HOUR for number in range(number)]

    def log(self, number: int, at: datetime, arrived: datetime, service: str) -> None:
        """Errors of one second, as a service logs them."""
        producer = Producer({"bootstrap.servers": self.kafka})
        for call in range(number):
            record = {"@timestamp": at.isoformat(), "service": service, "level": "ERROR", "message": f"{call} refused"}
            stamp = int(arrived.timestamp() * 1000)
            producer.produce(self.topic, json.dumps(record).encode(), partition=call % PARTITIONS, timestamp=stamp)
        assert producer.flush(20) == 0

    def backfill_by_rest(self, dag: str, **more: Any) -> None:
        """As a program would: the runs of the past hours."""
        behavior = {"reprocess_behavior": "completed", "max_active_runs": 4}
        self.api.backfill(dag, *self._dates(dag), **{**behavior, **more})

    def backfill_by_command(self, dag: str, run_backwards: bool = False) -> None:
        """As a person would in a terminal."""
        since, until = (date.isoformat() for date in self._dates(dag))
        backwards = ("--run-backwards",) if run_backwards else ()
        options = ("--reprocess-behavior", "completed", "--max-active-runs", "4", *backwards)
        self.spec.run("backfill", "create", "--dag-id", dag, "--from-date", since, "--to-date", until, *options)

    def backfilled(self, dag: str, **more: Any) -> list[dict[str, Any]]:
        """A backfill by REST, waited for: its runs."""
        self.backfill_by_rest(dag, **more)
        return self.runs(dag)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Those of the past hours, oldest first, once their backfill is over; one for each hour, all successful."""
        wait_for(lambda: all(each["completed_at"] for each in self.api.backfills(dag)), f"the backfill of {dag}")
        runs = self.api.runs_between(dag, *self._dates(dag))
        assert [(run["run_type"], run["state"]) for run in runs] == [("backfill", "success")] * len(self.hours), dag
        return runs

    def returned(self, dag: str, task: str) -> list[Any]:
        """What a task has returned in each of these runs."""
        return [self.api.returned(dag, run["dag_run_id"], task) for run in self.runs(dag)]

    def recounts(self) -> list[tuple[Any, Any]]:
        """What the recount of each hour has found; the same as was counted live, and one page that nobody got."""
        found = list(zip(*(self.returned("recount_errors", task) for task in ("compare", "replay")), strict=True))
        for compared, replayed in found:
            assert [compared[name] for name in ("archived", "live", "different", "uncounted")] == [ERRORS, ERRORS, 0, 0]
            assert [page["live"] for page in replayed["pages"]] == ["not seen"]
            assert (replayed["would_have_fired"], replayed["sent"]) == (1, 0)
        return found

    def archived(self) -> Mapping[Hour, tuple[int, str]]:
        """Rows of each past hour, and a hash of them."""
        table = TopicUpkeep.open(self.spec.environment["FAULTLINE_ARCHIVE_URL"], self.topic)
        columns = "dt, hr, kafka_topic_id, kafka_partition, kafka_offset, raw, timestamp"
        found: dict[Hour, list[str]] = defaultdict(list)
        for row in table.query(f"SELECT {columns} FROM logs ORDER BY {columns}").to_pylist():
            found[Hour.of(row.pop("dt"), row.pop("hr"))].append(repr(row))
        return {
            hour: (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
            for hour, rows in found.items()
            if self.past.start <= hour.start < self.past.end
        }

    def files(self) -> list[tuple[Hour, str, Any]]:
        """The files of the past hours, and each hour's mark."""
        url, webhdfs = (self.spec.environment[f"FAULTLINE_{name}_URL"] for name in ("ARCHIVE", "WEBHDFS"))
        store = markers(url, webhdfs)
        assert store is not None
        files = TopicUpkeep.open(url, self.topic).data_files()
        past = [file for file in files if self.past.start <= file.hour.start < self.past.end]
        return sorted((file.hour, file.path, store.read(self.topic, file.hour)) for file in past)

    def judged(self) -> Any:
        """Counts of the past hours, and all that was ever decided and sent."""
        counts = self.database.live_counts([self.topic], self.past.start, self.past.end).counts
        engine = create_engine(self.spec.environment["FAULTLINE_DATABASE_URL"])
        with engine.connect() as connection:
            sent = select(outbox).where(outbox.c.kind != "digest")
            rows = [connection.execute(query).all() for query in (select(alerts), select(transitions), sent)]
        engine.dispose()
        return sorted(counts, key=repr), *map(sorted, rows)

    def sent(self) -> list[str]:
        """The names in messages about alerts, digests apart."""
        names = (str(sent.notification.alert.alert) for sent in self.database.recent_notifications(1000))
        return sorted(name for name in names if name != "Digest")

    def _dates(self, dag: str) -> tuple[datetime, datetime]:
        return self.hours[0] + DAGS[dag], self.hours[-1] + DAGS[dag]


def wait_for(true: Callable[[], bool], what: str, limit: timedelta = HOUR) -> None:
    deadline = time.monotonic() + limit.total_seconds()
    while not true():
        assert time.monotonic() < deadline, f"not within {limit}: {what}"
        time.sleep(1)


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    kafka: str,
    hdfs: HdfsServer,
    postgres_url: str,
    postgres_server: PostgresServer,
    state_folder: Path,
) -> Iterator[Site]:
    """Hours that errors were logged in, counted live; of archiving there was nobody to do it."""
    # No later: the last hour's runs are the first live ones, and a backfill leaves a run that goes on alone.
    topic, end = f"past-{uuid.uuid4().hex[:8]}", utc_now().replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    folder = state_folder / topic
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES)
    (folder / "topics.yaml").write_text(f"topics: [{{name: {topic}}}]")
    environment = {
        "FAULTLINE_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "FAULTLINE_ARCHIVE_URL": f"{hdfs.url}/{topic}",
        "FAULTLINE_WEBHDFS_URL": hdfs.webhdfs,
        "FAULTLINE_DATABASE_URL": postgres_url,
        "FAULTLINE_RULES_FILE": str(folder / "rules.yaml"),
        "FAULTLINE_TOPICS_FILE": str(folder / "topics.yaml"),
        "FAULTLINE_TASK_BUDGET": "2m",
        **SCHEDULES,
        **PATIENCE,
    }
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, PARTITIONS)])[topic].result()
    name = f"airflow_{uuid.uuid4().hex[:8]}"
    spec = Airflow(folder, free_ports(), postgres_server.spec.create_database(name), environment)
    with Database(postgres_url) as database:
        database.migrate()
        with running(AirflowUi(spec)), running(AirflowWorkers(spec)), spec.api() as api:
            past = Interval(end - request.param * HOUR, end)
            site = Site(spec, api, database, kafka, topic, past)
            for hour in site.hours:
                site.log(6, hour + 10 * MINUTE, hour + 10 * MINUTE, "db")
                # On the way into the next hour: files that a merge has to do with.
                site.log(ERRORS - 6, hour + 55 * MINUTE, hour + 65 * MINUTE, "payment")
            wait_for(lambda: {"watch_errors", *DAGS} <= {dag["dag_id"] for dag in api.dags()}, "Airflow finds the DAGs")
            api.pause("watch_errors", paused=False)
            logged = ERRORS * request.param
            wait_for(lambda: sum(each.next_offset for each in database.counted()) == logged, "all is counted")
            yield site
    postgres_server.spec.drop_database(name)


@contextmanager
def live_runs(site: Site) -> Iterator[None]:
    """All DAGs are on; errors are logged and archived now, again and again, until the block is left."""
    over = threading.Event()

    def go_on() -> None:
        with site.spec.api() as api:
            for second in count():
                if second % 60 == 0:
                    api.trigger("archive_logs")
                site.log(4, utc_now(), utc_now(), "search")
                if over.wait(1):
                    return

    for dag in DAGS:
        site.api.pause(dag, paused=False)
    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "site",
    [
        pytest.param(2, marks=pytest.mark.timeout(1200)),
        pytest.param(48, marks=[pytest.mark.matrix, pytest.mark.timeout(4 * 3600)]),
    ],
    ids=["two hours", "48 hours"],
    indirect=True,
)
def test_backfills_beside_live_runs(site: Site) -> None:
    """The first archive, merge and find what was not sent; those after them, in another order, change nothing."""
    faulthandler.cancel_dump_traceback_later()  # 48 hours take longer than any other test may; they have a limit above
    before, number = site.judged(), len(site.hours)
    site.api.pause("archive_logs", paused=False)
    site.backfilled("archive_logs")
    with live_runs(site):
        site.backfill_by_command("compact_archive", run_backwards=True)
        site.backfill_by_rest("recount_errors", run_backwards=True)
        site.backfill_by_command("digest_errors")
        reports = [site.recounts(), site.returned("digest_errors", "digest")]
        site.runs("compact_archive")
        archived, files = site.archived(), site.files()
        assert [rows for rows, _ in archived.values()] == [ERRORS] * number
        assert [bool(mark) for _, _, mark in files] == [True] * number
        assert site.judged() == before

        site.backfill_by_command("archive_logs", run_backwards=True)
        site.backfill_by_rest("compact_archive")
        site.backfill_by_command("recount_errors")
        site.backfill_by_rest("digest_errors", run_backwards=True)
        assert site.returned("archive_logs", "plan") == [[]] * number
        assert all(site.returned("archive_logs", "verify"))
        assert [site.recounts(), site.returned("digest_errors", "digest")] == reports
        site.runs("compact_archive")
        assert (site.archived(), site.files(), site.judged()) == (archived, files, before)

        relabelled_runs_are_backfills(site)
        only_a_forced_recount_sends(replace(site, past=Interval(site.hours[-2], site.past.end)))


def relabelled_runs_are_backfills(site: Site) -> None:
    """A scheduled run that a backfill takes over keeps its id, proves the archive and sends no digest."""
    for dag, task in (("archive_logs", "verify"), ("digest_errors", "digest")):
        scheduled = [run for run in site.api.runs(dag, 100) if run["run_type"] == "scheduled"]
        before, date = scheduled[0]["dag_run_id"], datetime.fromisoformat(scheduled[0]["logical_date"])
        wait_for(lambda run=before, dag=dag: site.api.run(dag, run)["state"] == "success", f"{before} of {dag}")
        live = site.api.returned(dag, before, task)
        [run] = replace(site, past=Interval(date, date + HOUR)).backfilled(dag)
        again = site.api.returned(dag, before, task)
        assert (run["dag_run_id"], run["run_type"]) == (before, "backfill")
        if dag == "archive_logs":
            assert (live, [report["ok"] for report in again]) == ([], [True])
        else:
            assert (len(live["targets"]), again["targets"]) == (1, [])


def only_a_forced_recount_sends(site: Site) -> None:
    """What nobody was told of, once."""
    force = {"dag_run_conf": {"alerts_mode": "force"}}
    for _ in range(2):
        site.backfilled("recount_errors", **force)
        assert site.sent() == ["DbDown"] * len(site.hours)
    wait_for(lambda: all(sent.state == "delivered" for sent in site.database.recent_notifications(1000)), "all is sent")
