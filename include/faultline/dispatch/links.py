"""From a message to more: the alert's page, and a command that finds its records in the archive."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from faultline.alerting.matchers import Matcher
from faultline.model import Notification, NotificationKind

# Columns of the archive that labels are named by, and those that name one record; the words of the query language.
_COLUMNS = (
    *("service", "environment", "host", "level", "logger", "exception_type", "fingerprint"),
    *("kafka_topic_id", "kafka_partition", "kafka_offset"),
)
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
    alert, query = notification.alert, query_of(labels)
    since = (alert.first_seen or alert.starts_at) - _AROUND
    until = (alert.last_seen or notification.created_at) + _AROUND
    start, end = (instant(each.replace(microsecond=0)) for each in (since, until))
    return command(query, start, end, [labels["topic"]] if "topic" in labels else [])


def query_of(fields: Mapping[str, object]) -> str:
    """The query for records with these columns; what is no column of the archive is left out."""
    return " ".join(f"{name}={_value(str(fields[name]))}" for name in _COLUMNS if name in fields)


def query_of_matchers(matchers: Iterable[Matcher]) -> str:
    """The query for records that meet them; what is no column of the archive, or is to be absent, is left out."""
    return " ".join(
        f"{each.name}{each.operator}{_pattern(each.value) if '~' in each.operator else _value(each.value)}"
        for each in matchers
        if each.name in _COLUMNS and each.value
    )


def command(query: str, since: str, until: str, topics: Sequence[str]) -> str:
    """``faultline search`` with these words, to be pasted into a shell."""
    ends = [word for name, value in (("--since", since), ("--until", until)) if value for word in (name, value)]
    chosen = [word for topic in topics for word in ("--topic", topic)]
    asked = ["--", query] if query.startswith("-") else []
    return shlex.join(["faultline", "search", *([query] if query and not asked else []), *ends, *chosen, *asked])


def _plain(value: str) -> bool:
    """Whether a value can be copied out of a message as it is."""
    return len(value) <= _LONGEST_VALUE and value.isprintable()


def _value(text: str) -> str:
    """The value in the query language."""
    return text if _BARE.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _pattern(text: str) -> str:
    """The regular expression in the query language, where it need not be of the whole value."""
    return '"^(?:' + text.replace('"', "\\x22") + ')$"'


def instant(at: datetime) -> str:
    """The moment as the command line takes it, in UTC, with a fraction of a second only where there is one."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()
