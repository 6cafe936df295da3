"""What all JSON formatters share: options, the time, and an encoder that loses no record.

A formatter is a subclass with ``format_bytes``. Knows nothing of what the fields are called.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from kafka_logging import safe

try:
    import orjson
except ImportError:  # the json module gives the same lines, slower
    orjson = None  # type: ignore[assignment]

# What orjson and json write alike; a value of any other type takes the careful path.
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FORMATTING_ERRORS = (KeyError, IndexError, ValueError, AttributeError, TypeError)


def json_default(value: Any) -> str:
    """Times as ISO 8601, everything else as its text."""
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


class JsonFormatter(logging.Formatter, ABC):
    """A record as one line of JSON.

    ``fmt`` is a JSON text, as in a ``format=`` line of a ``logging.conf``, or a mapping. Its keys: ``extra`` has
    further top-level fields of every line, ``source_host`` replaces the host's name, ``str_format`` set to true runs
    ``str.format`` over messages as logstash_formatter does (then a message can read the record's attributes).
    """

    def __init__(
        self,
        fmt: str | Mapping[str, Any] | None = None,
        datefmt: str | None = None,
        style: str = "%",
        json_cls: type[json.JSONEncoder] | None = None,
        json_default: Callable[[Any], Any] = json_default,
    ) -> None:
        super().__init__()
        options = json.loads(fmt) if isinstance(fmt, str) else dict(fmt or {})
        self.defaults: dict[str, Any] = safe.plain(options.get("extra", {}), json_default)
        self.source_host: str = options.get("source_host") or socket.gethostname()
        self.str_format = bool(options.get("str_format", False))
        self.json_cls = json_cls
        self.json_default = json_default
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        return self.format_bytes(record).decode()

    @abstractmethod
    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The record as one line of JSON in UTF-8; the handler asks for this and saves a decode and an encode."""

    def message(self, record: logging.LogRecord, fields: Mapping[str, Any]) -> str:
        """The text for ``str_format``: ``fields`` are what it may name in braces."""
        message = record.getMessage()
        with contextlib.suppress(*_FORMATTING_ERRORS):
            return message.format(**fields)
        return message

    def time(self, created: float) -> tuple[str, int]:
        """The time in UTC down to the second, kept for the records that follow, and the microseconds."""
        second, microsecond = divmod(round(created * 1e6), 1_000_000)
        known, text = self._second
        if second != known:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second, text
        return text, microsecond

    def encode(self, line: dict[str, Any], simple: bool) -> bytes:
        """``simple`` lines, see ``is_simple``, by orjson; others with every value made plain first."""
        if simple and orjson is not None and self.json_cls is None:
            try:
                return orjson.dumps(line)
            except orjson.JSONEncodeError:  # lone surrogates, integers beyond 64 bits, replaced standard attributes
                pass
        text = json.dumps(safe.plain(line, self.json_default), cls=self.json_cls, ensure_ascii=False)
        return text.encode()


def is_simple(fields: dict[str, Any]) -> bool:
    """Whether orjson writes what json would; it has words of its own for enums, dataclasses and times."""
    args = fields.get("args")
    if args is None:
        return _SCALARS.issuperset(map(type, fields.values()))
    if type(args) is not tuple or not _SCALARS.issuperset(map(type, args)):
        return False
    fields["args"] = None  # not a scalar itself; put back in its place, as a dict keeps its order
    simple = _SCALARS.issuperset(map(type, fields.values()))
    fields["args"] = args
    return simple


def add_exception(fields: dict[str, Any], exc_info: object) -> None:
    """``exception``, the traceback's lines, and ``exc_type``, which logstash_formatter does not have."""
    fields["exception"] = safe.exception_lines(exc_info)
    if kind := safe.exception_type(exc_info):
        fields["exc_type"] = kind
