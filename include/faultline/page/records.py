"""Records of the archive as the page shows them: a line each with what was looked for marked, or one in full. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.search.match import patterns
from faultline.archive.search.query import Query
from faultline.dispatch.text import lines, one_line, shorten

LIST_COLUMNS = ("timestamp", "level", "service", "message", "exception_type", "parse_error")
# What says where a record is, apart from its topic.
COORDINATES = ("kafka_topic_id", "kafka_partition", "kafka_offset")

_LOOKED_AT = 4000
_MESSAGE = 400
_BEFORE = 40  # characters shown before a match that would be cut off
# No text that ``one_line`` made has them: they are for private use, which it writes as escapes.
_START, _END = "\ue000", "\ue001"
_LONGEST_FIELD = 200_000
_DUMPED = 16_384
_WIDTH = 16

# A piece of a text, and whether it is what somebody looked for.
Piece = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """A record's line."""

    at: datetime
    level: str | None
    topic: str
    service: str | None
    message: tuple[Piece, ...]
    parsed: bool
    place: Mapping[str, object]


def listed(rows: pa.Table, query: Query) -> list[Listed]:
    """The lines of these rows, of LIST_COLUMNS and the columns of the order."""
    found = rows.to_pylist()
    texts = [one_line(shorten(_said(row), _LOOKED_AT)) for row in found]
    return [
        Listed(
            row["timestamp"],
            row["level"],
            row["topic"],
            row["service"],
            pieces,
            row["message"] is not None,
            place(row),
        )
        for row, pieces in zip(found, marked(texts, patterns(query)), strict=True)
    ]


def place(row: Mapping[str, Any]) -> dict[str, object]:
    """What finds this record again, as parameters of an address."""
    return {
        "topic": row["topic"],
        "generation": row["kafka_topic_id"],
        "partition": row["kafka_partition"],
        "offset": row["kafka_offset"],
        "at": row["timestamp"].isoformat(),
    }


def marked(texts: Sequence[str], looked_for: Sequence[str]) -> list[tuple[Piece, ...]]:
    """Each text, made by ``one_line``, cut around its first match.

    By RE2, whose time is linear: the patterns are whatever somebody typed, and the host has better things to do.
    """
    found = pa.array(texts, pa.large_string())
    if looked_for:
        anything = "|".join(f"(?:{pattern})" for pattern in looked_for)
        found = pc.replace_substring_regex(found, f"({anything})", rf"{_START}\1{_END}")
    return [tuple(_pieces(text)) for text in found.to_pylist()]


def dump(data: bytes) -> str:
    """The bytes as hexadecimal numbers and as ASCII, sixteen a line."""
    rows = (data[start : start + _WIDTH] for start in range(0, min(len(data), _DUMPED), _WIDTH))
    return "\n".join(
        f"{number * _WIDTH:08x}  {row.hex(' '):<{3 * _WIDTH - 1}}  {re.sub(r'[^ -~]', '.', row.decode('latin-1'))}"
        for number, row in enumerate(rows)
    )


def shown_bytes(data: bytes) -> tuple[str, bool]:
    """The bytes as a reader can take them: their text, or a dump of them; and whether it is a text."""
    try:
        return shown_text(data.decode()), True
    except UnicodeDecodeError:
        return dump(data), False


def shown_text(text: str) -> str:
    """A field's own lines, made safe."""
    return "\n".join(lines(shorten(text, _LONGEST_FIELD)))


def _said(row: Mapping[str, Any]) -> str:
    message, kind = row["message"], row["exception_type"]
    if message is None:
        return row["parse_error"] or ""
    return f"{message} ({kind})" if kind and kind not in message else message


def _pieces(text: str) -> list[Piece]:
    """The text between its marks, which cannot be nested, cut to what a list shows."""
    parts = re.split(f"{_START}(.*?){_END}", text)
    pieces = [(part, number % 2 == 1) for number, part in enumerate(parts) if part]
    if len(pieces) > 1 and not pieces[0][1] and len(pieces[0][0]) > _MESSAGE - _BEFORE:
        pieces[0] = ("…" + pieces[0][0][-_BEFORE:], False)
    shown: list[Piece] = []
    room = _MESSAGE
    for part, is_match in pieces:
        if room <= 0:
            return [*shown, ("…", False)]
        shown.append((part[:room] + ("…" if len(part) > room else ""), is_match))
        room -= len(part)
    return shown
