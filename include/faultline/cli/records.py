"""Records as a terminal shows them, as JSON lines, and as they were: dictionaries of columns → bytes.

Log text is hostile: what a terminal would obey is written as an escape. Only ``raw`` into a file or a pipe is exact.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from faultline.dispatch.text import one_line

Row = Mapping[str, Any]
Writer = Callable[[Row], bytes]

TABLE_COLUMNS = ("timestamp", "level", "service", "message", "exception_type", "parse_error")
# DEL, C1, and what reorders or hides text; JSON's own rules leave them alone.
_HIDDEN = re.compile(r"[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_STYLES = {"CRITICAL": "bold white on red", "ERROR": "bold red", "WARNING": "yellow", "INFO": "green", "DEBUG": "dim"}
_LEVEL, _SERVICE, _TOPIC = 8, 16, 16
_BEFORE = 24  # characters shown before a match that would be cut off


def raw_line(row: Row) -> bytes:
    """The exact bytes of the record, and a line end."""
    return (row["raw"] or b"") + b"\n"


def raw_line_for_terminal(row: Row) -> bytes:
    """The record with everything escaped that a terminal would obey."""
    return one_line((row["raw"] or b"").decode("utf-8", "backslashreplace")).encode() + b"\n"


def json_line(row: Row) -> bytes:
    """One JSON object of the columns that are not null; bytes that are no text are ``raw_base64``, ``…_base64``."""
    known = {name: value for name, value in row.items() if value is not None}
    for name in [name for name, value in known.items() if isinstance(value, bytes)]:
        value = known.pop(name)
        try:
            known[name] = value.decode()
        except UnicodeDecodeError:
            known[f"{name}_base64"] = base64.b64encode(value).decode()
    text = orjson.dumps(known, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS).decode()
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"


class TableLines:
    """A line for each record: time, level, topic where there are several, service, message with the matches marked."""

    def __init__(self, console: Console, patterns: Sequence[str], *, topics: bool) -> None:
        self._console = console
        self._patterns = [each for pattern in patterns if (each := _compile(pattern))]
        self._topics = topics

    def header(self) -> bytes:
        """The names above the columns."""
        names = [set_cell_size("TIME (UTC)", 23), set_cell_size("LEVEL", _LEVEL)]
        names += [set_cell_size("TOPIC", _TOPIC)] if self._topics else []
        return self._render(Text("  ".join([*names, set_cell_size("SERVICE", _SERVICE), "MESSAGE"]), "bold"))

    def __call__(self, row: Row) -> bytes:
        level = row["level"] or "-"
        line = Text.assemble(
            (format_time(row["timestamp"]), "cyan"), "  ", (_cell(level, _LEVEL), _STYLES.get(level, "")), "  "
        )
        if self._topics:
            line.append(f"{_cell(row['topic'], _TOPIC)}  ", "magenta")
        line.append(f"{_cell(row['service'] or '-', _SERVICE)}  ", "bold")
        room = self._console.width - line.cell_len if self._console.is_terminal else None
        line.append_text(self._message(row, room))
        return self._render(line)

    def _message(self, row: Row, room: int | None) -> Text:
        text, style = row["message"], ""
        if text is None:
            text, style = f"({row['parse_error'] or 'no message'})", "italic dim"
        elif row["exception_type"] and row["exception_type"] not in text:
            text = f"{text} ({row['exception_type']})"
        message = Text(one_line(text), style)
        for pattern in self._patterns:
            message.highlight_regex(pattern, "reverse")
        return message if room is None else _fit(message, max(room, 20))

    def _render(self, line: Text) -> bytes:
        with self._console.capture() as captured:
            self._console.print(line, soft_wrap=True, highlight=False)
        return captured.get().encode("utf-8", "replace")


def format_time(time: datetime) -> str:
    """To the millisecond."""
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03}"


def _cell(text: str, width: int) -> str:
    safe = one_line(text)
    return set_cell_size(safe, width) if cell_len(safe) <= width else set_cell_size(safe, width - 1) + "…"


def _fit(message: Text, room: int) -> Text:
    """Cut to the room, around the first match where that is further right."""
    if message.cell_len <= room:
        return message
    start, before = min((span.start for span in message.spans), default=0), min(_BEFORE, room // 3)
    if cell_len(message.plain[:start]) > room - before:
        message = Text("…") + message[start - before :]
    message.truncate(room, overflow="ellipsis")
    return message


def _compile(pattern: str) -> re.Pattern[str] | None:
    """For Python, where its expressions are those of RE2; they are, but for a few."""
    try:
        return re.compile(pattern)
    except re.error:
        return None
