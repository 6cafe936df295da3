"""Requests to a storage that may never be answered: waited for so long, then left behind.

hdfs-native, which deltalake 1.6.6 reads HDFS with, waits for a server without end: one that hangs, and now and then one
that was killed while it sent a block. What waits within it cannot be interrupted, so it waits in a thread of its own.
Such a thread is a daemon: it holds up no process that ends. Whatever keeps the GIL while it waits cannot be watched:
no thread of Python goes on then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar

import psutil

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

# Each holds a connection and the memory of what it reads. A process with so many has lost its storage more than once.
MOST_UNANSWERED = 64
# A request that reads or computes takes more of a processor than this, however slow the storage is.
_WORKING = 0.01
_LOOKS = 10

_unanswered: list[_Request[Any]] = []
_lock = threading.Lock()


class Watch:
    """Waits for answers; TimeoutError when there was none for ``limit``, or too many never came."""

    def __init__(self, limit: timedelta) -> None:
        self._limit = limit.total_seconds()

    def request(self, call: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """The answer of what asks the storage once."""
        request = _begin(lambda: call(*args, **kwargs))
        request.join(self._limit)
        return self._answer(request)

    def work(self, call: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """The answer of what asks the storage many times and computes: the limit is for how long nothing goes on."""
        request = _begin(lambda: call(*args, **kwargs))
        since, worked = time.monotonic(), None
        while request.is_alive() and time.monotonic() - since < self._limit:
            request.join(self._limit / _LOOKS)
            if request.is_alive():
                total = _processor_seconds(request)
                if worked is None:
                    worked = total
                elif total - worked >= _WORKING * self._limit:
                    since, worked = time.monotonic(), total
        return self._answer(request)

    def each(self, values: Iterator[Answer]) -> Iterator[Answer]:
        """The values, each of them watched as ``work``."""
        over = object()
        while (value := self.work(next, values, over)) is not over:
            yield value  # type: ignore[misc]

    def _answer(self, request: _Request[Answer]) -> Answer:
        if not request.answer.done():
            with _lock:
                _unanswered.append(request)
            raise TimeoutError(
                f"the storage has said nothing for {self._limit:g} s (FAULTLINE_ARCHIVE_TIMEOUT):"
                " see whether its servers answer, then try again"
            )
        return request.answer.result()


class _Request(threading.Thread, Generic[Answer]):
    def __init__(self, call: Callable[[], Answer]) -> None:
        super().__init__(name="storage", daemon=True)
        self._call = call
        self.answer = Future[Answer]()

    def run(self) -> None:
        try:
            self.answer.set_result(self._call())
        except BaseException as error:  # noqa: BLE001  whoever waits raises it
            self.answer.set_exception(error)


def _begin(call: Callable[[], Answer]) -> _Request[Answer]:
    with _lock:
        _unanswered[:] = [request for request in _unanswered if request.is_alive()]
        if len(_unanswered) >= MOST_UNANSWERED:
            raise TimeoutError(f"{len(_unanswered)} requests of this process were never answered: restart it")
    request = _Request(call)
    request.start()
    return request


def _processor_seconds(request: _Request[Any]) -> float:
    """What the request has used so far, as well as the threads that Python does not know: DataFusion works in them."""
    others = {thread.native_id for thread in threading.enumerate()} - {request.native_id}
    return sum(each.user_time + each.system_time for each in psutil.Process().threads() if each.id not in others)
