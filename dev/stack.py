"""All local servers of one profile together: what starts after what, and everything that ``up`` promises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dev import airflow, hdfs, kafka, postgres
from dev.airflow import Airflow
from dev.hdfs import Hdfs
from dev.jars import fetch_all
from dev.java import find_java
from dev.kafka import Kafka
from dev.paths import ROOT, file_lock, profile_folder
from dev.ports import DEFAULT_BASE, OFFSETS, Ports, from_base
from dev.postgres import Postgres
from dev.programs import Program, wait_until
from dev.supervisor import Supervisor
from faultline.adapters.database import Database

Say = Callable[[str, str], None]
"""Hears (part, what it does now); ``ready`` is the last word of each part."""

_SHOP = ROOT / "examples" / "shop"

READY = "ready"
PARTS = ("Java and jars", "Kafka", "HDFS", "PostgreSQL", "Airflow")


@dataclass(frozen=True)
class Stack:
    """Kafka, HDFS, PostgreSQL and Airflow below one folder."""

    folder: Path
    ports: Ports

    @property
    def supervisor(self) -> Supervisor:
        """What keeps them alive."""
        return Supervisor(self.folder / "supervisor", self.ports["supervisor"])

    @property
    def postgres(self) -> Postgres:
        """Airflow's database and Faultline's, side by side."""
        return Postgres(self.folder / "postgres", self.ports)

    @property
    def airflow(self) -> Airflow:
        """What runs the DAGs. PostgreSQL must have been prepared: its URL has the password."""
        return Airflow(self.folder / "airflow", self.ports, self.postgres.url("airflow"), self.environment)

    @property
    def namenode_url(self) -> str:
        """The NameNode's pages and WebHDFS."""
        return f"http://{self.ports.address('namenode-http')}"

    @property
    def environment(self) -> dict[str, str]:
        """``FAULTLINE_*`` for whoever works on these servers: Airflow's tasks, the CLI, the demo."""
        return {
            "FAULTLINE_KAFKA_BOOTSTRAP_SERVERS": self.ports.address("kafka"),
            "FAULTLINE_ARCHIVE_URL": f"hdfs://{self.ports.address('namenode')}/faultline",
            "FAULTLINE_WEBHDFS_URL": self.namenode_url,
            "FAULTLINE_DATABASE_URL": self.postgres.url("faultline"),
            "FAULTLINE_RULES_FILE": os.environ.get("FAULTLINE_RULES_FILE", str(self.rules_file)),
            "FAULTLINE_TOPICS_FILE": os.environ.get("FAULTLINE_TOPICS_FILE", str(_SHOP / "topics.yaml")),
            "FAULTLINE_UI_URL": f"http://{self.ports.address('airflow')}/plugin/faultline/faultline",
            "FAULTLINE_ARCHIVE_SCHEDULE": "* * * * *",
            "FAULTLINE_ALLOWED_LATENESS": "5s",
        }

    @property
    def rules_file(self) -> Path:
        """The shop's rules, with this stack's pager in it; free to be edited."""
        return self.folder / "rules.yaml"

    def up(self, say: Say, with_airflow: bool = True) -> None:
        """Start what does not run and return when all of it answers; DevError says what did not and why.

        Interrupted, it stops everything again.
        """
        with file_lock(self.folder / "up.lock"), ThreadPoolExecutor() as pool:
            self._check_ports(with_airflow)
            self._write_rules()
            self.supervisor.launch()
            parts = [pool.submit(self._up_sql, say, with_airflow), pool.submit(self._up_jvms, say, pool)]
            try:
                for part in parts:
                    part.result()
            except KeyboardInterrupt:
                self.down()
                raise

    def down(self) -> None:
        """Stop all that ``up`` started, and nothing else."""
        self.supervisor.shutdown()

    def _write_rules(self) -> None:
        """A copy of the shop's rules; an edited one stays until the shop's are newer or the port is another."""
        pager, original = self.ports.address("webhook"), _SHOP / "rules.yaml"
        ours = self.rules_file
        if ours.exists() and ours.stat().st_mtime >= original.stat().st_mtime and pager in ours.read_text():
            return
        default = f"127.0.0.1:{DEFAULT_BASE + OFFSETS['webhook']}"
        ours.write_text(original.read_text().replace(default, pager))

    def _check_ports(self, with_airflow: bool) -> None:
        running = {status.name for status in self.supervisor.statuses() if status.pid}
        wanted = {
            "kafka": kafka.PORTS,
            "namenode": hdfs.PORTS,
            "postgres": postgres.PORTS,
            **({"airflow-api-server": airflow.PORTS} if with_airflow else {}),
        }
        own = () if self.supervisor.running() else ("supervisor",)
        needed = [port for program, ports in wanted.items() if program not in running for port in ports]
        self.ports.check_free([*own, *needed])

    def _up_jvms(self, say: Say, pool: ThreadPoolExecutor) -> None:
        say("Java and jars", "looking; downloading them the first time")
        java, jars = find_java(), fetch_all()
        say("Java and jars", READY)
        broker = pool.submit(self._up_kafka, Kafka(self.folder / "kafka", java, jars["kafka"], self.ports), say)
        self._up_hdfs(Hdfs(self.folder / "hdfs", java, jars["hdfs"], self.ports), say)
        broker.result()

    def _up_kafka(self, broker: Kafka, say: Say) -> None:
        say("Kafka", "starting")
        broker.prepare()
        self._start([broker.program()], "Kafka", broker.answers)
        say("Kafka", READY)

    def _up_hdfs(self, cluster: Hdfs, say: Say) -> None:
        say("HDFS", "starting")
        cluster.prepare()
        self._start(cluster.programs(), "HDFS", cluster.answers)
        say("HDFS", READY)

    def _up_sql(self, say: Say, with_airflow: bool) -> None:
        say("PostgreSQL", "starting")
        self.postgres.prepare()
        self._start([self.postgres.program()], "PostgreSQL", self.postgres.answers)
        for database in ("airflow", "faultline"):
            self.postgres.create_database(database)
        with Database(self.postgres.url("faultline")) as faultline:
            faultline.migrate()
        say("PostgreSQL", READY)
        if with_airflow:
            self._up_airflow(say)

    def _up_airflow(self, say: Say) -> None:
        say("Airflow", "preparing; making its tables the first time")
        self.airflow.prepare()
        say("Airflow", "starting")
        self._start(self.airflow.programs(), "Airflow", self.airflow.answers)
        say("Airflow", READY)

    def _start(self, programs: Iterable[Program], what: str, ready: Callable[[], bool]) -> None:
        programs = list(programs)
        for program in programs:
            self.supervisor.start(program)
        wait_until(
            ready, what, programs[0].log, lambda: all(self.supervisor.alive(each.name) for each in programs), 180
        )


def local_stack() -> Stack:
    """The servers of ``make up`` and ``make demo``; ``FAULTLINE_PROFILE`` names another set beside them."""
    return Stack(profile_folder(os.environ.get("FAULTLINE_PROFILE", "local")), from_base())
