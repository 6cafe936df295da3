"""What passes is waited out, what does not is not, and neither is anything for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import tenacity

from faultline.errors import PermanentError, Superseded, TransientError
from faultline.steps.patience import patiently


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)


def failing(*errors: Exception) -> Iterator[object]:
    """A thing to do that fails so many times, and then answers."""
    yield from errors
    yield "done"


def attempt(outcomes: Iterator[object]) -> object:
    outcome = next(outcomes)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_what_passes_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = failing(TransientError("safe mode"), TransientError("still"))
    assert patiently(lambda: attempt(outcomes), timedelta(minutes=1)) == "done"
    assert [record.message.partition(": ")[2] for record in caplog.records] == ["safe mode", "still"]


@pytest.mark.parametrize("error", [PermanentError("no such topic"), Superseded("slower")], ids=["permanent", "slower"])
def test_what_waiting_cannot_mend_is_not_tried_again(error: Exception) -> None:
    outcomes = failing(error)
    with pytest.raises(type(error)):
        patiently(lambda: attempt(outcomes), timedelta(minutes=1))
    assert next(outcomes) == "done"


def test_without_patience_the_first_error_is_the_last() -> None:
    outcomes = failing(TransientError("one"), TransientError("two"))
    with pytest.raises(TransientError, match="one"):
        patiently(lambda: attempt(outcomes), timedelta(0))
