"""The whole way once, on real servers: the shop breaks, its records are archived and counted, and one page goes out.

``python -m dev.demo`` shows it and keeps everything running until Ctrl-C; ``--check`` does the same unattended and
exits 0, or 1 with the stage that failed and where its log is.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer

from dev.cli import PARTS, addresses, console, progress, told_plainly
from dev.demo_board import Board, next_steps, page_line, page_panel, verify_lines
from dev.demo_watch import Seen, Watcher
from dev.errors import DevError
from dev.pager import Pager
from dev.paths import ROOT
from dev.programs import end_of
from dev.stack import Stack, local_stack

DAGS = ("archive_logs", "watch_errors")
PROBES = 20
EFFECTS = {"PaymentErrors", "CheckoutFailed"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that has to come true, how long it may take, and whose log tells why it did not."""

    name: str
    true: Callable[[Seen], bool]
    seconds: float
    log: Path


class Demo:
    """The flow; ``board`` shows it."""

    def __init__(self, stack: Stack, watcher: Watcher, pager: Pager, board: Board) -> None:
        self._stack = stack
        self._watcher = watcher
        self._pager = pager
        self._board = board
        self._shop_folder = stack.folder / "shop"
        self.seconds_to_page: list[float] = []
        self._shop_log = self._shop_folder / "shop.log"
        self.fault_url = f"http://{stack.ports.address('shop-4')}/fault"

    def run(self) -> None:
        """Every stage in order; DevError names the one that did not come true."""
        scheduler = self._stack.airflow.log("scheduler")
        self._switch_dags_on()
        before = self._watcher.look()
        with self._shop():
            self._reach(
                Stage("the shop logs to two topics", lambda seen: seen.least_sent(before) > 50, 60, self._shop_log),
                Stage("records are counted", lambda seen: seen.counted - before.counted > 50, 90, scheduler),
            )
            self._flip("on")
            self._reach(
                Stage("one page, for the cause, naming its two effects", self._paged, 120, scheduler),
            )
            self._archive_now()
            self._reach(
                Stage(
                    "both topics are archived on HDFS", lambda seen: seen.least_archived(before) > 50, 180, scheduler
                ),
            )
            self._flip("off")
            self._reach(Stage("one resolve after recovery", self._resolved, 240, scheduler))
            self._probe(scheduler)
        self._archive_now()
        self._reach(
            Stage("all that was sent is counted", lambda seen: seen.counted == sum(seen.sent.values()), 60, scheduler),
            Stage("all that was sent is archived", lambda seen: seen.archived == seen.sent, 240, scheduler),
        )
        self._settle()

    def stay(self) -> None:
        """Keep the shop open, and show what the pager gets, until Ctrl-C."""
        shown = len(self._pager.pages)
        try:
            with self._shop():
                while True:
                    for page in self._pager.pages[shown:]:
                        console.print(page_line(page))
                    shown = len(self._pager.pages)
                    time.sleep(0.5)
        except KeyboardInterrupt:
            console.print()

    def _switch_dags_on(self) -> None:
        log = self._stack.airflow.log("dag-processor")
        with self._board.working("the DAGs are switched on"), self._stack.airflow.api() as api:
            deadline = time.monotonic() + 120
            while not set(DAGS) <= {dag["dag_id"] for dag in api.dags()}:
                if errors := api.import_errors():
                    raise DevError(f"Airflow cannot import {errors[0]['filename']}:\n{errors[0]['stack_trace']}")
                if time.monotonic() > deadline:
                    raise DevError(f"Airflow has not found the DAGs. {end_of(log)}")
                time.sleep(1)
            for dag in DAGS:
                api.pause(dag, paused=False)

    @contextmanager
    def _shop(self) -> Iterator[None]:
        self._shop_folder.mkdir(exist_ok=True)
        with self._shop_log.open("w") as log:
            shop = subprocess.Popen(
                (
                    *(sys.executable, str(ROOT / "examples" / "shop" / "run.py")),
                    *("--bootstrap", self._stack.ports.address("kafka")),
                    *("--port-base", str(self._stack.ports["shop-0"])),
                    *("--log-dir", str(self._shop_folder), "--rate", "20"),
                ),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C comes to it once, from us, in order
            )
            try:
                yield
            finally:
                shop.terminate()
                shop.wait(30)

    def _flip(self, state: str) -> None:
        httpx.post(f"{self.fault_url}/{state}", timeout=10).raise_for_status()
        self._board.say(f"db-proxy fault {state}")

    def _archive_now(self) -> None:
        """Its schedule would do so within a minute."""
        with self._stack.airflow.api() as api:
            api.trigger("archive_logs")
        self._board.say("archive_logs triggered")

    def _reach(self, *stages: Stage) -> None:
        for stage in stages:
            with self._board.working(stage.name):
                deadline = time.monotonic() + stage.seconds
                while not stage.true(seen := self._watcher.look()):
                    self._board.show(seen, self._pager.pages)
                    if time.monotonic() > deadline:
                        raise DevError(
                            f"not within {stage.seconds:.0f} s: {stage.name}. Seen: {seen}\n{end_of(stage.log)}"
                        )
                    time.sleep(0.5)
                self._board.show(seen, self._pager.pages)

    def _paged(self, seen: Seen) -> bool:
        """True once the cause's page, or an update of it, names both effects; more than one page is a failure."""
        pages = [page for page in self._pager.to("/ops") if page.kind in ("firing", "persists")]
        if any(page.name != "DbDown" for page in pages) or len(pages) > 1:
            raise DevError(f"exactly one page was to go out, for DbDown; out went {[page.name for page in pages]}")
        return any(page.suppressed.keys() >= EFFECTS for page in self._pager.to("/ops"))

    def _resolved(self, seen: Seen) -> bool:
        self._paged(seen)
        kinds = [(page.kind, page.name) for page in self._pager.to("/ops") if page.kind != "update"]
        return kinds == [("firing", "DbDown"), ("resolved", "DbDown")] and not seen.alerts

    def _settle(self) -> None:
        """After everything: still one page and one resolve."""
        kinds = sorted((page.kind, page.name) for page in self._pager.to("/ops") if page.kind != "update")
        if kinds != [("firing", "DbDown"), ("resolved", "DbDown")]:
            raise DevError(f"one page and one resolve for DbDown were to go out; out went {kinds}")

    def _probe(self, log: Path) -> None:
        """Log single errors through the handler and see how long each takes to the pager."""
        from dev.demo_probe import send_probes

        with self._board.working(f"{PROBES} latency probes, from log call to page"):
            sent = send_probes(self._stack.ports.address("kafka"), PROBES, timedelta(seconds=0.7))
            deadline = time.monotonic() + 60
            while len(self.latencies(sent)) < PROBES:
                self._board.show(self._watcher.look(), self._pager.pages)
                if time.monotonic() > deadline:
                    raise DevError(f"only {len(self.latencies(sent))} of {PROBES} probes came through. {end_of(log)}")
                time.sleep(0.5)
        self.seconds_to_page = self.latencies(sent)

    def latencies(self, sent: dict[str, datetime]) -> list[float]:
        """Seconds from the log call to the pager, for each probe that has arrived."""
        arrived = {
            page.alert["labels"]["probe"]: page.at
            for page in reversed(self._pager.to("/latency-probe"))
            if page.kind == "firing"
        }
        return sorted((arrived[probe] - at).total_seconds() for probe, at in sent.items() if probe in arrived)


