"""The type of the exception that a stack trace ends with (Python) or begins with (Java and its like)."""

from __future__ import annotations

import re

_PYTHON = "Traceback (most recent call last):"
_NAME = re.compile(r"(?!Traceback\b)([A-Za-z_][\w.$]*)(?::|\s*$)", re.ASCII)
_JAVA = re.compile(r'(?:Exception in thread "[^"]*" )?([\w.$]*(?:Exception|Error|Throwable))(?::|\s*$)', re.ASCII)


def exception_type(stack_trace: str) -> str | None:
    """The exception's name as the trace writes it; None when it has none."""
    _, found, tail = stack_trace.rpartition(_PYTHON)
    if not found:
        return _first(_JAVA, tail.split("\n", 1)[:1])
    return _first(_NAME, [line for line in tail.split("\n")[1:] if line[:1] not in ("", " ", "\t")])


def _first(pattern: re.Pattern[str], lines: list[str]) -> str | None:
    return next((match[1] for line in lines if (match := pattern.match(line))), None)
