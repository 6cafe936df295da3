"""Questions to what may be away: each in a thread of its own, one at a time, with the last answer at hand meanwhile.

A source that hangs keeps one thread, which nobody waits for, neither a reader nor the host when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Condition, Thread
from typing import Generic, TypeVar

from faultline.errors import FaultlineError

# A reader waits so long for an answer, and then takes the last one.
WAIT = timedelta(milliseconds=80)
# A question that takes longer has probably no answer; clients that give up do so before.
SILENCE = timedelta(seconds=10)
# No source is kept busy by those who look at it: after an answer it rests so many times as long as that took.
IDLE = 10

T = TypeVar("T")


class Standing(StrEnum):
    """What a source is doing: it answers, it has not done so yet, it does not any more, or it says what is wrong."""

    ANSWERS = "answers"
    ASKED = "asked"
    SILENT = "silent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The last answer, None before the first, and when it was given; ``since`` is from when on there was none.

    ``fault`` is why the last question had none.
    """

    standing: Standing
    value: T | None = None
    at: datetime | None = None
    since: datetime | None = None
    fault: str = ""


class Probe(Generic[T]):
    """One source. It is asked again after ``rest``, and after an answer IDLE times as late as that took."""

    def __init__(self, name: str, rest: timedelta, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._rest = rest.total_seconds()
        self._clock = clock
        self._changed = Condition()
        self._last: Reading[T] = Reading(Standing.ASKED)
        self._asked: datetime | None = None
        self._began = self._again = 0.0

    def ask(self, gather: Callable[[], T]) -> None:
        """Have a thread gather the answer, unless one does, or the last answer is fresh."""
        with self._changed:
            if self._asked is not None or time.monotonic() < self._again:
                return
            Thread(target=self._gather, args=(gather,), name=f"page-{self._name}", daemon=True).start()
            self._asked, self._began = self._clock(), time.monotonic()

    def read(self, wait: timedelta = WAIT) -> Reading[T]:
        """What is known when the question under way has been waited for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked is None, self._began + wait.total_seconds() - time.monotonic())
            if self._asked is None or time.monotonic() - self._began < SILENCE.total_seconds():
                return self._last
            since = self._last.since or self._asked
            return Reading(Standing.SILENT, self._last.value, self._last.at, since, self._last.fault)

    def _gather(self, gather: Callable[[], T]) -> None:
        value, fault = None, "something unforeseen: the log of Airflow's API server has it"
        try:
            value, fault = gather(), ""
        except FaultlineError as error:
            fault = str(error)
        finally:
            with self._changed:
                self._answered(value, fault)

    def _answered(self, value: T | None, fault: str) -> None:
        now = time.monotonic()
        self._again = now + self._rest
        if fault:
            since = self._last.since or self._asked
            self._last = Reading(Standing.FAILED, self._last.value, self._last.at, since, fault)
        else:
            self._last = Reading(Standing.ANSWERS, value, self._clock())
            self._again = max(self._again, now + IDLE * (now - self._began))
        self._asked = None
        self._changed.notify_all()
