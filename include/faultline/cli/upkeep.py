"""``faultline compact``: look after the tables, as compact_archive does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from faultline.cli.common import Topics, console, kafka_source, plain_errors, read_settings

if TYPE_CHECKING:
    from faultline.settings import Settings
    from faultline.steps.compact import CompactionPlan

app = typer.Typer()

_MIB = 2**20


@app.command()
def compact(
    topic: Topics = None,
    since: Annotated[
        str | None, typer.Option(help="Hours from this time on, UTC, such as 2026-11-22T05:00; or so long ago, 2d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Hours that end by this time.")] = None,
    target_mib: Annotated[int | None, typer.Option(min=1, max=1024, help="Size of a merged file in MiB.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
) -> None:
    """Merge the small files of hours that are over, mark them, expire old hours and delete what nobody needs."""
    from faultline.model import utc_now
    from faultline.steps.compact import plan_compaction

    settings, now = read_settings(), utc_now()
    with plain_errors():
        window = {"since": _time(since, now, "--since"), "until": _time(until, now, "--until")}
        plans = plan_compaction(settings, now=now, topics=topic or [], target_mib=target_mib, **window)
        console.print(_plan_table(plans))
        if not dry_run:
            _carry_out(settings, plans, now=now, target_mib=target_mib, **window)


def _carry_out(settings: Settings, plans: Sequence[CompactionPlan], **chosen: Any) -> None:
    from faultline.steps.clean import clean_topic
    from faultline.steps.compact import merge_topic
    from faultline.steps.marks import mark_topic

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        for plan in plans:
            bar = progress.add_task(escape(plan.topic), total=sum(merge.size for merge in plan.merges))
            done = merge_topic(settings, plan.topic, progress=partial(progress.advance, bar), **chosen)
            if done["files"]:
                saved = f"{_mib(done['bytes_before'])} MiB became {_mib(done['bytes_after'])}"
                console.print(
                    f"{plan.topic}: {done['files']:,} files became {done['outputs']}, {saved}.", highlight=False
                )
    for plan in plans:
        with console.status(f"Cleaning {escape(plan.topic)} …"):
            cleaned = clean_topic(settings, plan.topic, now=chosen["now"])
        hours = f"{len(cleaned['expired'])} hours expired, {cleaned['deleted']} files deleted"
        console.print(f"{plan.topic}: {hours}.", highlight=False)
    with kafka_source(settings) as source:
        for plan in plans:
            with console.status(f"Marking hours of {escape(plan.topic)} …"):
                marked = mark_topic(settings, source, plan.topic, **chosen)
            console.print(f"{plan.topic}: {len(marked)} hours marked as complete.", highlight=False)


def _plan_table(plans: Sequence[CompactionPlan]) -> Table:
    table = Table("Topic", "Hours", "Files", "Become", "Rows", "MiB", "Hours to expire", "Small files", title="To do")
    for plan in plans:
        merges = plan.merges
        cells = (
            len(plan.hours),
            sum(len(merge.files) for merge in merges),
            sum(merge.outputs for merge in merges),
            sum(merge.rows for merge in merges),
        )
        size = _mib(sum(merge.size for merge in merges))
        table.add_row(
            escape(plan.topic),
            *(f"{cell:,}" for cell in cells),
            size,
            f"{len(plan.expired):,}",
            f"{plan.small:,} of {plan.files:,}",
        )
    return table


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f}"


def _time(text: str | None, now: datetime, option: str) -> datetime | None:
    from faultline.durations import parse_when

    try:
        return None if text is None else parse_when(text, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
