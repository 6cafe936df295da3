"""``faultline …``: the steps for a terminal.

Settings come from the ``FAULTLINE_*`` environment, as in Airflow. Exit code 0: all is well; 1: something is wrong and
the output says what; 2: the command was called wrongly.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from faultline.adapters.kafka import KafkaSource
    from faultline.archive.verify import VerifyReport
    from faultline.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Archive logs, count errors, page for the cause.")
console = Console()

Topics = Annotated[list[str] | None, typer.Option("--topic", help="Only this topic; may be repeated.")]


@app.callback()
def setup(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more of what happens.")] = False) -> None:
    """Archive logs, count errors, page for the cause."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=Console(stderr=True))]
    )
    logging.getLogger("faultline").setLevel(level)


@app.command()
def migrate() -> None:
    """Create or upgrade the tables of the database."""
    from faultline.adapters.database import Database

    with _errors(), Database(_settings().database_url) as database, console.status("Migrating …"):
        database.migrate()
    console.print("The database is up to date.")


@app.command()
def check(
    rules: Annotated[Path | None, typer.Option(help="The rules file; that of the settings unless given.")] = None,
    topics: Annotated[Path | None, typer.Option(help="The topics file; that of the settings unless given.")] = None,
) -> None:
    """Check the rules and topics files; prints every fault as file:line: message."""
    from faultline.alerting.rules import load_rules
    from faultline.errors import ConfigurationError
    from faultline.settings import load_topics

    faults = []
    for path, load in ((rules or _settings().rules_file, load_rules), (topics or _settings().topics_file, load_topics)):
        try:
            load(path.read_text(encoding="utf-8"), str(path))
            console.print(f"{path}: good", highlight=False, markup=False)
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}:0: cannot be read: {error}")
        except ConfigurationError as error:
            faults.extend(map(str, error.faults))
    for fault in faults:
        # Not through rich: a fault must stay on one line for editors and grep.
        print(fault)
    raise typer.Exit(1 if faults else 0)


@app.command()
def archive(topic: Topics = None) -> None:
    """Archive everything that is in Kafka now, as a run of archive_logs does."""
    from faultline.model import utc_now
    from faultline.steps.archive import append_group, plan_archive_run

    settings = _settings()
    with _errors(), _kafka(settings) as source, console.status("Archiving …") as status:
        groups = plan_archive_run(settings, source, until=utc_now(), topics=topic or [])
        rows = 0
        for number, group in enumerate(groups, 1):
            status.update(f"Archiving group {number} of {len(groups)}, {rows:,} rows so far …")
            rows += append_group(settings, source, group)["rows"]
    console.print(f"{rows:,} rows archived.")


@app.command()
def verify(
    topic: Topics = None,
    offline: Annotated[bool, typer.Option(help="Prove the tables without asking Kafka.")] = False,
) -> None:
    """Prove that each topic's table has every offset exactly once; exit code 1 with the exact ranges when not."""
    from faultline.steps.archive import verify_topics

    settings = _settings()
    with _errors(), contextlib.ExitStack() as stack, console.status("Verifying …"):
        source = None if offline else stack.enter_context(_kafka(settings))
        reports = verify_topics(settings, source, topic or [])
    for report in reports:
        console.print(_verify_table(report))
    faults = [finding for report in reports for finding in report.faults]
    for finding in faults:
        console.print(f"[bold red]{escape(finding.kind)}[/] {escape(finding.message)}", soft_wrap=True)
    if faults:
        console.print("[bold red]Not proven.[/]")
    elif any(report.commits for report in reports):
        console.print("[bold green]Every archived offset once, no hole.[/]")
    else:
        console.print("Nothing is archived yet.")
    raise typer.Exit(1 if faults else 0)


@app.command()
def watch() -> None:
    """Count and alert in this terminal until Ctrl-C: what watch_errors does, without Airflow."""
    from concurrent.futures import ThreadPoolExecutor

    from faultline.adapters.database import Database
    from faultline.steps.alerts import AlertWatch, evaluate_until
    from faultline.steps.counts import count_until

    settings = _settings()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with _errors(), _kafka(settings) as source, Database(settings.database_url) as database:
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
    """What is counted, what is firing, what was sent, and whether the rules file is good."""
    from faultline.adapters.database import Database
    from faultline.dispatch.text import one_line
    from faultline.steps.alerts import LEASE

    with _errors(), Database(_settings().database_url) as database:
        counted, totals, alerts = database.counted(), database.totals(), database.alerts()
        outbox, faults = database.outbox_summary(), database.rule_faults()
        evaluated = database.evaluated(LEASE)
    table = Table("Partition", "Next offset", "Complete to (UTC)", title="Counted")
    for each in counted:
        complete = f"{each.complete_to:%Y-%m-%d %H:%M:%S}" if each.complete_to else "-"
        table.add_row(str(each.partition), f"{each.next_offset:,}", complete)
    console.print(table)
    for name, total in totals.items():
        console.print(f"{name}: {total:,} records in counts", highlight=False)
    live = [alert for alert in alerts if alert.live]
    table = Table("Alert", "State", "Since (UTC)", "Count", "Because of", title="Alerts")
    for alert in live:
        causes = ", ".join(str(cause.alert) for cause in alert.causes) or "-"
        table.add_row(
            escape(one_line(str(alert.key))),
            alert.state,
            f"{alert.starts_at:%Y-%m-%d %H:%M:%S}",
            f"{alert.count:,}",
            escape(one_line(causes)),
        )
    console.print(table if live else "No alerts.")
    if evaluated:
        console.print(f"Rules last evaluated at {evaluated.at:%Y-%m-%d %H:%M:%S} UTC", highlight=False)
    else:
        console.print("[bold red]No rule has ever been evaluated:[/] is watch_errors running?")
    console.print("Outbox: " + ", ".join(f"{number} {state}" for state, number in outbox.items()), highlight=False)
    for fault in faults:
        console.print(f"[bold red]Not in force:[/] {escape(str(fault))}", soft_wrap=True)


def _settings() -> Settings:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from faultline.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = "_".join(["FAULTLINE", *map(str, detail["loc"])]).upper()
            said = detail["msg"].removeprefix("Value error, ")
            console.print(f"[bold red]{escape(name)}[/]: {escape(said)}", soft_wrap=True)
        raise typer.Exit(2) from None
    except SettingsError as error:
        console.print(f"[bold red]Settings[/]: {escape(f'{error}: {error.__cause__}')}", soft_wrap=True)
        raise typer.Exit(2) from None


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Ends the command with the sentence of an expected error instead of a traceback."""
    from faultline.errors import FaultlineError

    try:
        yield
    except FaultlineError as error:
        Console(stderr=True).print(f"[bold red]{escape(type(error).__name__)}:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


@contextlib.contextmanager
def _kafka(settings: Settings) -> Iterator[KafkaSource]:
    from faultline.adapters.kafka import KafkaSource

    with KafkaSource(settings.kafka_bootstrap_servers, settings.kafka_properties) as source:
        yield source


def _verify_table(report: VerifyReport) -> Table:
    table = Table(
        "Partition",
        "First",
        "Next",
        "Rows",
        "Explained",
        "Kafka holds",
        "Lag",
        title=f"{report.topic}: {report.rows:,} rows",
    )
    for each in report.partitions:
        held = f"[{each.low}, {each.high})" if each.high is not None else "-"
        lag = "-" if each.lag is None else f"{each.lag:,}"
        row = (str(each.partition), each.first, each.next, f"{each.rows:,}", each.explained, held, lag)
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


if __name__ == "__main__":
    sys.exit(app())
