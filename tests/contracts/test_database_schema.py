"""The packaged migrations create what the code uses, once, whoever starts at the same time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from faultline.adapters.database import Database
from faultline.adapters.database.connect import open_engine
from faultline.adapters.database.schema import migrate
from faultline.adapters.database.tables import metadata
from faultline.errors import PermanentError, TransientError
from tests.contracts.values import P0, count, span


def test_the_migrations_give_exactly_the_tables_of_the_code(database_url: str, database: Database) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.record_counts([span(0, 1)], [count(1)])
    database.migrate()
    assert database.positions([P0]) == {P0: 1}


def test_two_that_migrate_at_once_both_succeed(database_url: str) -> None:
    script = (
        "import sys; from faultline.adapters.database import Database\n"
        "database = Database(sys.argv[1]); database.migrate(); print(database.totals())"
    )
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: _python(script, database_url), range(3)))
    assert runs == [(0, "{}\n", "")] * 3


def test_a_database_of_a_newer_version_is_left_alone(database_url: str, database: Database) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PermanentError, match="newer version"):
        database.migrate()
    engine.dispose()


def test_waiting_too_long_for_a_lock_is_transient(database_url: str, database: Database) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if engine.name == "sqlite" else "LOCK TABLE positions")
        with Database(database_url, lock_wait=timedelta(milliseconds=50)) as waiting:
            with pytest.raises(TransientError, match="lock"):
                waiting.record_counts([span(0, 1)], [count(1)])
            connection.rollback()
            waiting.record_counts([span(0, 1)], [count(1)])
    engine.dispose()


def test_a_failed_migration_leaves_nothing_behind(database_url: str) -> None:
    engine = open_engine(database_url, timedelta(seconds=10))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE outbox (id INTEGER)"))
    with pytest.raises((PermanentError, TransientError)):
        migrate(engine)
    with engine.connect() as connection, pytest.raises(Exception, match="leases"):
        connection.execute(text("SELECT 1 FROM leases"))
    engine.dispose()


def _python(script: str, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr
