"""The packaged migrations create what the code uses, once, whoever starts at the same time."""

from __future__ import annotations

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
from tests.contracts.database_worker import start
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


def test_several_that_migrate_at_once_all_succeed(database_url: str) -> None:
    workers = [start(database_url, "migrate") for _ in range(3)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with Database(database_url) as database:
        assert database.totals() == {}


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
