"""One word per level, whatever the writer called it: DEBUG, INFO, WARNING, ERROR, CRITICAL."""

from __future__ import annotations

import pyarrow as pa

from faultline.records.distinct import map_distinct

WARNING_AND_ABOVE = ("WARNING", "ERROR", "CRITICAL")

_BY_TEN = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Syslog severities count down from 0, emergency (RFC 5424, 6.2.1).
_SYSLOG = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")
_WORDS = {
    "DEBUG": ("D", "TRACE", "VERBOSE", "FINE", "FINER", "FINEST"),
    "INFO": ("I", "INFORMATION", "INFORMATIONAL", "NOTICE", "SUCCESS"),
    "WARNING": ("W", "WARN"),
    "ERROR": ("E", "ERR", "SEVERE"),
    "CRITICAL": ("C", "F", "CRIT", "FATAL", "ALERT", "PANIC", "EMERG", "EMERGENCY"),
}
_LEVEL_OF = {word: level for level, words in _WORDS.items() for word in (level, *words)}


def normalise_level(text: str) -> str | None:
    """The level a word or number means; a word nobody knows stays, in capitals.

    A number from 0 to 7 is a syslog severity; from 10 on it is Python's scale, rounded down to a named level.
    """
    word = text.strip().upper()
    if not word:
        return None
    if word.isascii() and word.isdecimal() and len(word) < 10:
        return _level_of_number(int(word)) or word
    return _LEVEL_OF.get(word, word)


def normalise_levels(column: pa.Array) -> pa.Array:
    """``normalise_level`` of a string column."""
    return map_distinct(column, normalise_level, pa.string())


def _level_of_number(number: int) -> str | None:
    if number < len(_SYSLOG):
        return _SYSLOG[number]
    if number < 10:
        return None
    return _BY_TEN[min(number // 10, len(_BY_TEN)) - 1]
