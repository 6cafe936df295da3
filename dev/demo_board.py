"""How the demo looks: stages that tick off, then what is sent, archived, counted and alerted, live."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from dev.demo_watch import Seen
from dev.pager import Page
from dev.stack import Stack
from faultline.archive.findings import VerifyReport


class Board:
    """A live view in a terminal; one line per stage anywhere else."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done: list[str] = []
        self._now: tuple[str, float] | None = None
        self._seen: Seen | None = None
        self._pages: Sequence[Page] = ()
        terminal = console.is_terminal
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4) if terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def working(self, stage: str) -> Iterator[None]:
        """Show a stage as under way until the block ends, and as done when it ends well."""
        self._now = (stage, time.monotonic())
        try:
            yield
        except BaseException:
            self._line("[bold red]✗[/]", stage)
            raise
        self._line("[green]✓[/]", stage)
        self._now = None

    def say(self, text: str) -> None:
        """A line of its own between the stages."""
        self._add(f"  [yellow]{escape(text)}[/]")

    def show(self, seen: Seen, pages: Sequence[Page]) -> None:
        """What to draw from now on."""
        self._seen, self._pages = seen, tuple(pages)

    def _line(self, mark: str, stage: str) -> None:
        seconds = time.monotonic() - self._now[1] if self._now else 0.0
        self._add(f"{mark} {escape(stage)} [dim]{seconds:.1f} s[/]")

    def _add(self, line: str) -> None:
        self._done.append(line)
        if not self._live:
            self._console.print(line, highlight=False)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = list(self._done)
        if self._now:
            name, since = self._now
            parts.append(f"[cyan]…[/] {escape(name)} [dim]{time.monotonic() - since:.0f} s[/]")
        if self._seen:
            parts += ["", counts_table(self._seen), hours_line(self._seen), alerts_table(self._seen, self._pages)]
        return Group(*parts)


def counts_table(seen: Seen) -> Table:
    """Records sent and archived, per topic."""
    table = Table("topic", "sent", "archived", box=None, header_style="dim", padding=(0, 3, 0, 0))
    for topic, sent in seen.sent.items():
        table.add_row(topic, f"{sent:,}", f"{seen.archived[topic]:,}")
    table.add_row("[dim]counted, both topics[/]", f"{seen.counted:,}", "")
    return table


def hours_line(seen: Seen) -> str:
    """Rows of each hour partition on HDFS."""
    rows = (f"{topic}/{hour} {number:,}" for (topic, hour), number in seen.hours.items())
    return f"[dim]rows per hour partition:[/] {' · '.join(rows) or 'none yet'}"


def alerts_table(seen: Seen, pages: Sequence[Page]) -> RenderableType:
    """Live alerts with their state, and what has gone out."""
    table = Table("alert", "state", "count", "because of", box=None, header_style="dim", padding=(0, 3, 0, 0))
    colors = {"firing": "bold red", "acked": "red", "suppressed": "yellow", "recovering": "cyan"}
    shown = [alert for alert in seen.alerts if alert.key.rule != "LatencyProbe"]
    for alert in sorted(shown, key=lambda alert: (len(alert.causes), alert.starts_at)):
        because = ", ".join(cause.alert.rule for cause in alert.causes)
        color = colors.get(alert.state, "dim")
        name = "  " * len(alert.causes) + escape(str(alert.key))
        table.add_row(name, f"[{color}]{alert.state}[/]", f"{alert.count:,}", because)
    told = " · ".join(f"{page.kind} {page.name} at {page.at:%H:%M:%S}" for page in pages if page.path == "/ops")
    return Group(table if shown else "[dim]no alerts[/]", f"[dim]pager:[/] {told or 'silent'}")


def page_line(page: Page) -> str:
    """One message, with the effects it names."""
    summary = page.alert["annotations"].get("summary", "")
    effects = [f"\n    and because of it {name}, {count:,} records" for name, count in page.suppressed.items()]
    return f"[bold]{page.at:%H:%M:%S} {page.kind} {escape(page.name)}[/]: {escape(summary)}" + "".join(effects)


def page_panel(pages: Sequence[Page]) -> Panel:
    """What the person on call was told."""
    lines = "\n".join(map(page_line, pages))
    return Panel(lines, title="what the pager got", title_align="left", border_style="red", expand=False)


def verify_lines(console: Console, reports: Sequence[VerifyReport]) -> bool:
    """One line per topic; whether all of them are proven."""
    for report in reports:
        mark = "[green]✓ proven[/]" if report.ok else "[bold red]✗ not proven[/]"
        console.print(
            f"{mark} {report.topic}: {report.rows:,} rows, every archived offset exactly once", highlight=False
        )
        for finding in report.faults:
            console.print(f"  [red]{escape(finding.kind)}[/] {escape(finding.message)}")
    return all(report.ok for report in reports)


def next_steps(console: Console, stack: Stack, fault_url: str) -> None:
    """What to try while everything runs."""
    console.print(
        "[bold]Try next[/]\n"
        f"  break the shop again      curl -X POST {fault_url}/on    (and /off)\n"
        f"  change a threshold        edit {stack.environment['FAULTLINE_RULES_FILE']}; it is in force a second later\n"
        f"  what fires, and why       {stack.airflow.url}/plugin/faultline\n"
        f"  archive now, or backfill  {stack.airflow.url}/dags/archive_logs\n"
        f"  watch the alert task      {stack.airflow.url}/dags/watch_errors\n"
        "[dim]Ctrl-C stops everything the demo started.[/]",
        highlight=False,
    )
