"""A scan in a terminal: progress on stderr that does not get between the lines, and clean ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

if TYPE_CHECKING:
    from faultline.archive.search.scan import Progress

_INTERRUPTED = 130


class CtrlC:
    """While it lasts, Ctrl-C raises KeyboardInterrupt, at the latest at the next ``check``.

    Python drops an exception that is raised in a weak reference's callback, as pools of threads have them.
    """

    def __init__(self) -> None:
        self._pressed = False

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Handle SIGINT, unless whoever started the program has it ignored."""
        before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
        if before is signal.SIG_IGN:
            yield
            return
        signal.signal(signal.SIGINT, self._press)
        sys.unraisablehook = lambda raised: None if raised.exc_type is KeyboardInterrupt else hook(raised)
        try:
            yield
        finally:
            sys.unraisablehook = hook
            signal.signal(signal.SIGINT, before)

    def check(self) -> None:
        """KeyboardInterrupt if Ctrl-C was pressed."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, number: int, frame: FrameType | None) -> None:
        self._pressed = True
        raise KeyboardInterrupt


class Scan:
    """Shows how far a search is while the terminal has nothing else to show; ``write`` puts lines on stdout."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.errors = Console(stderr=True)
        self.ctrl_c = CtrlC()
        self._started = time.monotonic()
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._line,
            console=self.errors,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._same_screen = sys.stdout.isatty() and self.errors.is_terminal

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While it lasts, progress is shown; interrupted it exits 130, and quietly when nobody reads on."""
        try:
            with self.ctrl_c.heard(), contextlib.ExitStack() as stack:
                if self.errors.is_terminal:
                    stack.enter_context(self._live)
                yield
        except KeyboardInterrupt:
            self.errors.print("Stopped.")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # Python flushes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    def write(self, lines: Iterable[bytes]) -> None:
        """At once, so that a pipe has them."""
        self.ctrl_c.check()
        out = sys.stdout.buffer
        if self._same_screen:
            self._live.stop()
        out.writelines(lines)
        out.flush()
        if self._same_screen:
            self._live.start()

    def say(self, text: str) -> None:
        """A sentence for the person, not for the pipe."""
        self.errors.print(text, markup=False, highlight=False, soft_wrap=True)

    def summary(self) -> None:
        """What it took, for a person."""
        if self.errors.is_terminal:
            took = time.monotonic() - self._started
            self.errors.print(Text(f"{self._looked()} in {took:.1f} s", "dim"), soft_wrap=True)

    def _line(self) -> Spinner:
        at = f"{self.progress.at:%Y-%m-%d %Hh}, {self.progress.left:,} files left, " if self.progress.at else ""
        self._spinner.update(text=Text(f"{at}{self._looked()}", no_wrap=True, overflow="ellipsis"))
        return self._spinner

    def _looked(self) -> str:
        now = self.progress
        return (
            f"{now.found:,} found; looked into {now.opened:,} of {now.files:,} files, {now.rows:,} rows, "
            f"{now.size / 2**20:,.1f} MiB"
        )
