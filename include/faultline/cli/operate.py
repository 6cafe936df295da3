"""Commands for who runs the alert lane: its tables, the lane itself in a terminal, what it is doing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from faultline.cli.archive_status import archive_report
from faultline.cli.common import console, kafka_source, plain_errors, read_settings
from faultline.cli.hdfs_status import hdfs_lines

if TYPE_CHECKING:
    from faultline.model import LateCount

app = typer.Typer()

# Of the hours in which records came too late so many are named.
_HOURS = 3


@app.command()
def migrate() -> None:
    """Create or upgrade the tables of the database."""
    from faultline.adapters.database import Database

    with plain_errors(), Database(read_settings().database_url) as database, console.status("Migrating …"):
        database.migrate()
    console.print("The database is up to date.")


@app.command()
def watch() -> None:
    """Count and alert in this terminal until Ctrl-C: what watch_errors does, without Airflow."""
    from concurrent.futures import ThreadPoolExecutor

    from faultline.adapters.database import Database
    from faultline.steps.alerts import AlertWatch, evaluate_until
    from faultline.steps.counts import count_until

    settings = read_settings()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with plain_errors(), kafka_source(settings) as source, Database(settings.database_url) as database:
        database.migrate()
        with AlertWatch(settings, database, f"cli/{os.getpid()}") as alerts, ThreadPoolExecutor(1, "alerts") as pool:
            sensor = pool.submit(evaluate_until, stopped.is_set, settings, alerts)
            # Counting that nobody evaluates looks as if all were well: neither goes on without the other.
            sensor.add_done_callback(lambda _: stopped.set())
            try:
                count_until(stopped.is_set, settings, source, database)
            finally:
                stopped.set()
            sensor.result()


@app.command()
def status() -> None:
    """What is counted and archived, what is firing, what was sent, how HDFS is, whether the rules file is good."""
    from faultline.adapters.database import Database
    from faultline.dispatch.text import one_line
    from faultline.durations import format_duration
    from faultline.steps.counting_state import counting_state

    settings = read_settings()
    with plain_errors(), Database(settings.database_url) as database:
        lane, totals, alerts = counting_state(database), database.totals(), database.alerts()
    table = Table("Partition", "Next offset", "Complete to (UTC)", title="Counted")
    for each in lane.counted:
        complete = f"{each.complete_to:%Y-%m-%d %H:%M:%S}" if each.complete_to else "-"
        table.add_row(str(each.partition), f"{each.next_offset:,}", complete)
    console.print(table)
    for name, total in totals.items():
        console.print(f"{name}: {total:,} records in counts", highlight=False)
    for line in late_lines(lane.late, format_duration(settings.allowed_lateness)):
        console.print(line, highlight=False, soft_wrap=True)
    live = [alert for alert in alerts if alert.live]
    table = Table("Alert", "State", "Since (UTC)", "Count", "Because of", title="Alerts")
    for alert in live:
        causes = ", ".join(str(cause.alert) for cause in alert.causes) or (alert.ack.reason if alert.ack else "-")
        table.add_row(
            escape(one_line(str(alert.key))),
            alert.state,
            f"{alert.starts_at:%Y-%m-%d %H:%M:%S}",
            f"{alert.count:,}",
            escape(one_line(causes)),
        )
    console.print(table if live else "No alerts.")
    if lane.evaluated:
        console.print(f"Rules last evaluated at {lane.evaluated.at:%Y-%m-%d %H:%M:%S} UTC", highlight=False)
    else:
        console.print("[bold red]No rule has ever been evaluated:[/] is watch_errors running?")
    console.print("Outbox: " + ", ".join(f"{number} {state}" for state, number in lane.outbox.items()), highlight=False)
    for said in (*archive_report(settings), *hdfs_lines(settings)):
        console.print(said, highlight=False, soft_wrap=isinstance(said, str))
    for fault in lane.faults:
        console.print(f"[bold red]Not in force:[/] {escape(str(fault))}", soft_wrap=True)


def late_lines(late: Sequence[LateCount], allowed: str) -> Iterator[str]:
    """For each topic how many records came too late to be counted, and in which hours lately, newest first."""
    for topic, rows in groupby(sorted(late, key=attrgetter("topic")), key=attrgetter("topic")):
        hours = sorted(rows, key=attrgetter("hour"), reverse=True)
        named = ", ".join(f"{row.hour:%Y-%m-%d %H:00} {row.count:,}" for row in hours[:_HOURS])
        total = sum(row.count for row in hours)
        more = " …" if len(hours) > _HOURS else ""
        yield (
            f"{escape(topic)}: [bold yellow]late_dropped {total:,}[/]: archived but not counted, because they came "
            f"more than {allowed} after their bucket was closed; by hour (UTC): {named}{more}"
        )
