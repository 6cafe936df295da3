"""Values that any encoder can take, out of values that a user's code made: nothing here ever raises.

Knows nothing of Kafka. The broad except in ``attempt`` is, with the one in the handler's ``emit``, the only one: a
``__str__`` or ``__repr__`` may raise anything, and logging must not take the application down.
"""

from __future__ import annotations

import copy
import logging
import math
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

Value = TypeVar("Value")
ExceptionInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

MAX_DEPTH = 32  # deeper than any record a person wrote; a structure that holds itself ends here
_CUT = " …[cut]… "
_TEXTS = ("name", "levelname", "exc_text", "stack_info")
_END_OF_TIME = 253_402_300_800  # the year 10000, in seconds, which datetime does not know


def attempt(work: Callable[[], Value], otherwise: Callable[[Exception], Value]) -> Value:
    """What ``work`` returns, or what ``otherwise`` makes of its exception."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - user code, see the module docstring
        return otherwise(error)


def encodable(text: str) -> str:
    """The text with lone surrogates written as ``\\udcff``, so that it is UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def text_of(value: object) -> str:
    """``str(value)`` as encodable text, or a placeholder that names the type."""
    return attempt(lambda: encodable(str(value)), lambda error: f"<{type(value).__name__}: {type(error).__name__}>")


def plain(value: Any, default: Callable[[Any], Any] = text_of, depth: int = 0) -> Any:
    """``value`` as ``json.dumps`` would write it, in plain str, int, float, bool, None, list and dict.

    NaN and infinities become None, keys become text, and what JSON has no word for goes through ``default``.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= MAX_DEPTH:
        return text_of(value)
    if isinstance(value, dict):
        return {key_text(key): plain(item, default, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, default, depth + 1) for item in value]
    replacement = attempt(lambda: default(value), lambda _: text_of(value))
    return plain(replacement, default, depth + 1)


def key_text(key: object) -> str:
    """A key as ``json.dumps`` writes it; one that it refuses becomes its text."""
    words = {None: "null", True: "true", False: "false"}
    if key is None or isinstance(key, bool):
        return words[key]
    return encodable(key) if isinstance(key, str) else text_of(key)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters: a message's start and a stack's end both say most, so the middle goes."""
    if len(text) <= limit:
        return text
    keep = max(limit - len(_CUT), 2) // 2
    return text[:keep] + _CUT + text[-keep:]


def exception_lines(exc_info: object) -> list[str]:
    """The traceback as ``traceback.format_exception`` has it; text for what is no exception information."""
    return attempt(lambda: traceback.format_exception(*_triple(exc_info)), lambda _: [text_of(exc_info)])


def exception_type(exc_info: object) -> str | None:
    """The name of the exception as a traceback's last line has it, such as ``json.decoder.JSONDecodeError``."""
    kind = attempt(lambda: _triple(exc_info)[0], lambda _: None)
    if kind is None:
        return None
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _triple(exc_info: Any) -> ExceptionInfo:
    if isinstance(exc_info, BaseException):
        return type(exc_info), exc_info, exc_info.__traceback__
    kind, error, trace = exc_info
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError(f"not an exception type: {kind!r}")
    return kind, error, trace


def portable(
    record: logging.LogRecord, limit: int | None = None, marks: Mapping[str, Any] | None = None
) -> logging.LogRecord:
    """A copy of the record that every formatter can take: the message and the stack as text, the rest plain.

    ``limit`` cuts every text to so many characters; ``marks`` are further fields that say why there is a copy.
    """
    exc_info = record.exc_info
    result = copy.copy(record)
    result.__dict__.update({key_text(key): plain(value) for key, value in record.__dict__.items() if key != "exc_info"})
    result.msg, result.args, result.exc_info = _message(record), (), None
    _repair(result)
    if exc_info:
        result.exc_text = encodable("".join(exception_lines(exc_info))).rstrip("\n")
        result.__dict__["exc_type"] = exception_type(exc_info)
    if limit is not None:
        result.__dict__.update({key: _cut_value(value, limit) for key, value in result.__dict__.items()})
    if result.exc_text:
        result.__dict__["exception"] = result.exc_text.splitlines(keepends=True)
    result.__dict__.update(marks or {})
    return result


def _repair(record: logging.LogRecord) -> None:
    """Attributes that every record has, and somebody has replaced, get a value of the type that readers expect."""
    if not isinstance(record.levelno, int):
        record.levelno = logging.NOTSET
    if not isinstance(record.created, int | float) or not 0 <= record.created < _END_OF_TIME:
        record.created = time.time()
    for name in _TEXTS:
        value = record.__dict__.get(name)
        if value is not None and not isinstance(value, str):
            record.__dict__[name] = text_of(value)


def _message(record: logging.LogRecord) -> Any:
    if isinstance(record.msg, dict):
        return plain(record.msg)
    return attempt(
        lambda: encodable(record.getMessage()),
        lambda _: f"{text_of(record.msg)} {text_of(record.args)}",
    )


def _cut_value(value: Any, limit: int) -> Any:
    if isinstance(value, list | dict):
        text = text_of(value)
        return value if len(text) <= limit else cut(text, limit)
    return cut(value, limit) if isinstance(value, str) else value
