"""From a message to more: the alert's page, and a command that finds its records in the archive."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta
from urllib.parse import quote

from faultline.model import Notification, NotificationKind

# Labels that are columns of the archive; the words of the query language.
_COLUMNS = ("service", "environment", "host", "level", "logger", "exception_type")
_AROUND = timedelta(minutes=1)
_LONGEST_VALUE = 100
_BARE = re.compile(r"[\w.-]+")
_KINDS = {NotificationKind.FIRING, NotificationKind.UPDATE, NotificationKind.PERSISTS}


def page_url(base: str | None) -> str:
    """Faultline's page; empty when nobody has said where that is."""
    return f"{base.rstrip('/')}/" if base else ""


def alert_url(base: str | None, episode: str) -> str:
    """The episode on Faultline's page; empty when nobody has said where that is."""
    return f"{page_url(base)}now?episode={quote(episode, safe='')}" if base else ""


def search_command(notification: Notification) -> str:
    """``faultline search …`` for the records of a page; empty where there are none to look for."""
    labels = {name: value for name, value in notification.alert.alert.labels.items() if value}
    if notification.kind not in _KINDS or not all(map(_plain, labels.values())):
        return ""
    alert, query = notification.alert, " ".join(f"{name}={_value(labels[name])}" for name in _COLUMNS if name in labels)
    since = (alert.first_seen or alert.starts_at) - _AROUND
    until = (alert.last_seen or notification.created_at) + _AROUND
    words = ["faultline", "search", *([query] if query else []), "--since", _time(since), "--until", _time(until)]
    return shlex.join([*words, *(["--topic", labels["topic"]] if "topic" in labels else [])])


def _plain(value: str) -> bool:
    """Whether a value can be copied out of a message as it is."""
    return len(value) <= _LONGEST_VALUE and value.isprintable()


def _value(text: str) -> str:
    """The value in the query language."""
    return text if _BARE.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"
