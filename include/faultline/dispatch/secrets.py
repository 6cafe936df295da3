"""Credentials: read when they are used, from where the rules file says they are, and never shown to anybody.

What was read once is remembered, so that it can be masked in what providers answer and HTTP libraries log.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from faultline.errors import PermanentError

MASK = "***"
# Shorter pieces of an address are words, not secrets.
_SHORTEST = 6
_ADDRESS = re.compile(r"([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "apprise", "urllib3.connectionpool")

Connections = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Secret:
    """One credential; ``read`` gives its value or a PermanentError that says what is missing.

    ``hidden``: it is masked wherever it could be seen. One that is not ``required`` may be empty.
    """

    place: str
    _value: Callable[[], str] = field(repr=False)
    hidden: bool = True
    required: bool = True

    def read(self) -> str:
        """The value as it is now."""
        value = self._value().strip()
        if not value and self.required:
            raise PermanentError(f"{self.place} is empty")
        if value and self.hidden:
            _known.add(value)
        return value


def in_clear(value: str) -> Secret:
    """What need not be hidden, such as the address of a receiver on the same machine."""
    return Secret("the rules file", lambda: value, hidden=False)


def from_environment(name: str) -> Secret:
    """What an environment variable holds."""

    def value() -> str:
        if name not in os.environ:
            raise PermanentError(f"the environment variable {name} is not set")
        return os.environ[name]

    return Secret(f"environment variable {name}", value)


def from_file(path: str) -> Secret:
    """What a file holds, such as one that Kubernetes or Docker mounts."""

    def value() -> str:
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PermanentError(f"the file {path} cannot be read: {type(error).__name__}") from error

    return Secret(f"file {path}", value)


def from_connection(conn_id: str, name: str, connections: Connections) -> Secret:
    """One field of an Airflow Connection: its ``password``, which it must have, or a key of its Extra."""
    place = f"the {name} of connection {conn_id}"
    return Secret(place, lambda: connections(conn_id).get(name, ""), required=name == "password")


def environment_connection(conn_id: str) -> Mapping[str, str]:
    """An Airflow Connection that is an environment variable ``AIRFLOW_CONN_…``, as JSON or as a URI.

    Who runs inside Airflow asks Airflow instead, which knows its database and secrets backends as well.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = os.environ.get(variable)
    if text is None:
        raise PermanentError(f"outside Airflow the connection {conn_id} is looked for in {variable}, which is not set")
    try:
        return _from_json(text) if text.lstrip().startswith("{") else _from_uri(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise PermanentError(f"{variable} is neither JSON nor a URI: {type(error).__name__}") from None


def _from_json(text: str) -> dict[str, str]:
    data = json.loads(text)
    extra = data.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    return {name: str(value) for name, value in {**extra, "password": data.get("password")}.items() if value}


def _from_uri(text: str) -> dict[str, str]:
    parts = urlsplit(text)
    return dict(parse_qsl(parts.query)) | ({"password": unquote(parts.password)} if parts.password else {})


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, any that was read before, or any telling part of one."""
    pieces = {piece for secret in {*secrets, *_known} for piece in _pieces(secret)}
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, MASK)
    return text


@lru_cache(maxsize=256)
def _pieces(secret: str) -> frozenset[str]:
    """The secret, the telling parts of it when it is an address, and how each looks when it is escaped."""
    found = {secret} | {part for part in _parts(secret) if len(part) >= _SHORTEST}
    return frozenset(found | {way(piece) for piece in found for way in (quote, quote_plus, unquote, _in_json)})


def _parts(secret: str) -> set[str]:
    """What is secret of an address: user and password, values of the query, the path and what is no word of it."""
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return set()
    authority, path, query = _ADDRESS.findall(rest)[0]
    userinfo, _, host = authority.rpartition("@")
    # Apprise writes tokens where others write a host.
    words = path.split("/") if scheme in ("http", "https") else [*path.split("/"), *host.split(":")]
    values = [pair.partition("=")[2] for pair in query.split("&")]
    return {path.lstrip("/") + query, *userinfo.split(":"), *values, *filter(_telling, words)}


def _telling(part: str) -> bool:
    """Whether a part of an address is more than a word every such address has."""
    return not (part.isalpha() and part.islower() and len(part) < 16)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


class _Masking(logging.Filter):
    """Keeps what was read out of the lines of a library that logs addresses and answers."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), None
        return True


_known: set[str] = set()
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_Masking())
