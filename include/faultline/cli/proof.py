"""``faultline verify``: the proof, for a person or as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from faultline.cli.common import Topics, console, kafka_source, plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.archive.findings import VerifyReport
    from faultline.model import OffsetRange

app = typer.Typer()

# More than a person reads; JSON has them all.
_MOST = 10


class Format(StrEnum):
    """How a proof is printed."""

    TABLE = "table"
    JSON = "json"


@app.command()
def verify(
    topic: Topics = None,
    since: Annotated[
        str | None, typer.Option(help="Only rows committed so long ago or less, such as 2h; tiling is always proven.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every row, and compare with the bytes that Kafka still holds.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Prove the tables without asking Kafka.")] = False,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.TABLE,
) -> None:
    """Prove that each topic's table has every offset exactly once; exit code 1 with the exact ranges when not."""
    from faultline.durations import parse_duration
    from faultline.model import utc_now
    from faultline.steps.archive import verify_topics

    settings = read_settings()
    try:
        start = None if since is None else utc_now() - parse_duration(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    with plain_errors(), contextlib.ExitStack() as stack:
        source = None if offline else stack.enter_context(kafka_source(settings))
        progress = stack.enter_context(_progress())
        reports = verify_topics(settings, source, topic or [], since=start, deep=deep, progress=progress.show)
    if format is Format.JSON:
        print(json.dumps([report.to_dict() for report in reports], indent=2))
    else:
        _print(reports)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)


class _Bars:
    """A bar for each stage of each topic, on the terminal's error stream, so that output can be piped."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[tuple[str, str], TaskID] = {}

    def show(self, topic: str, stage: str, done: int, total: int) -> None:
        if (key := (topic, stage)) not in self._bars:
            self._bars[key] = self._progress.add_task(f"{topic}: {stage}", total=total)
        self._progress.update(self._bars[key], completed=done, total=total)


@contextlib.contextmanager
def _progress() -> Iterator[_Bars]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield _Bars(progress)


def _print(reports: Sequence[VerifyReport]) -> None:
    for report in reports:
        console.print(_table(report))
        for partition in report.partitions:
            if partition.gaps:
                console.print(f"explained, {partition.partition}: {_some(partition.gaps)}", soft_wrap=True)
        for loss in report.losses:
            console.print(f"[bold yellow]lost[/] {escape(str(loss))}", soft_wrap=True)
    faults = [finding for report in reports for finding in report.faults]
    for finding in faults:
        console.print(f"[bold red]{escape(finding.kind)}[/] {escape(finding.message)}", soft_wrap=True)
    if faults:
        console.print("[bold red]Not proven.[/]")
    elif any(report.commits for report in reports):
        lost = sum(len(loss.range) for report in reports for loss in report.losses)
        but = f" [yellow]{lost:,} offsets are written down as lost.[/]" if lost else ""
        console.print(f"[bold green]Every archived offset once, no hole.[/]{but}")
    else:
        console.print("Nothing is archived yet.")


def _table(report: VerifyReport) -> Table:
    read = f"{report.files_read:,} of {report.files:,} files read" if report.files else "no files"
    title = f"{report.topic}: {report.rows:,} rows in {report.commits:,} commits, {read}"
    table = Table(
        "Partition", "First", "Next", "Rows", "Explained", "Expired", "Kafka holds", "Lag", title=escape(title)
    )
    generations = {each.partition.topic_id for each in report.partitions}
    for each in report.partitions:
        held = f"[{each.low}, {each.high})" if each.high is not None else "-"
        lag = "-" if each.lag is None else f"{each.lag:,}"
        name = str(each.partition) + (f" ({each.partition.topic_id})" if len(generations) > 1 else "")
        row = (name, each.first, each.next, f"{each.rows:,}", f"{each.explained:,}", f"{each.expired:,}", held, lag)
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def _some(gaps: Sequence[OffsetRange]) -> str:
    from faultline.archive.findings import EXPLANATION

    shown = ", ".join(f"[{gap.start}, {gap.end})" for gap in gaps[:_MOST])
    rest = f" and {len(gaps) - _MOST:,} more ranges" if len(gaps) > _MOST else ""
    return escape(f"{shown}{rest}: {EXPLANATION}")
