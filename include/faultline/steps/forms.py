"""Times of a run: as its form says, or as Airflow gives them."""

from __future__ import annotations

from datetime import UTC, datetime

from faultline.durations import parse_instant
from faultline.errors import PermanentError


def form_time(text: str | None) -> datetime | None:
    """UTC where the text names no zone; PermanentError when it is no time."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise PermanentError(str(error)) from None


def plain_utc(time: datetime) -> datetime:
    """The same time in UTC. Airflow's own kind of time counts in a kind of duration that cannot be divided."""
    return datetime.fromisoformat(time.isoformat()).astimezone(UTC)
