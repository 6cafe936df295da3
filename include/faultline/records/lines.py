"""Records that are lines of text: nginx's access log, lines that the topic's patterns describe, and any others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from faultline.line_patterns import COMBINED, nginx_pattern
from faultline.records.columns import Columns, merge_rows
from faultline.records.schema import LABEL_PREFIX
from faultline.topicfile import TopicConfig, TopicFields

_REQUEST = r"^(?P<method>[A-Za-z]+) (?P<path>[^? ]*)"
_TIME = (
    r"(?P<time>[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9:]{8}(?:[.,][0-9]+)?(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
    r"|[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4})"
)
_LEVEL = (
    r"\b(?P<level>TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|ALERT|EMERG"
    r"|debug|info|notice|warning|warn|error|err|critical|crit|fatal|alert|emerg)\b"
)
# A level or time further into a line is what the line talks about.
_HEAD = 120
# A text of many lines whose later ones are a stack trace, as a shipper that joins them sends it.
_WITH_STACK = r"^(?P<first>[^\n]*)\n(?P<stack>(?s:(?:.*\n)?(?:Traceback \(most recent call last\):|\s+at \S).*))$"

# The variables that say what a column wants, the best first; a topic's own ``fields`` come before them.
_NGINX_FIELDS = {"timestamp": ("msec", "time_iso8601", "time_local"), "host": ("hostname",)}
_NGINX_MESSAGE = ("status", "request", "request_method", "request_uri", "uri")


def parse_nginx(raw: pa.Array, topic: TopicConfig) -> tuple[Columns, pa.Array]:
    """String columns of nginx's lines, and why a line could not be read, or null.

    A request is as bad as its status: an ERROR from 500 on, a WARNING from 400 on. Count labels use nginx's variable
    names (``status``, ``remote_addr`` …) or ``method`` and ``path``.
    """
    lines, errors = read_lines(raw)
    fields = _nginx_fields(topic)
    wanted = {name for names in fields.values() for name in names}
    parts, unread = _groups(lines, _nginx_pattern(topic.log_format, frozenset(wanted.union(_NGINX_MESSAGE))))
    named = "log_format" if topic.log_format else "combined format"
    errors = pc.if_else(pc.and_(unread, pc.is_null(errors)), f"not in nginx's {named}", errors)
    if wanted & {"method", "path"}:
        parts |= _groups(parts["request"], _REQUEST)[0]
    present = {name: _present(part) for name, part in parts.items()}
    columns = {name: _first(present, names, len(raw)) for name, names in fields.items()}
    if "level" not in columns:
        columns["level"] = _level_of_status(present.get("status", pa.nulls(len(raw), pa.string())))
    if "message" not in columns:
        columns["message"] = pc.if_else(unread, pa.scalar(None, pa.string()), _message(parts, lines))
    return columns, errors


def parse_text(raw: pa.Array, topic: TopicConfig) -> tuple[Columns, pa.Array]:
    """String columns of the first of the topic's patterns that matches, and why a line could not be read, or null.

    Without a group for it, the message is the whole line. Without patterns too; then time and level are what the line's
    beginning has.
    """
    lines, errors = read_lines(raw)
    if not topic.patterns:
        return _parse_any(lines), errors
    pieces: list[tuple[pa.Array, Columns]] = []
    rows, left = pa.array(range(len(raw)), pa.int64()), lines
    for pattern in topic.patterns:
        parts, unread = _groups(left, pattern)
        read = pc.invert(unread)
        pieces.append((rows.filter(read), _columns(parts, left, topic, read)))
        rows, left = rows.filter(unread), left.filter(unread)
    pieces.append((rows, {}))
    unread = pc.is_in(pa.array(range(len(raw)), pa.int64()), rows)
    errors = pc.if_else(pc.and_(unread, pc.is_null(errors)), "matches none of the topic's patterns", errors)
    return merge_rows(pieces), errors


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


def _parse_any(lines: pa.Array) -> Columns:
    heads = pc.utf8_slice_codeunits(lines, 0, _HEAD)
    columns = {"timestamp": _groups(heads, _TIME)[0]["time"], "level": _groups(heads, _LEVEL)[0]["level"]}
    if not pc.any(pc.match_substring(lines, "\n")).as_py():
        return columns | {"message": lines}
    parts, whole = _groups(lines, _WITH_STACK)
    return columns | {"message": pc.if_else(whole, lines, parts["first"]), "stack_trace": parts["stack"]}


def _nginx_fields(topic: TopicConfig) -> dict[str, tuple[str, ...]]:
    own = {name: getattr(topic.fields, name) for name in topic.fields.model_fields_set}
    return _NGINX_FIELDS | own | {LABEL_PREFIX + name: (name,) for name in topic.count_labels}


@lru_cache
def _nginx_pattern(log_format: str | None, wanted: frozenset[str]) -> str:
    return nginx_pattern(log_format, wanted) if log_format else COMBINED


def _columns(parts: Columns, lines: pa.Array, topic: TopicConfig, rows: pa.Array) -> Columns:
    present = {name: _empty_as_null(part.filter(rows)) for name, part in parts.items()}
    fields = {name: (name, *getattr(topic.fields, name)) for name in TopicFields.model_fields}
    labels = {LABEL_PREFIX + name: (name,) for name in topic.count_labels}
    size = pc.sum(rows).as_py() or 0
    columns = {name: _first(present, names, size) for name, names in (fields | labels).items()}
    return columns | {"message": pc.coalesce(columns["message"], lines.filter(rows))}


def _message(parts: Columns, lines: pa.Array) -> pa.Array:
    """What was asked for and how it went; without these variables the whole line."""
    path = "request_uri" if "request_uri" in parts else "uri"
    for names in (("request", "status"), ("request_method", path, "status"), ("request",)):
        if parts.keys() >= set(names):
            return pc.binary_join_element_wise(*(parts[name] for name in names), " ")
    return lines


def _first(parts: Columns, names: Iterable[str], rows: int) -> pa.Array:
    found = [parts[name] for name in names if name in parts]
    return pc.coalesce(*found) if found else pa.nulls(rows, pa.string())


def _groups(texts: pa.Array, pattern: str) -> tuple[Columns, pa.Array]:
    """A column for each named group, null in a row that does not match, and which rows do not match."""
    found = pc.extract_regex(texts, pattern)
    return {part.name: pc.struct_field(found, part.name) for part in found.type}, pc.is_null(found)


def _empty_as_null(text: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _present(text: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(text, pa.array(["", "-"])), pa.scalar(None, pa.string()), text)


def _level_of_status(status: pa.Array) -> pa.Array:
    number = status.cast(pa.int32())
    level = pc.if_else(pc.greater_equal(number, 400), "WARNING", "INFO")
    return pc.if_else(pc.greater_equal(number, 500), "ERROR", level)
