"""Log text made safe to print: it is hostile, and the reader was just woken up by it."""

from __future__ import annotations

import unicodedata

# Control, format (which reorders or hides text), surrogate, private use, unassigned, and separators that break lines.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def one_line(text: str) -> str:
    """The text on one line: whatever a terminal would obey, or a person could not see, is written as an escape."""
    return "".join(_escape(character) for character in text)


def block(text: str, *, margin: str = "    | ") -> str:
    """The text's own lines, each behind a margin, so that a log cannot pretend to be part of the message."""
    return "\n".join(margin + one_line(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n"))


def _escape(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode()
    return character
