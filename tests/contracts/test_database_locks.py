"""A database that somebody else has locked: who writes waits, then tries again; nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from faultline.adapters.database import Database
from faultline.dispatch.delivery import OutboxState
from faultline.errors import TransientError
from tests.contracts.values import P0, alert, count, evaluation, notification, span

LOCKS = {"sqlite": "BEGIN EXCLUSIVE", "postgresql": "LOCK TABLE positions, leases IN ACCESS EXCLUSIVE MODE"}


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another session has the tables to itself."""
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text(LOCKS[engine.dialect.name]))
        yield
        other.rollback()
    engine.dispose()


def test_who_waits_longer_than_it_may_has_written_nothing_and_can_try_again(
    database_url: str, database: Database
) -> None:
    lease = database.acquire_lease("alerts", "run 1")
    made = evaluation(notification(), alerts=(alert(),))
    with Database(database_url, lock_wait=timedelta(milliseconds=200)) as impatient:
        with locked(database_url):
            with pytest.raises(TransientError):
                impatient.record_counts([span(0, 5)], [count(5)])
            with pytest.raises(TransientError):
                impatient.record_evaluation(lease, made)
        impatient.record_counts([span(0, 5)], [count(5)])
        impatient.record_evaluation(lease, made)
    assert (database.positions([P0]), database.totals()) == ({P0: 5}, {"app-logs": 5})
    assert database.outbox_summary()[OutboxState.QUEUED] == 1


def test_who_waits_long_enough_writes_once_when_the_lock_is_gone(database_url: str, database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:
        with locked(database_url):
            waiting = pool.submit(database.record_counts, [span(0, 5)], [count(5)])
            with pytest.raises(FutureTimeout):
                waiting.result(timeout=0.5)
        waiting.result()
    assert (database.positions([P0]), database.totals()) == ({P0: 5}, {"app-logs": 5})
