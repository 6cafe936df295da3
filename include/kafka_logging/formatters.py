"""Log records as JSON lines in Logstash's shapes.

Same keys, order and values as logstash_formatter 0.5.17, so that what reads its output reads this, except its faults:
text from a user is never a ``str.format`` template (unless asked for), ``@timestamp`` is the record's time and not the
formatter's, NaN becomes null, and no value or key loses the record. One key more: ``exc_type`` beside ``exception``.
"""

from __future__ import annotations

import json
import logging
import socket
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


class LogstashFormatter(logging.Formatter):
    """Logstash V0: ``@message``, ``@timestamp``, ``@source_host`` and all of the record's attributes in ``@fields``.

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
        self._default_fields: dict[str, Any] = self.defaults.get("@fields", {})
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        return self.format_bytes(record).decode()

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The record as one line of JSON in UTF-8; the handler asks for this and saves a decode and an encode."""
        fields = record.__dict__.copy()
        message = self._message(record, fields)
        fields.pop("msg", None)
        exc_info = fields.pop("exc_info", None)
        if not fields.get("exc_text", True):
            del fields["exc_text"]
        simple = _is_simple(fields)
        if exc_info:
            fields["exception"] = safe.exception_lines(exc_info)
            if kind := safe.exception_type(exc_info):
                fields["exc_type"] = kind
        line = {
            **self.defaults,
            "@message": message,
            "@timestamp": self._timestamp(record.created),
            "@source_host": self.source_host,
            "@fields": {**self._default_fields, **fields} if self._default_fields else fields,
        }
        return self._encode(line, simple)

    def _message(self, record: logging.LogRecord, fields: dict[str, Any]) -> str:
        """The text, or "" for a dict, whose items become fields."""
        if isinstance(record.msg, dict):
            fields.update(record.msg)
            return ""
        message = record.getMessage()
        if self.str_format:
            try:
                return message.format(**fields)
            except _FORMATTING_ERRORS:
                return message
        return message

    def _timestamp(self, created: float) -> str:
        """The time in UTC to the microsecond; the text down to the second is kept for the records that follow."""
        second, microsecond = divmod(round(created * 1e6), 1_000_000)
        known, text = self._second
        if second != known:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second, text
        return f"{text}.{microsecond:06d}Z"

    def _encode(self, line: dict[str, Any], simple: bool) -> bytes:
        if simple and orjson is not None and self.json_cls is None:
            try:
                return orjson.dumps(line)
            except orjson.JSONEncodeError:  # lone surrogates, integers beyond 64 bits, replaced standard attributes
                pass
        text = json.dumps(safe.plain(line, self.json_default), cls=self.json_cls, ensure_ascii=False)
        return text.encode()


def _is_simple(fields: dict[str, Any]) -> bool:
    """Whether orjson writes what json would; it has words of its own for enums, dataclasses and times."""
    args = fields.get("args")
    if args and (type(args) is not tuple or not _SCALARS.issuperset(map(type, args))):
        return False
    fields["args"] = None  # not a scalar itself; put back in its place, as a dict keeps its order
    simple = _SCALARS.issuperset(map(type, fields.values()))
    fields["args"] = args
    return simple
