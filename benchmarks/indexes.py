"""What the page's view Errors costs those who count: batches with what serves it and without, in turns.

Every database has counts before; those without the index of sums have the one that was there before it. Times are of
whole transactions, positions and commit included, by the clock: PostgreSQL works in processes of its own.
"""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine, text

from dev.paths import profile_folder
from dev.ports import free_ports
from dev.postgres import Postgres
from faultline.adapters.database import Database, counting
from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from tests.servers import PostgresServer, running

ROWS, BATCH, ROUNDS = 300_000, 1_000, 100
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
_PARTITION = TopicPartition("app-logs", "generation-1", 0)
_NO_SUMS = ("DROP INDEX ix_counts_sums", "CREATE INDEX ix_counts_bucket_start ON counts (bucket_start)")
_BY_FINGERPRINT = (
    "CREATE INDEX ix_counts_fingerprint ON counts (fingerprint, bucket_start) WHERE fingerprint IS NOT NULL",
)
_TEXT = "order 77120 of cart 5311 was lost: payments answered 503 Service Unavailable after 2,000 ms"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is done to a database before, and whether each fingerprint's first bucket is kept."""

    name: str
    statements: Sequence[str]
    keeps_first: bool


# The first is what the others are compared with.
KINDS = (
    Kind("nothing for it", _NO_SUMS, keeps_first=False),
    Kind("index of sums", (), keeps_first=False),
    Kind("index of sums, fingerprints (as it is)", (), keeps_first=True),
    Kind("index of sums, index by fingerprint", _BY_FINGERPRINT, keeps_first=False),
)


def main() -> None:
    """Print the table."""
    console = Console()
    folder = profile_folder("bench-indexes")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with running(PostgresServer(folder / "postgres", free_ports())) as server:
            filled = {"SQLite": _files(folder, console), "PostgreSQL": _databases(server.spec, console)}
            results = {name: _in_turns(urls) for name, urls in filled.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(_table(results))


def _files(folder: Path, console: Console) -> list[str]:
    """SQLite's, filled, one of each kind."""
    filled = folder / "filled.db"
    _fill(f"sqlite:///{filled}", console)
    urls = [f"sqlite:///{shutil.copy(filled, folder / f'{number}.db')}" for number in range(len(KINDS))]
    return _changed(urls)


def _databases(postgres: Postgres, console: Console) -> list[str]:
    """PostgreSQL's, filled, one of each kind."""
    _fill(postgres.create_database("filled"), console)
    names = [f"kind_{number}" for number in range(len(KINDS))]
    _run(postgres.url("postgres"), [f"CREATE DATABASE {name} TEMPLATE filled" for name in names])
    urls = _changed([postgres.url(name) for name in names])
    for url in urls:
        _run(url, ["VACUUM ANALYZE"])
    return urls


def _changed(urls: list[str]) -> list[str]:
    for url, kind in zip(urls, KINDS, strict=True):
        _run(url, kind.statements)
    return urls


def _run(url: str, statements: Sequence[str]) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _fill(url: str, console: Console) -> None:
    with Database(url) as database:
        database.migrate()
        for start in track(range(0, ROWS, 10 * BATCH), f"filling {url.partition(':')[0]}", console=console):
            batches = (_batch(number) for number in range(start // BATCH, start // BATCH + 10))
            database.record_counts([_range(start, 10 * BATCH)], [each for batch in batches for each in batch])


def _in_turns(urls: Sequence[str]) -> list[list[float]]:
    """Milliseconds for each batch, by database; whoever is first with a batch is last with the next."""
    took: list[list[float]] = [[] for _ in urls]
    with ExitStack() as stack:
        databases = [stack.enter_context(Database(each)) for each in urls]
        for number in range(ROUNDS):
            rows, span = _batch(ROWS // BATCH + number), _range(ROWS + number * BATCH, BATCH)
            for which in sorted(range(len(urls)), reverse=number % 2 == 1):
                with nullcontext() if KINDS[which].keeps_first else _without_fingerprints():
                    begun = time.perf_counter()
                    databases[which].record_counts([span], rows)
                    took[which].append(1000 * (time.perf_counter() - begun))
    return took


def _without_fingerprints() -> AbstractContextManager[object]:
    return patch.object(counting, "_add_fingerprints", lambda *_: None)


def _batch(number: int) -> list[ErrorCount]:
    """A bucket's rows: a hundred label sets, ten kinds of errors of each out of a thousand."""
    return [*_rows(NOON + number * BUCKET, random.Random(number))]


def _rows(at: datetime, rng: random.Random) -> Iterator[ErrorCount]:
    for each in range(100):
        labels = Labels(topic="app-logs", service=f"service-{each % 10}", host=f"host-{each // 10}", level="ERROR")
        for kind in rng.sample(range(1000), BATCH // 100):
            yield ErrorCount(
                at, labels, rng.randrange(1, 99), at, at, f"v1:{kind * 2654435761 % 2**48:012x}", _TEXT, 0, each
            )


def _range(start: int, length: int) -> OffsetRange:
    return OffsetRange(_PARTITION, start, start + length)


def _table(results: Mapping[str, Sequence[Sequence[float]]]) -> Table:
    """Ratios are medians of what each batch says: whoever takes it meets the same noise."""
    table = Table(title=f"{ROUNDS} batches of {BATCH:,} rows of counts onto {ROWS:,}")
    for heading in ("database", "what serves the view", "ms a batch", "/ nothing"):
        table.add_column(heading, justify="left" if heading in ("database", "what serves the view") else "right")
    for name, took in results.items():
        for kind, times in zip(KINDS, took, strict=True):
            ratio = statistics.median(one / other for one, other in zip(times, took[0], strict=True))
            table.add_row(name, kind.name, f"{statistics.median(times):.1f}", f"{ratio:.2f}")
    return table


if __name__ == "__main__":
    main()
