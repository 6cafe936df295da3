"""Commands of the archive lane."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from faultline.cli.common import Topics, console, kafka_source, plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.archive.verify import VerifyReport

app = typer.Typer()


@app.command()
def archive(topic: Topics = None) -> None:
    """Archive everything that is in Kafka now, as a run of archive_logs does."""
    from faultline.model import utc_now
    from faultline.steps.archive import append_group
    from faultline.steps.archive_plan import plan_archive_run

    settings = read_settings()
    with plain_errors(), kafka_source(settings) as source, console.status("Archiving …") as status:
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

    settings = read_settings()
    with plain_errors(), contextlib.ExitStack() as stack, console.status("Verifying …"):
        source = None if offline else stack.enter_context(kafka_source(settings))
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
