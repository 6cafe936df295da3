"""Read ahead in a thread, so that reading and writing overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

_TICK = 0.1


@contextmanager
def prefetch(produce: Callable[[], Iterator[Item]]) -> Iterator[Iterator[Item]]:
    """The items of ``produce()``, made in a thread: one is used while the next waits and the one after it is made.

    An error in the thread is raised where the next item was expected. Leaving the block ends the thread.
    """
    waiting: queue.Queue[Item | None] = queue.Queue(maxsize=1)
    stop = threading.Event()
    with ThreadPoolExecutor(1, "prefetch") as thread:
        reader = thread.submit(_read, produce, waiting, stop)
        try:
            yield _take(waiting, reader)
        finally:
            stop.set()


def _read(produce: Callable[[], Iterator[Item]], waiting: queue.Queue[Item | None], stop: threading.Event) -> None:
    try:
        for item in produce():
            if not _put(item, waiting, stop):
                return
    finally:
        _put(None, waiting, stop)


def _put(item: Item | None, waiting: queue.Queue[Item | None], stop: threading.Event) -> bool:
    """False when nobody waits for items any more."""
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_TICK)
        except queue.Full:
            continue
        return True
    return False


def _take(waiting: queue.Queue[Item | None], reader: Future[None]) -> Iterator[Item]:
    while (item := waiting.get()) is not None:
        yield item
    reader.result()
