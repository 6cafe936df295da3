"""Waiting out what passes: a NameNode that restarts, safe mode, a broker that elects a leader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from faultline.errors import TransientError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_LONGEST_PAUSE = timedelta(seconds=15)


def patiently(action: Callable[[], Result], patience: timedelta) -> Result:
    """What the action answers, tried again with growing pauses after a TransientError, begun at most for ``patience``.

    The last TransientError when it never works. The action must be safe to repeat.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_random_exponential(multiplier=1, max=_LONGEST_PAUSE),
        stop=stop_after_delay(patience),
        before_sleep=_say,
        reraise=True,
    )
    return retrying(action)


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0
    log.warning("Trying again in %.0f s: %s", pause, error)
