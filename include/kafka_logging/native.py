"""Threads and locks of the system, also in a process whose own gevent has replaced.

Kafka's client waits in C, which no other greenlet survives: a poll thread that is a greenlet stops all of them. And a
lock of gevent's is no lock between a greenlet and such a thread.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Any


def lock() -> Any:
    """As ``threading.Lock()``."""
    return _original("allocate_lock")()


def rlock() -> Any:
    """As ``threading.RLock()``; greenlets of one thread are one owner, so nothing that switches is done with it."""
    return _original("RLock")()


class Flag:
    """What ``threading.Event`` is; set once."""

    def __init__(self) -> None:
        self._is_set = False
        self._closed = lock()
        self._closed.acquire()

    def set(self) -> None:
        """Let all go on who wait, and will wait."""
        if not self._is_set:
            self._is_set = True
            self._closed.release()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Until it is set, at most so many seconds; whether it is."""
        if self._closed.acquire(timeout=seconds):
            self._closed.release()
        return self._is_set


class Thread:
    """Runs ``run`` and does not keep the process alive; not at all when the interpreter starts no more threads."""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self._run = run
        self._ident = 0
        self._ended = Flag()
        self.started = True
        try:
            self._start(name)
        except RuntimeError:
            self.started = False
            self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long; not at all in this very thread."""
        if self._ident != _original("get_ident")():
            self._ended.wait(seconds)

    def _start(self, name: str) -> None:
        start_new_thread = _original("start_new_thread")
        if start_new_thread is _thread.start_new_thread:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        else:
            start_new_thread(self._work, ())

    def _work(self) -> None:
        self._ident = _original("get_ident")()
        try:
            self._run()
        finally:
            self._ended.set()


def _original(name: str) -> Any:
    """What ``_thread`` had under this name before gevent came."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey.get_original("_thread", name) if monkey else getattr(_thread, name)