def median_and_p95(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile (nearest rank)."""
    ordered = sorted(seconds)
    return statistics.median(ordered), ordered[-(-95 * len(ordered) // 100) - 1]


def main(
    check: Annotated[bool, typer.Option("--check", help="Unattended: assert every stage and exit.")] = False,
) -> None:
    """Show the whole way once, on real servers."""
    with told_plainly(), ExitStack() as cleanup:
        stack = local_stack()
        if not stack.supervisor.running():
            cleanup.callback(_stop, stack)
        with progress(PARTS) as say:
            stack.up(say)
        os.environ.update(stack.environment)
        pager = cleanup.enter_context(Pager(stack.ports["webhook"]))
        watcher = cleanup.enter_context(Watcher())
        watcher.prepare()
        with Board(console) as board:
            demo = Demo(stack, watcher, pager, board)
            demo.run()
        console.print(page_panel(pager.to("/ops")))
        median, p95 = median_and_p95(demo.seconds_to_page)
        console.print(f"from log call to page: median {median:.1f} s, p95 {p95:.1f} s over {PROBES} single errors")
        if not verify_lines(console, watcher.verify()):
            raise DevError("the archive is not proven; the lines above say where")
        console.print(addresses(stack))
        if not check:
            next_steps(console, stack, demo.fault_url)
            demo.stay()


def _stop(stack: Stack) -> None:
    with console.status("stopping what the demo started"):
        stack.down()
    console.print(f"Stopped. Data and logs stay in {os.path.relpath(stack.folder)}; `make clean` removes them.")


if __name__ == "__main__":
    typer.run(main)
