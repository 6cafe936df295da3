"""One word per level, whatever the writer called it: DEBUG, INFO, WARNING, ERROR, CRITICAL.

A word that means different things to different writers is not guessed at: it stays as it is, unless the topic says what
it means. The table is in docs/formats.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from faultline.records.distinct import map_distinct

WARNING_AND_ABOVE = ("WARNING", "ERROR", "CRITICAL")

_BY_TEN = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Syslog severities count down from 0, emergency (RFC 5424, 6.2.1).
_SYSLOG = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")
# syslog, Python, Java (log4j, java.util.logging), Go (zap, logrus, klog), .NET (its own, Serilog), PostgreSQL, Android.
WORDS: Mapping[str, tuple[str, ...]] = {
    "DEBUG": (
        "D", "T", "V", "TRACE", "VERBOSE", "FINE", "FINER", "FINEST", "CONFIG", "DBG", "DBUG", "TRC", "TRCE", "VRB",
        "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5",
    ),
    "INFO": ("I", "N", "INF", "INFORMATION", "INFORMATIONAL", "NOTICE", "NOTE", "LOG", "SUCCESS"),
    "WARNING": ("W", "WRN", "WARN"),
    "ERROR": ("E", "ERR", "SEVERE", "FAIL"),
    "CRITICAL": ("C", "F", "CRIT", "FATAL", "FTL", "ALERT", "PANIC", "DPANIC", "EMERG", "EMERGENCY"),
}  # fmt: skip
_LEVEL_OF = {word: level for level, words in WORDS.items() for word in (level, *words)}
# How terminals are told a colour, and what stands around a word in a line of text.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_AROUND = "[]<>():|"
# What Python calls a level that nobody named.
_UNNAMED = re.compile(r"LEVEL ([0-9]{1,9})")
_NONE: Mapping[str, str] = MappingProxyType({})


def normalise_level(text: str, own: Mapping[str, str] = _NONE) -> str | None:
    """The level a word or number means; a word nobody knows stays, in capitals. ``own`` says what some mean here.

    A number from 0 to 7 is a syslog severity; from 10 on it is Python's scale, rounded down to a named level.
    """
    word = _COLOUR.sub("", text).strip().upper()
    bare = word.strip(_AROUND).strip()
    if found := own.get(word) or own.get(bare) or _LEVEL_OF.get(bare):
        return found
    number = _UNNAMED.sub(r"\1", bare)
    if number.isascii() and number.isdecimal() and len(number) < 10:
        return _level_of_number(int(number)) or word
    return word or None


def normalise_levels(column: pa.Array, own: Mapping[str, str] = _NONE) -> pa.Array:
    """``normalise_level`` of a string column."""
    return map_distinct(column, lambda text: normalise_level(text, own), pa.string())


def _level_of_number(number: int) -> str | None:
    if number < len(_SYSLOG):
        return _SYSLOG[number]
    if number < 10:
        return None
    return _BY_TEN[min(number // 10, len(_BY_TEN)) - 1]
