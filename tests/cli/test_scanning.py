"""Ctrl-C during a scan."""

from __future__ import annotations

import signal
import sys
import weakref

import pytest

from faultline.cli.scanning import CtrlC


class Thing:
    """What a weak reference can point to."""


def test_ctrl_c_in_a_callback_that_drops_exceptions_is_raised_at_the_next_check(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT)
    ctrl_c, thing = CtrlC(), Thing()
    with ctrl_c.heard():
        ctrl_c.check()
        watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing
        assert watched() is None
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check()
    assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before


def test_other_exceptions_there_are_reported_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: reported.append(raised.exc_type))
    thing = Thing()
    with CtrlC().heard():
        watched = weakref.ref(thing, lambda _: 1 / 0)
        del thing
    assert (watched(), reported) == (None, [ZeroDivisionError])


def test_ctrl_c_that_the_shell_has_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with CtrlC().heard():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
