"""Records that are a line of text: nginx's combined log format, and free text with a time and a level in it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.schema import LABEL_PREFIX
from faultline.settings import TopicConfig

# nginx escapes quotes and everything that is not ASCII, so a quoted part ends at the next quote. RE2 syntax.
_COMBINED = (
    r"^(?P<remote_addr>\S+) \S+ (?P<remote_user>.+?) \[(?P<time_local>[^\]]+)\] "
    r'"(?P<request>[^"]*)" (?P<status>[0-9]{3}) (?P<body_bytes_sent>[0-9]+|-)'
    r'(?: "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)")?'
)
_REQUEST = r"^(?P<method>[A-Za-z]+) (?P<path>[^? ]*)"
_TIME = r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
_LEVEL = (
    r"\b(?P<level>TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|ALERT|EMERG"
    r"|debug|info|notice|warning|warn|error|err|critical|crit|fatal|alert|emerg)\b"
)
# A level or time further into a line is what the line talks about.
_HEAD = 120

Columns = dict[str, pa.Array]


def parse_nginx(raw: pa.Array, topic: TopicConfig) -> tuple[Columns, pa.Array]:
    """String columns of nginx combined lines, and why a line could not be read, or null.

    Count labels use nginx's variable names (``status``, ``remote_addr`` …) or ``method`` and ``path``.
    """
    lines, errors = read_lines(raw)
    parts = _groups(lines, _COMBINED)
    unread = pc.and_(pc.is_null(parts["status"]), pc.is_null(errors))
    errors = pc.if_else(unread, "not in nginx's combined format", errors)
    parts |= _groups(parts["request"], _REQUEST)
    columns = {
        "timestamp": parts["time_local"],
        "level": _level_of_status(parts["status"]),
        "message": pc.binary_join_element_wise(parts["request"], parts["status"], " "),
    }
    empty = pa.nulls(len(raw), pa.string())
    return columns | {LABEL_PREFIX + name: _present(parts.get(name, empty)) for name in topic.count_labels}, errors


def parse_text(raw: pa.Array) -> tuple[Columns, pa.Array]:
    """The whole line as message; time and level where its beginning has them."""
    lines, errors = read_lines(raw)
    heads = pc.utf8_slice_codeunits(lines, 0, _HEAD)
    columns = {
        "timestamp": _groups(heads, _TIME)["time"],
        "level": _groups(heads, _LEVEL)["level"],
        "message": lines,
    }
    return columns, errors


def read_lines(raw: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The records as texts without the line end, null where that is impossible, and the reason."""
    errors = pc.if_else(
        pc.is_null(raw),
        "no value: the message is a tombstone",
        pc.if_else(pc.equal(pc.binary_length(raw), 0), "empty value", pa.scalar(None, pa.string())),
    )
    try:
        lines = raw.cast(pa.string())
    except pa.ArrowInvalid:
        lines, undecodable = _decode_each(raw)
        errors = pc.coalesce(errors, undecodable)
    lines = pc.utf8_rtrim(lines, "\r\n")
    return pc.if_else(pc.is_null(errors), lines, pa.scalar(None, pa.string())), errors


def _decode_each(raw: pa.Array) -> tuple[pa.Array, pa.Array]:
    lines: list[str | None] = []
    errors: list[str | None] = []
    for value in raw.to_pylist():
        try:
            line, error = value.decode() if value is not None else None, None
        except UnicodeDecodeError as fault:
            line, error = None, f"not UTF-8: {fault.reason} at byte {fault.start}"
        lines.append(line)
        errors.append(error)
    return pa.array(lines, pa.string()), pa.array(errors, pa.string())


def _groups(texts: pa.Array, pattern: str) -> Columns:
    found = pc.extract_regex(texts, pattern)
    return {part.name: pc.struct_field(found, part.name) for part in found.type}


def _present(text: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(text, pa.array(["", "-"])), pa.scalar(None, pa.string()), text)


def _level_of_status(status: pa.Array) -> pa.Array:
    number = status.cast(pa.int32())
    level = pc.if_else(pc.greater_equal(number, 400), "WARNING", "INFO")
    return pc.if_else(pc.greater_equal(number, 500), "ERROR", level)
