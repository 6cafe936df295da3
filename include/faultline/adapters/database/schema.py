"""Bringing a database to the schema this version needs, by the Alembic migrations packaged beside this file."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from faultline.adapters.database.connect import writing
from faultline.errors import PermanentError

# Any number will do, as long as every version of Faultline asks for the same one.
_POSTGRES_LOCK = 0x6661756C746C
# Alembic keeps the running migration in module globals.
_one_at_a_time = threading.Lock()


def migrate(engine: Engine) -> None:
    """Upgrade to the newest migration; when two start at once, the second waits and finds nothing to do."""
    with _one_at_a_time, writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # The server's lock_timeout would end the wait for a long migration of someone else.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRES_LOCK})
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise PermanentError(f"database: {error} (was it written by a newer version of Faultline?)") from error


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
