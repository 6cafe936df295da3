"""A backtest beside counting the same records live: rows a second from a table to what two rules files say of them.

Live is what one micro-batch after the other costs once Kafka has given it out: decode, count, one SQL transaction.
The backtest reads the same records from their table and evaluates twice on top.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.logs import mixed
from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.alerting.counts import complete_to, count_events
from faultline.alerting.rules import Rules, load_rules
from faultline.model import Interval, OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.settings import Settings
from faultline.steps.archived_counts import count_hours
from faultline.steps.backtest import Plan, plan_backtest, replay
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig

RECORDS, BATCH, ROUNDS = 500_000, 50_000, 3
TOPIC = TopicConfig(name="app-logs")
PARTITION = TopicPartition(TOPIC.name, "generation-1", 0)
SERVICES = ("checkout", "db", "gateway", "jobs", "mail", "search", "sessions", "storage")


@dataclass(frozen=True, slots=True)
class Result:
    """What was done, in seconds of the clock and of the processor."""

    name: str
    seconds: float
    processor: float


def main() -> None:
    """Print the table."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder))
        batches = list(_batches(console))
        _archive(settings, batches)
        console.print(_table(_results(settings, batches)))


def _results(settings: Settings, batches: Sequence[pa.Table]) -> Iterator[Result]:
    """The medians of rounds in which the ways take turns."""
    one, other = _rules(1000), _rules(2000)
    ways: dict[str, Callable[[], None]] = {
        "live: decode + count + record": lambda: _live(settings, batches),
        "the archive: read + count": lambda: _count(settings),
        f"backtest: and {len(one.rules)} rules": lambda: _backtest(settings, [one]),
        f"backtest: and twice {len(one.rules)} rules": lambda: _backtest(settings, [one, other]),
    }
    rounds = [[_time(name, work) for name, work in ways.items()] for _ in range(ROUNDS)]
    for results in zip(*rounds, strict=True):
        yield sorted(results, key=attrgetter("processor"))[ROUNDS // 2]


def _live(settings: Settings, batches: Sequence[pa.Table]) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/counts.db") as database:
        database.migrate()
        for number, batch in enumerate(batches):
            events, ranges = decode(batch, TOPIC, event_time_span=settings.event_time_span), [_range(number)]
            counts = count_events(events, TOPIC, bucket=settings.count_bucket)
            database.record_counts(ranges, counts, complete_to(events, ranges, caught_up=[], at=now))


def _count(settings: Settings) -> None:
    for _ in count_hours(_plan(settings, [_rules(1000)]).evaluated, settings.count_bucket):
        pass


def _backtest(settings: Settings, rules: Sequence[Rules]) -> None:
    for _ in replay(settings, rules, _plan(settings, rules)):
        pass


def _plan(settings: Settings, rules: Sequence[Rules]) -> Plan:
    now = datetime.now(UTC)
    return plan_backtest(settings, rules, Interval(now - timedelta(days=1), now))


def _time(name: str, work: Callable[[], None]) -> Result:
    start, processor = time.perf_counter(), time.process_time()
    work()
    return Result(name, time.perf_counter() - start, time.process_time() - processor)


def _table(results: Iterator[Result]) -> Table:
    table = Table(title=f"{RECORDS:,} records of 24 hosts over 42 minutes, in a table of {RECORDS // BATCH} commits")
    for heading in ("what", "records/s", "CPU µs a record", "CPU live / this"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    live: Result | None = None
    for result in results:
        live = live or result
        times = live.processor / result.processor
        cpu = 1e6 * result.processor / RECORDS
        table.add_row(result.name, f"{RECORDS / result.seconds:,.0f}", f"{cpu:.2f}", f"{times:.2f}")
    return table


def _settings(folder: Path) -> Settings:
    (folder / "topics.yaml").write_text(f"topics: [{{name: {TOPIC.name}}}]")
    return Settings(archive_url=str(folder / "archive"), topics_file=folder / "topics.yaml")


def _rules(num_events: int) -> Rules:
    rules = [
        {
            "alert": f"{service}-{kind}",
            "matchers": [f'service="{service}"', 'level=~"WARNING|ERROR"'],
            "query_key": query_key,
            "num_events": num_events,
            "timeframe": "1m",
        }
        for service in SERVICES
        for kind, query_key in (("errors", []), ("on-host", ["host"]), ("repeats", ["fingerprint"]))
    ]
    file = {"groups": [{"name": "bench", "rules": rules}], "route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    return load_rules(json.dumps(file))


def _batches(console: Console) -> Iterator[pa.Table]:
    records, now = mixed(RECORDS), datetime.now(UTC)
    for start in track(range(0, RECORDS, BATCH), "writing records", console=console):
        yield raw_table(list(islice(records, BATCH)), at=now, start=start)


def _archive(settings: Settings, batches: Sequence[pa.Table]) -> None:
    table = TopicTable.open_or_create(settings.archive_url, TOPIC.name)
    for number, batch in enumerate(batches):
        table.append(decode(batch, TOPIC, event_time_span=settings.event_time_span), [_range(number)])


def _range(number: int) -> OffsetRange:
    return OffsetRange(PARTITION, number * BATCH, (number + 1) * BATCH)


if __name__ == "__main__":
    main()
