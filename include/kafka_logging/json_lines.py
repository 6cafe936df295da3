"""What all JSON formatters share: options, the time, and an encoder that loses no record.

A formatter is a subclass with ``format_bytes``. Knows nothing of what the fields are called.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from enum import Enum
from itertools import islice
from typing import Any
from uuid import UUID

from kafka_logging import safe

try:
    import orjson
except ImportError:  # the json module gives the same lines, slower
    orjson = None  # type: ignore[assignment]

# What orjson and json write alike.
_SCALARS = frozenset({str, int, float, bool, type(None)})
_OPTIONS = 0 if orjson is None else orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_ATTRIBUTES = len(vars(logging.makeLogRecord({})))  # of every record; what a call adds comes behind them
_FORMATTING_ERRORS = (KeyError, IndexError, ValueError, AttributeError, TypeError)


def json_default(value: Any) -> str:
    """Times as ISO 8601, everything else as its text."""
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


_json_default = json_default  # where a parameter has its name


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
        self._plain = functools.partial(safe.plain, default=json_default)
        # Of these orjson writes what it thinks right; it asks for every other type that JSON does not have.
        self._unlike = Enum if json_default is _json_default else (Enum, UUID)
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

    def time(self, created: float) -> str:
        """``2026-11-25T09:30:00.123456Z``; the part down to the second is kept for the records that follow."""
        second, text = self._second
        microsecond = round((created - second) * 1e6)
        if not 0 <= microsecond < 1_000_000:
            second, microsecond = divmod(round(created * 1e6), 1_000_000)
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
            self._second = second, text
        return f"{text}{str(1_000_000 + microsecond)[1:]}Z"

    def is_simple(self, record: logging.LogRecord) -> bool:
        """Whether orjson writes the record's arguments and extras as json would.

        The attributes of every record are simple; they come first, so they are not looked at.
        """
        args = record.args
        if (
            args
            and not (args.__class__ is tuple and _SCALARS.issuperset(map(type, args)))
            and not self._is_simple(args)
        ):
            return False
        for value in islice(record.__dict__.values(), _ATTRIBUTES, None):
            if value.__class__ not in _SCALARS and not self._is_simple(value):
                return False
        return record.msg.__class__ is str or self._is_simple(record.msg)

    def _is_simple(self, value: Any, depth: int = safe.MAX_DEPTH) -> bool:
        kind = value.__class__
        if kind in _SCALARS:
            return True
        if isinstance(value, dict):
            return depth > 0 and all(self._is_simple(item, depth - 1) for item in value.values())
        if isinstance(value, list | tuple):
            return depth > 0 and all(self._is_simple(item, depth - 1) for item in value)
        return not isinstance(value, self._unlike)

    def encode(self, line: dict[str, Any], simple: bool) -> bytes:
        """``simple`` lines by orjson; others with every value made plain first."""
        if simple and orjson is not None and self.json_cls is None:
            try:
                return orjson.dumps(line, self._plain, _OPTIONS)
            except orjson.JSONEncodeError:  # lone surrogates, integers beyond 64 bits, keys that are no text
                pass
        return json.dumps(self._plain(line), cls=self.json_cls, ensure_ascii=False).encode()


def add_exception(fields: dict[str, Any], exc_info: object) -> None:
    """``exception``, the traceback's lines, and ``exc_type``, which logstash_formatter does not have."""
    fields["exception"] = safe.exception_lines(exc_info)
    if kind := safe.exception_type(exc_info):
        fields["exc_type"] = kind
