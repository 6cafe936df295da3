"""Values that are kept whole, as JSON in one column.

Reads what an older version wrote: an unknown field is ignored, a missing one takes its default.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter

from faultline.alerting.alerts import Alert, Suppression
from faultline.model import Notification, Transition

Value = TypeVar("Value")

ALERT = TypeAdapter(Alert)
NOTIFICATION = TypeAdapter(Notification)
SUPPRESSION = TypeAdapter(Suppression)
TRANSITION = TypeAdapter(Transition)


def to_json(kind: TypeAdapter[Value], value: Value) -> str:
    """The value's text. NUL is escaped in it, so PostgreSQL can store whatever a log contained."""
    return kind.dump_json(value).decode()
