"""Which handlers live in this process, and what a fork and the end of a ``multiprocessing`` child do to them."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Hashable
from typing import Protocol


class Forkable(Hashable, Protocol):
    """What a handler offers here."""

    def after_fork(self) -> None:
        """Begin again in the child; what the parent's Producer holds is the parent's."""

    def close(self) -> None:
        """Flush within a bound and let go."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(handler: Forkable) -> None:
    """Tell the handler of every fork from now on."""
    _living.add(handler)


def is_registered(handler: object) -> bool:
    """Whether it was registered."""
    return handler in _living


def close_at_exit_of_child(handler: Forkable) -> None:
    """In a child of ``multiprocessing`` or of Celery, close the handler at its end: such a child skips ``atexit``."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(handler, handler.close, exitpriority=-100)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_close_all, dispatch_uid="kafka_logging")


def _close_all(**_: object) -> None:
    for handler in list(_living):
        handler.close()


def _after_fork() -> None:
    for handler in list(_living):
        handler.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
