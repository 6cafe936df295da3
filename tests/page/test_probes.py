"""A source that hangs or dies costs one thread, and its reader gets what is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from faultline.errors import TransientError
from faultline.page import probes
from faultline.page.probes import Probe, Reading, Standing
from tests.contracts.values import NOON
from tests.steps.test_alerts import Clock

SECOND = timedelta(seconds=1)
LONG = 30 * SECOND


class Source:
    """Gives its answers in order, once it is let go."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.let_go = threading.Event()
        self.let_go.set()
        self.asked = 0

    def gather(self) -> int:
        self.asked += 1
        self.let_go.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Probe[int]:
    """One that may be asked again at once."""
    monkeypatch.setattr(probes, "IDLE", 0)
    return Probe("test", timedelta(0), clock)


@pytest.fixture
def hanging() -> Iterator[Source]:
    source = Source(1, 2)
    source.let_go.clear()
    yield source
    source.let_go.set()


def ask(probe: Probe[int], source: Source, wait: timedelta = LONG) -> Reading[int]:
    probe.ask(source.gather)
    return probe.read(wait)


def test_an_answer_that_comes_soon_is_waited_for(probe: Probe[int]) -> None:
    assert ask(probe, Source(7)) == Reading(Standing.ANSWERS, 7, NOON)


def test_before_the_first_answer_it_has_been_asked(probe: Probe[int], hanging: Source) -> None:
    assert ask(probe, hanging, timedelta(0)) == Reading(Standing.ASKED)


def test_however_many_ask_there_is_one_question(probe: Probe[int], hanging: Source) -> None:
    for _ in range(50):
        ask(probe, hanging, timedelta(0))
    assert [thread.name for thread in threading.enumerate()].count("page-test") == hanging.asked == 1


def test_a_reader_does_not_wait_for_what_has_been_asked_long_ago(
    probe: Probe[int], hanging: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(probe, hanging, timedelta(0))
    began, later = time.monotonic(), time.monotonic() + LONG.total_seconds()
    with monkeypatch.context() as changed:
        changed.setattr(probes.time, "monotonic", lambda: later)
        probe.read(LONG)
    assert time.monotonic() - began < LONG.total_seconds() / 2


def test_who_hangs_is_silent_since_it_was_asked_and_its_last_answer_stays(
    probe: Probe[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "SILENCE", timedelta(0))
    source = Source(1, 2)
    ask(probe, source)
    clock.now += SECOND
    source.let_go.clear()
    assert ask(probe, source, timedelta(0)) == Reading(Standing.SILENT, 1, NOON, NOON + SECOND)
    source.let_go.set()
    assert probe.read(LONG) == Reading(Standing.ANSWERS, 2, NOON + SECOND)


def test_who_fails_says_why_and_since_when_until_it_answers(probe: Probe[int], clock: Clock) -> None:
    source = Source(1, TransientError("gone"), TransientError("still gone"), 4)
    ask(probe, source)
    clock.now += SECOND
    assert ask(probe, source) == Reading(Standing.FAILED, 1, NOON, NOON + SECOND, "gone")
    clock.now += SECOND
    assert ask(probe, source) == Reading(Standing.FAILED, 1, NOON, NOON + SECOND, "still gone")
    assert ask(probe, source) == Reading(Standing.ANSWERS, 4, NOON + 2 * SECOND)


def test_what_nobody_foresaw_is_a_fault_and_the_next_question_is_asked(
    probe: Probe[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda error: logged.set())
    source = Source(ZeroDivisionError(), 2)
    assert ask(probe, source).standing is Standing.FAILED
    assert logged.wait(LONG.total_seconds())
    assert ask(probe, source).value == 2


def test_a_fresh_answer_is_not_asked_for_again(clock: Clock) -> None:
    source = Source(1, 2)
    resting = Probe[int]("test", LONG, clock)
    assert [ask(resting, source).value for _ in range(3)] == [1, 1, 1]
    assert source.asked == 1


def test_who_takes_long_to_answer_rests_longer(clock: Clock, hanging: Source) -> None:
    resting = Probe[int]("test", timedelta(0), clock)
    resting.ask(hanging.gather)
    threading.Timer(0.2, hanging.let_go.set).start()
    assert resting.read(LONG).value == 1
    assert (ask(resting, hanging).value, hanging.asked) == (1, 1)
