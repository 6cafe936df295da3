"""Log records as JSON lines in the shapes of Logstash (V0 and V1) and of the Elastic Common Schema.

The Logstash ones give the same keys, order and values as logstash_formatter 0.5.17, so that what reads its output
reads this, except its faults: text from a user is never a ``str.format`` template (unless asked for), ``@timestamp`` is
the record's time and not the formatter's, NaN becomes null, and no value or key loses the record. One key more:
``exc_type`` beside ``exception``.
"""

from __future__ import annotations

import logging
from typing import Any

from kafka_logging import safe
from kafka_logging.json_lines import JsonFormatter, add_exception

ECS_VERSION = "8.11.0"

# What every record has, and what formatters leave in it; all else came as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "exception", "exc_type", "message", "record_id", "taskName",
}  # fmt: skip


class LogstashFormatter(JsonFormatter):
    """Logstash V0: ``@message``, ``@timestamp``, ``@source_host`` and all of the record's attributes in ``@fields``.

    The items of a message that is a dict become fields.
    """

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The record as one line of JSON in UTF-8."""
        fields = record.__dict__.copy()
        if isinstance(record.msg, dict):
            fields.update(record.msg)
            message = ""
        else:
            message = self.message(record, fields) if self.str_format else record.getMessage()
        del fields["msg"]
        exc_info = fields.pop("exc_info", None)
        if not fields.get("exc_text", True):
            del fields["exc_text"]
        if exc_info:
            add_exception(fields, exc_info)
        if "@fields" in self.defaults:
            fields = {**self.defaults["@fields"], **fields}
        line = self.defaults.copy()  # item by item is the fastest way to go on
        line["@message"] = message
        line["@timestamp"] = self.time(record.created)
        line["@source_host"] = self.source_host
        line["@fields"] = fields
        return self.encode(line, self.is_simple(record))


class LogstashFormatterV1(JsonFormatter):
    """Logstash V1: ``@timestamp``, ``@version``, ``source_host`` and all of the record's attributes beside them.

    A dict as the message takes the place of ``message``: its items become fields. When another formatter has set
    ``message`` before, the template stays in the line as ``msg``, as with logstash_formatter.
    """

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The record as one line of JSON in UTF-8."""
        fields = record.__dict__.copy()
        if isinstance(record.msg, dict):
            fields.update(fields.pop("msg"))
        elif "message" not in fields:
            del fields["msg"]
            fields["message"] = self.message(record, fields) if self.str_format else record.getMessage()
        exc_info = fields.pop("exc_info", None)
        if not fields.get("exc_text", True):
            del fields["exc_text"]
        if exc_info:
            add_exception(fields, exc_info)
        line = self.defaults.copy()
        line["@timestamp"] = f"{self.time(record.created)[:-4]}Z"
        line["@version"] = 1
        line["source_host"] = self.source_host
        line.update(fields)
        return self.encode(line, self.is_simple(record))


class EcsFormatter(JsonFormatter):
    """The Elastic Common Schema, in the order of ecs-logging. Extras stay at the top, or go into ``labels`` when
    they have the name of a field of the schema that is in the line already.

    ``{"extra": {"service.name": "shop", "service.environment": "production"}}`` names the service.
    """

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The record as one line of JSON in UTF-8."""
        extras = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if isinstance(record.msg, dict):
            extras.update(record.msg)
            message = ""
        else:
            message = self.message(record, record.__dict__) if self.str_format else record.getMessage()
        line = {
            "@timestamp": f"{self.time(record.created)[:-4]}Z",
            "log.level": record.levelname.lower(),
            "message": message,
            "ecs.version": ECS_VERSION,
            **self.defaults,
            **_origin(record),
            "host": {"name": self.source_host},
        }
        if record_id := record.__dict__.get("record_id"):
            line["event"] = {"id": record_id}
        if error := _error(record):
            line["error"] = error
        if extras:
            _add_extras(line, extras)
        return self.encode(line, self.is_simple(record))


def _origin(record: logging.LogRecord) -> dict[str, Any]:
    place = {"file": {"name": record.filename, "line": record.lineno}, "function": record.funcName}
    thread = {"id": record.thread, "name": record.threadName}
    return {
        "log": {"logger": record.name, "origin": place},
        "process": {"pid": record.process, "name": record.processName, "thread": thread},
    }


def _error(record: logging.LogRecord) -> dict[str, Any]:
    """``error`` of an exception, or of the text that is left of one in a copy of the record."""
    fields = record.__dict__
    if exc_info := fields.get("exc_info"):
        lines = safe.exception_lines(exc_info)
        error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) == 3 else exc_info
        return {
            "type": safe.exception_type(exc_info),
            "message": safe.text_of(error),
            "stack_trace": "".join(lines),
        }
    stack = fields.get("exc_text") or fields.get("stack_info")
    if not stack:
        return {}
    return {"type": fields.get("exc_type"), "stack_trace": stack} if fields.get("exc_type") else {"stack_trace": stack}


def _add_extras(line: dict[str, Any], extras: dict[str, Any]) -> None:
    taken = {key: value for key, value in extras.items() if key in line}
    line.update((key, value) for key, value in extras.items() if key not in taken)
    if taken:
        labels = line.get("labels")
        line["labels"] = {**(labels if isinstance(labels, dict) else {}), **taken}
