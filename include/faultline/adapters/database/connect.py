"""How the database is opened and what its errors mean. SQLite and PostgreSQL behave alike from here on.

A write transaction holds SQLite's one write lock from its first statement (BEGIN IMMEDIATE), so what it reads cannot
change before it writes; on PostgreSQL row locks and compare-and-set updates do the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from threading import RLock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from faultline.errors import PermanentError, TransientError

Value = TypeVar("Value")

# Databases limit the values of one statement.
AT_ONCE = 500

_CONNECT_SECONDS = 10
_WRITE = "faultline_write"
_NO_SCHEMA = "is there a schema? run faultline migrate first"
# What waiting cannot mend: the folder is missing, the file is no database, it may not be written, a table is missing.
_SQLITE_PERMANENT = {
    sqlite3.SQLITE_ERROR: _NO_SCHEMA,
    sqlite3.SQLITE_CANTOPEN: "does its folder exist?",
    sqlite3.SQLITE_READONLY: "the file may not be written",
}


def open_engine(url: str, lock_wait: timedelta) -> Engine:
    """An engine for a SQLite file or a PostgreSQL database; PermanentError for anything else.

    Whoever waits longer than ``lock_wait`` for another's lock gets TransientError.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            # What most people write; SQLAlchemy would look for a driver that we do not install.
            parsed = parsed.set(drivername="postgresql+psycopg2")
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise PermanentError(f"not a database URL: {error}") from error
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise PermanentError("SQLite needs a file: every process and thread must see the same database")
        engine = create_engine(parsed, connect_args={"timeout": lock_wait.total_seconds()})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        try:
            engine = create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_SECONDS})
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise PermanentError(f"{parsed.drivername}: {error}; write postgresql+psycopg2://…") from error
        event.listen(engine, "connect", partial(_prepare_postgres, lock_wait))
        return engine
    raise PermanentError(f"{backend} is not supported: use SQLite (a file) or PostgreSQL")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction; database errors come out as Faultline's."""
    with translated(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """As ``reading``; its statements see one moment, on PostgreSQL too."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.name == "postgresql" else {}
    with translated(), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of it or nothing; database errors come out as Faultline's."""
    with (
        translated(),
        _turn(engine),
        engine.connect().execution_options(**{_WRITE: True}) as connection,
        connection.begin(),
    ):
        yield connection


def _turn(engine: Engine) -> AbstractContextManager[object]:
    """SQLite takes one writer. Its others ask again and again, with longer and longer sleeps: our own threads queue."""
    return _turns.setdefault(engine, RLock()) if engine.name == "sqlite" else nullcontext()


_turns: WeakKeyDictionary[Engine, AbstractContextManager[object]] = WeakKeyDictionary()


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database's error into the decision it means."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if hint := _permanent(error):
            raise PermanentError(f"database: {_first_line(error)} ({hint})") from error
        raise TransientError(f"database: {_first_line(error)}") from error
    except ProgrammingError as error:
        raise PermanentError(f"database: {_first_line(error)} ({_NO_SCHEMA})") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransientError(f"database: {_first_line(error)}") from error
        raise


def _permanent(error: DBAPIError) -> str | None:
    if isinstance(error.orig, sqlite3.Error):
        return _SQLITE_PERMANENT.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
    return None


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # SQLAlchemy's "begin" event below decides how a transaction starts, so sqlite3 itself must not.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITE) else "BEGIN")


def _prepare_postgres(lock_wait: timedelta, connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {round(lock_wait.total_seconds() * 1000)}")
        # An orphan that was stopped in the middle of a transaction must not hold up its successor for ever.
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        cursor.execute("SET timezone = 'UTC'")
    connection.commit()


def batched(values: Sequence[Value], size: int) -> Iterator[Sequence[Value]]:
    """The values in portions of at most ``size``."""
    return (values[start : start + size] for start in range(0, len(values), size))


def insert_or_ignore(connection: Connection, table: Table) -> Any:
    """INSERT … ON CONFLICT DO NOTHING; a row with the same key is left as it is."""
    return upsert(connection, table).on_conflict_do_nothing()


def upsert(connection: Connection, table: Table) -> Any:
    """The dialect's INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
