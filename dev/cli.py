"""``python -m dev up | down | status | logs``, behind the Makefile's targets of the same names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from dev.airflow import LOGIN
from dev.errors import DevError
from dev.stack import PARTS, READY, Say, Stack, local_stack

app = typer.Typer(help="Local Kafka, HDFS, PostgreSQL and Airflow.", no_args_is_help=True, add_completion=False)
console = Console()


@app.command()
def up(airflow: Annotated[bool, typer.Option(help="Start Airflow too.")] = True) -> None:
    """Start the servers, or what is missing of them, and leave them running."""
    with told_plainly():
        stack = local_stack()
        with progress(PARTS if airflow else PARTS[:-1]) as say:
            stack.up(say, with_airflow=airflow)
        console.print(addresses(stack, airflow))
        console.print("[dim]make status · make logs · make down[/]")


@app.command()
def down() -> None:
    """Stop everything that up or the demo started."""
    with told_plainly(), console.status("stopping the servers"):
        stack = local_stack()
        stack.down()
    console.print(f"All local servers are stopped; their data stays in {os.path.relpath(stack.folder)}.")


@app.command()
def status() -> None:
    """What runs; exit code 1 when anything does not."""
    with told_plainly():
        rows = local_stack().supervisor.statuses()
    if not rows:
        console.print("Nothing runs. Start the servers with [bold]make up[/].")
        raise typer.Exit(1)
    table = Table("program", "state", "since", "log", box=None, header_style="dim")
    for row in rows:
        color = "green" if row.state == "RUNNING" else "red"
        since = row.description.rpartition("uptime ")[2]
        table.add_row(row.name, f"[{color}]{row.state.lower()}[/]", since, os.path.relpath(row.log))
    console.print(table)
    raise typer.Exit(0 if all(row.state == "RUNNING" for row in rows) else 1)


@app.command()
def logs(
    programs: Annotated[
        list[str] | None, typer.Argument(help="Only these, such as kafka or airflow-scheduler.")
    ] = None,
    lines: Annotated[int, typer.Option(help="How much of each to show first.")] = 20,
) -> None:
    """Follow the servers' logs until Ctrl-C."""
    with told_plainly():
        found = {row.name: row.log for row in local_stack().supervisor.statuses()}
        if not found:
            raise DevError("nothing runs; start the servers with make up")
        if unknown := sorted(set(programs or ()) - found.keys()):
            raise DevError(f"no such program: {', '.join(unknown)}; there are {', '.join(found)}")
    files = [str(log) for name, log in found.items() if (not programs or name in programs) and log.exists()]
    try:
        subprocess.run(["tail", f"--lines={lines}", "--follow=name", "--retry", *files], check=False)
    except KeyboardInterrupt:
        console.print()


@contextmanager
def told_plainly() -> Iterator[None]:
    """An expected error as a sentence and exit code 1, Ctrl-C as 130."""
    try:
        yield
    except DevError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("\ninterrupted")
        raise typer.Exit(130) from None


@contextmanager
def progress(parts: tuple[str, ...]) -> Iterator[Say]:
    """A live line for each part in a terminal; plain lines, as things become ready, anywhere else."""
    board = _Board(parts)
    if not console.is_terminal:
        yield board.tell
        return
    with Live(board, console=console, refresh_per_second=8):
        yield board.hear


class _Board:
    """What each part does now and how long it took."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self._started = time.monotonic()
        self._states = dict.fromkeys(parts, "waiting")
        self._seconds: dict[str, float] = {}

    def hear(self, part: str, state: str) -> None:
        self._states[part] = state
        if state == READY:
            self._seconds[part] = time.monotonic() - self._started

    def tell(self, part: str, state: str) -> None:
        self.hear(part, state)
        if state == READY:
            print(f"{part}: ready after {self._seconds[part]:.1f} s", flush=True)

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic() - self._started
        for part, state in self._states.items():
            ready = state == READY
            seconds = "" if state == "waiting" else f"{self._seconds.get(part, now):5.1f} s"
            mark = "[green]✓[/]" if ready else "[dim]·[/]" if state == "waiting" else f"[cyan]{_spinner(now)}[/]"
            table.add_row(mark, f"[bold]{part}[/]" if ready else part, f"[dim]{state}[/]", f"[dim]{seconds}[/]")
        return table


def _spinner(seconds: float) -> str:
    return "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(seconds * 8) % 10]


def addresses(stack: Stack, airflow: bool = True) -> Panel:
    """Where to look, and with which login."""
    table = Table.grid(padding=(0, 2))
    if airflow:
        table.add_row("Airflow", f"{stack.airflow.url}", f"user {LOGIN[0]}, password {LOGIN[1]}")
    table.add_row("HDFS", stack.namenode_url, stack.environment["FAULTLINE_ARCHIVE_URL"])
    table.add_row("Kafka", stack.environment["FAULTLINE_KAFKA_BOOTSTRAP_SERVERS"], "bootstrap servers")
    table.add_row(
        "PostgreSQL", stack.ports.address("postgres"), f"login in {os.path.relpath(stack.folder)}/postgres/password"
    )
    return Panel(table, title="running", title_align="left", border_style="green", expand=False)


def main() -> None:
    """The command's entry."""
    app(prog_name=f"{os.path.basename(sys.executable)} -m dev")
