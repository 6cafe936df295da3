"""Airflow on the local PostgreSQL: LocalExecutor, one process per component, settings that recover fast."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from dev.airflow_api import AirflowApi
from dev.errors import DevError
from dev.paths import ROOT
from dev.ports import Ports
from dev.programs import Program, inherited_environment

PORTS = ("airflow", "airflow-worker-logs", "airflow-trigger-logs")
LOGIN = ("admin", "admin")
ARCHIVE_POOL = "faultline_archive"
# No triggerer: nothing of ours defers.
COMPONENTS = ("api-server", "scheduler", "dag-processor")


@dataclass(frozen=True, slots=True)
class Airflow:
    """An Airflow whose state is below ``folder``; ``environment`` is what its tasks see beside the settings.

    ``users`` are names and roles; everyone's password is the name.
    """

    folder: Path
    ports: Ports
    database_url: str
    environment: Mapping[str, str]
    users: Mapping[str, str] = field(default_factory=lambda: {LOGIN[0]: "admin"})

    @property
    def url(self) -> str:
        """The UI and the API."""
        return f"http://{self.ports.address('airflow')}"

    def log(self, component: str) -> Path:
        """What a component prints."""
        return self.folder / f"{component}.log"

    def api(self) -> AirflowApi:
        """A client with the local login."""
        return AirflowApi(self.url, *LOGIN)

    def prepare(self) -> None:
        """Write the login and, once for each version of Airflow, make or migrate its tables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._passwords_file.write_text(json.dumps({name: name for name in self.users}))
        self._secrets()
        done = self.folder / f"migrated-{version('apache-airflow')}"
        if not done.exists():
            self.run("db", "migrate")
            self.run("pools", "set", ARCHIVE_POOL, "4", "Tasks of the archive")
            done.touch()

    def run(self, *arguments: str) -> str:
        """The output of one ``airflow`` command."""
        command = (*_AIRFLOW, *arguments)
        environment = {**inherited_environment(), **self.settings()}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)
        if result.returncode != 0:
            last_lines = "\n".join((result.stdout + result.stderr).splitlines()[-30:])
            raise DevError(f"airflow {' '.join(arguments)} failed:\n{last_lines}")
        return result.stdout

    def programs(self) -> tuple[Program, ...]:
        """The components. A stopped scheduler first waits for its tasks, for a while."""
        settings = self.settings()
        return tuple(
            Program(f"airflow-{component}", (*_AIRFLOW, component), self.log(component), settings, stop_seconds=15)
            for component in COMPONENTS
        )

    def api_server(self) -> Program:
        """The component that serves the UI and the API, which is all that a page needs."""
        return next(program for program in self.programs() if program.name == "airflow-api-server")

    def serves(self) -> bool:
        """Whether the UI and the API answer."""
        with self.api() as api:
            return api.health().get("metadatabase") == "healthy"

    def answers(self) -> bool:
        """Whether the API answers and the scheduler and the DAG processor give signs of life."""
        with self.api() as api:
            health = api.health()
        return all(health.get(name) == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))

    def settings(self) -> dict[str, str]:
        """The whole environment of a component and its tasks, beside what this process has."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        sections = {**self._connections(), **LEAN, **RECOVERY}
        named = {f"AIRFLOW__{section}__{name}": value for (section, name), value in sections.items()}
        own = {"AIRFLOW_HOME": str(self.folder), "PATH": path, "FAULTLINE_ARCHIVE_POOL": ARCHIVE_POOL}
        return {**own, **named, **self.environment}

    @property
    def _passwords_file(self) -> Path:
        return self.folder / "passwords.json"

    def _secrets(self) -> dict[str, str]:
        """Generated once: a restarted component accepts what the others signed before."""
        file = self.folder / "secrets.json"
        if not file.exists():
            fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            file.write_text(
                json.dumps({"jwt": secrets.token_hex(32), "session": secrets.token_hex(32), "fernet": fernet})
            )
            file.chmod(0o600)
        content: dict[str, str] = json.loads(file.read_text())
        return content

    def _connections(self) -> dict[tuple[str, str], str]:
        keys = self._secrets()
        return {
            ("DATABASE", "SQL_ALCHEMY_CONN"): self.database_url,
            ("CORE", "DAGS_FOLDER"): str(ROOT / "dags"),
            ("CORE", "PLUGINS_FOLDER"): str(ROOT / "plugins"),
            ("CORE", "SIMPLE_AUTH_MANAGER_USERS"): ",".join(f"{name}:{role}" for name, role in self.users.items()),
            ("CORE", "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"): str(self._passwords_file),
            ("CORE", "EXECUTION_API_SERVER_URL"): f"{self.url}/execution/",
            ("CORE", "FERNET_KEY"): keys["fernet"],
            ("API", "HOST"): "127.0.0.1",
            ("API", "PORT"): str(self.ports["airflow"]),
            ("API", "BASE_URL"): self.url,
            ("API", "SECRET_KEY"): keys["session"],
            ("API_AUTH", "JWT_SECRET"): keys["jwt"],
            ("LOGGING", "BASE_LOG_FOLDER"): str(self.folder / "logs"),
            ("LOGGING", "WORKER_LOG_SERVER_PORT"): str(self.ports["airflow-worker-logs"]),
            ("LOGGING", "TRIGGER_LOG_SERVER_PORT"): str(self.ports["airflow-trigger-logs"]),
        }


_AIRFLOW = (sys.executable, "-m", "airflow")

LEAN = {
    ("CORE", "EXECUTOR"): "LocalExecutor",
    ("CORE", "PARALLELISM"): "8",
    ("CORE", "LOAD_EXAMPLES"): "False",
    ("CORE", "TEST_CONNECTION"): "Enabled",
    ("CORE", "DAGS_ARE_PAUSED_AT_CREATION"): "True",
    ("API", "WORKERS"): "1",
    ("DAG_PROCESSOR", "PARSING_PROCESSES"): "1",
    ("DAG_PROCESSOR", "REFRESH_INTERVAL"): "5",
    # A file that has changed is parsed at once anyway; to parse all of them takes a core for ten seconds.
    ("DAG_PROCESSOR", "MIN_FILE_PROCESS_INTERVAL"): "300",
    ("SCHEDULER", "SCHEDULER_IDLE_SLEEP_TIME"): "0.2",
}

# The defaults find a task whose supervisor is gone after five minutes; these after some 18 s. The threshold of a
# scheduler's own health stays Airflow's, 30 s: one whose loop takes longer declares itself dead, and resets every task
# that runs.
RECOVERY = {
    ("SCHEDULER", "TASK_INSTANCE_HEARTBEAT_TIMEOUT"): "15",
    ("SCHEDULER", "TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL"): "3",
    ("SCHEDULER", "ORPHANED_TASKS_CHECK_INTERVAL"): "10",
    ("WORKERS", "MIN_HEARTBEAT_INTERVAL"): "2",
}
