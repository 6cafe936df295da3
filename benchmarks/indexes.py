"""What the indexes of the page's view Errors cost those who count: batches with them and without, in turns.

Both databases have a million rows of counts before; the one without has the index that was there before them. Times are
of whole transactions, positions and commit included, by the clock: PostgreSQL works in a process of its own.
"""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine, text

from dev.paths import profile_folder
from dev.ports import free_ports
from dev.postgres import Postgres
from faultline.adapters.database import Database
from faultline.model import ErrorCount, Labels, OffsetRange, TopicPartition
from tests.servers import PostgresServer, running

ROWS, BATCH, ROUNDS = 1_000_000, 1_000, 100
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
_PARTITION = TopicPartition("app-logs", "generation-1", 0)
_WITHOUT = (
    "DROP INDEX ix_counts_sums",
    "DROP INDEX ix_counts_fingerprint",
    "CREATE INDEX ix_counts_bucket_start ON counts (bucket_start)",
)
_TEXT = "order 77120 of cart 5311 was lost: payments answered 503 Service Unavailable after 2,000 ms"


@dataclass(frozen=True, slots=True)
class Result:
    """One kind of database: milliseconds for each batch, with the indexes and without."""

    name: str
    with_them: Sequence[float]
    without: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median of what each pair of batches says: both meet the same noise."""
        pairs = zip(self.with_them, self.without, strict=True)
        return statistics.median(one / other for one, other in pairs)


def main() -> None:
    """Print the table."""
    console = Console()
    folder = profile_folder("bench-indexes")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with running(PostgresServer(folder / "postgres", free_ports())) as server:
            kinds = {"SQLite": _files(folder, console), "PostgreSQL": _databases(server.spec, console)}
            results = [_in_turns(name, *urls) for name, urls in kinds.items()]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(_table(results))


def _files(folder: Path, console: Console) -> tuple[str, str]:
    """SQLite's, filled: with the indexes and without."""
    file, copy = folder / "with.db", folder / "without.db"
    _fill(f"sqlite:///{file}", console)
    shutil.copy(file, copy)
    _change(f"sqlite:///{copy}")
    return f"sqlite:///{file}", f"sqlite:///{copy}"


def _databases(postgres: Postgres, console: Console) -> tuple[str, str]:
    """PostgreSQL's, filled: with the indexes and without."""
    url, other = (postgres.create_database(name) for name in ("indexes_with", "indexes_without"))
    for each in (url, other):
        _fill(each, console)
    _change(other)
    for each in (url, other):
        with create_engine(each).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return url, other


def _fill(url: str, console: Console) -> None:
    with Database(url) as database:
        database.migrate()
        # Larger than those measured: the first million is not what is timed.
        for start in track(range(0, ROWS, 10 * BATCH), f"filling {url.partition(':')[0]}", console=console):
            batches = (_batch(number) for number in range(start // BATCH, start // BATCH + 10))
            database.record_counts([_range(start, 10 * BATCH)], [each for batch in batches for each in batch])


def _change(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in _WITHOUT:
            connection.execute(text(statement))
    engine.dispose()


def _in_turns(name: str, url: str, other: str) -> Result:
    """Whoever is first with a batch is second with the next."""
    took: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        databases = [stack.enter_context(Database(each)) for each in (url, other)]
        for number in range(ROUNDS):
            rows, span = _batch(ROWS // BATCH + number), _range(ROWS + number * BATCH, BATCH)
            for which in (0, 1) if number % 2 else (1, 0):
                begun = time.perf_counter()
                databases[which].record_counts([span], rows)
                took[which].append(1000 * (time.perf_counter() - begun))
    return Result(name, *took)


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


def _table(results: Sequence[Result]) -> Table:
    table = Table(title=f"{ROUNDS} batches of {BATCH:,} rows of counts onto {ROWS:,}")
    for heading in ("database", "ms a batch, with", "without", "with / without"):
        table.add_column(heading, justify="left" if heading == "database" else "right")
    for each in results:
        medians = [f"{statistics.median(took):.1f}" for took in (each.with_them, each.without)]
        table.add_row(each.name, *medians, f"{each.ratio:.2f}")
    return table


if __name__ == "__main__":
    main()
