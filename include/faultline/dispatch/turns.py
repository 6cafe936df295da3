"""When a target whose provider takes only so much a minute may be sent the next message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


def next_turn(latest: Sequence[datetime], per_minute: int, at: datetime) -> datetime:
    """``at``, or when there is room again: at most ``per_minute`` in any minute; ``latest`` are sendings, newest first.

    A bucket that fills up again as it is emptied would let twice as many through.
    """
    full = len(latest) >= per_minute and latest[per_minute - 1] > at - MINUTE
    return latest[per_minute - 1] + MINUTE if full else at
