"""``faultline backtest``: what other rules would have done, before they are in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from faultline.cli.common import Topics, console, plain_errors, read_settings
from faultline.cli.records import format_time
from faultline.cli.scanning import CtrlC
from faultline.dispatch.text import one_line

if TYPE_CHECKING:
    from faultline.alerting.alertlog import AlertLog
    from faultline.alerting.comparison import Comparison, Figures, Page, RuleChange, Suppressed
    from faultline.alerting.rules import Rules
    from faultline.model import Interval
    from faultline.settings import Settings
    from faultline.steps.backtest import Plan

app = typer.Typer()

_INTERRUPTED = 130
# More than a person reads; JSON has them all.
_MOST = 20


class BacktestFormat(StrEnum):
    """How the comparison is printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class RulesFile:
    """A rules file and where it is from."""

    name: str
    rules: Rules


@app.command()
def backtest(
    rules: Annotated[Path, typer.Option(help="The rules to try.")],
    since: Annotated[str, typer.Option(help="From then on: a duration ago, or a time in UTC.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Before then; now unless given.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="The rules to compare with; those in force unless given.")
    ] = None,
    topic: Topics = None,
    format: Annotated[BacktestFormat, typer.Option(help="For people or for programs.")] = BacktestFormat.TEXT,
) -> None:
    """Run rules over the archive, beside those in force: which pages would be new, gone, or without a cause's page."""
    from faultline.alerting.comparison import compare
    from faultline.errors import ConfigurationError
    from faultline.steps.backtest import plan_backtest

    interval, settings = _interval(since, until), read_settings()
    try:
        after = _read(rules)
        before = _in_force(settings) if against is None else _read(against)
    except ConfigurationError as error:
        # Not through rich: a fault must stay on one line for editors and grep.
        print(*error.faults, sep="\n", file=sys.stderr)
        raise typer.Exit(1) from None
    both = (before.rules, after.rules)
    with plain_errors():
        plan = plan_backtest(settings, both, interval, topic or [])
        for note in plan.notes:
            print(note, file=sys.stderr)
        found = compare(*_run(settings, both, plan))
    if format is BacktestFormat.JSON:
        print(json.dumps(_as_json(before, after, plan, found), ensure_ascii=False, indent=2))
    else:
        _print(before, after, plan, found)


def _interval(since: str, until: str | None) -> Interval:
    from faultline.durations import parse_when
    from faultline.model import Interval, utc_now

    now = utc_now()
    try:
        start, end = parse_when(since, now), parse_when(until, now) if until else now
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if start >= end:
        raise typer.BadParameter(f"nothing lies between {format_time(start)} and {format_time(end)} UTC")
    return Interval(start, end)


def _read(path: Path) -> RulesFile:
    from faultline.alerting.rules import load_rules
    from faultline.yaml_files import read_text

    return RulesFile(str(path), load_rules(read_text(path), str(path)))


def _in_force(settings: Settings) -> RulesFile:
    """While the file is faulty, its last good version; its faults when no database has one."""
    from faultline.adapters.database import Database
    from faultline.errors import ConfigurationError, FaultlineError
    from faultline.steps.last_good import configured_rules, in_force

    path = settings.rules_file
    try:
        with Database(settings.database_url) as database:
            return RulesFile(str(path), in_force(configured_rules(settings), database))
    except ConfigurationError:
        raise
    except FaultlineError:
        return _read(path)


def _run(settings: Settings, rules: Sequence[Rules], plan: Plan) -> list[AlertLog]:
    """Under a bar of the rows read and the hour they are of; Ctrl-C exits 130."""
    from faultline.steps.backtest import run_backtest

    ctrl_c, errors = CtrlC(), Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with ctrl_c.heard(), Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
            task = bar.add_task("Counting", total=plan.rows)

            def show(hour: datetime, rows: int) -> None:
                ctrl_c.check()
                bar.update(task, description=f"{hour:%Y-%m-%d %Hh}", advance=rows)

            return run_backtest(settings, rules, plan, progress=show)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        raise typer.Exit(_INTERRUPTED) from None


def _print(before: RulesFile, after: RulesFile, plan: Plan, found: Comparison) -> None:
    period = plan.period
    _say(f"{_minute(period.start)} to {_minute(period.end)} UTC, {plan.rows:,} archived records read")
    _say(f"before: {before.name}, version {before.rules.hash}")
    _say(f"after:  {after.name}, version {after.rules.hash}")
    console.print(_rules_table(found.rules))
    if found.suppressed:
        console.print(_chains_table(found.suppressed))
    was = f" ({found.unexplained_before:,} before)"
    _print_pages(f"Pages of effects without a page of a cause, after{was}", found.unexplained)
    _print_pages("Alerts that somebody is told of only after", found.new)
    _print_pages("Alerts that nobody is told of any more", found.gone)


def _rules_table(changes: Iterable[RuleChange]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    rows = list(changes)
    was = sum(row.before.pages for row in rows if row.before)
    now = sum(row.after.pages for row in rows if row.after)
    footers = ["all", f"{was:,}", f"{now:,}", f"{now - was:+,}", "", "", "", ""]
    names = [("rule", ""), ("pages", "before"), ("pages", "after"), ("pages", "change")]
    names += [(what, when) for what in ("alerts", "suppressed") for when in ("before", "after")]
    for (what, when), footer in zip(names, footers, strict=True):
        table.add_column(f"{what}\n{when}", footer=footer, justify="right" if when else "left", overflow="fold")
    for row in rows:
        table.add_row(Text(one_line(row.rule)), *_cells(row.before, row.after))
    return table


def _cells(before: Figures | None, after: Figures | None) -> Iterator[Text]:
    """Pages, alerts and suppressed ones, each before and after, and the change of the pages."""
    change = (after.pages if after else 0) - (before.pages if before else 0)
    for name in ("pages", "alerts", "suppressed"):
        yield from (_number(getattr(side, name) if side else None) for side in (before, after))
        if name == "pages":
            yield Text(f"{change:+,}" if change else "", "green" if change < 0 else "red")


def _number(value: int | None) -> Text:
    return Text("-", "dim") if value is None else Text(f"{value:,}")


def _chains_table(pairs: Iterable[Suppressed]) -> Table:
    table = Table("root", "alerts that it kept back, of rule", box=box.SIMPLE_HEAD)
    for heading in ("before", "after"):
        table.add_column(heading, justify="right")
    for pair in pairs:
        table.add_row(Text(one_line(pair.root)), Text(one_line(pair.effect)), f"{pair.before:,}", f"{pair.after:,}")
    return table


def _print_pages(title: str, pages: Sequence[Page]) -> None:
    _say(f"{title}: {len(pages):,}")
    for page in pages[:_MOST]:
        _say(one_line(f"  {page.at:%Y-%m-%d %H:%M:%S}  {page.alert}, {page.count:,} records; {page.note}"))
    if len(pages) > _MOST:
        _say(f"  … {len(pages) - _MOST:,} more, see --format json")


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _as_json(before: RulesFile, after: RulesFile, plan: Plan, found: Comparison) -> dict[str, Any]:
    from pydantic import TypeAdapter

    from faultline.alerting.comparison import Comparison

    return {
        "since": plan.period.start.isoformat(),
        "until": plan.period.end.isoformat(),
        "records": plan.rows,
        "before": {"file": before.name, "rules_hash": before.rules.hash},
        "after": {"file": after.name, "rules_hash": after.rules.hash},
        "notes": list(plan.notes),
        **TypeAdapter(Comparison).dump_python(found, mode="json"),
    }
