"""Log text made safe to show: it is hostile, and the reader was just woken up by it."""

from __future__ import annotations

import unicodedata

# Control, format (which reorders or hides text), surrogate, private use, unassigned, and separators that break lines.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters that show as nothing at all, though Unicode calls them letters or marks.
_BLANK = set("\u115f\u1160\u2800\u3164\uffa0\u034f")
CUT = " …(cut)"


def one_line(text: str) -> str:
    """The text on one line: whatever a terminal would obey, or a person could not see, is written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) for character in text)


def block(text: str, *, margin: str = "    | ") -> str:
    """The text's own lines, each behind a margin, so that a log cannot pretend to be part of the message."""
    return "\n".join(margin + line for line in lines(text))


def lines(text: str) -> list[str]:
    """The text's own lines, each made safe by ``one_line``."""
    return [one_line(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n")]


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters; what is left out is marked."""
    return text if len(text) <= limit else text[: max(limit - len(CUT), 0)] + CUT


def cut_bytes(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8, never in the middle of a character; what is left out is marked."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    room = max(limit - len(CUT.encode()), 0)
    return data[:room].decode("utf-8", "ignore") + CUT


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def _escape(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _HIDDEN or character in _BLANK:
        return character.encode("unicode_escape").decode()
    return character
