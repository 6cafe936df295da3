"""Event times as texts → microseconds since the epoch, UTC.

Understands ISO 8601 with any offset (none means UTC, or the topic's time zone; ``,`` or ``.`` before the fraction;
``/`` for ``-``, as nginx's error log and Go have it), epoch seconds, milli-, micro- and nanoseconds, and nginx's
``22/Nov/2026:05:43:15 +0000``. What it does not understand is null, never an error. A leap second is the second after.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.distinct import map_distinct

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTEGER = r"^-?[0-9]{1,18}$"
_NUMBER = r"^-?[0-9]{1,19}(\.[0-9]{1,19})?([eE][+-]?[0-9]{1,2})?$"
_NGINX = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)
# An offset as ISO 8601 does not know it: after a space, before the zone's name, or as a name.
_ZONE = re.compile(r"\s*(?:UTC|GMT|[Zz]|([+-][0-9]{2}:?[0-9]{2})(?: [A-Z]{3,4})?)$", re.ASCII)
_LEAP = re.compile(r"([T ][0-9]{2}:?[0-9]{2}:?)60")
# Texts of the times above that say nothing of an offset.
_WITHOUT_OFFSET = r"^\s*[0-9]{4}[-/]?[0-9]{2}[-/]?[0-9]{2}(?:[T ][0-9:]*(?:[.,][0-9]*)?)?\s*$"
_MINUTE = 60_000_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# An epoch number below the first limit is in seconds, below the second in ms, below the third in µs, else in ns.
_SECONDS, _MILLISECONDS, _MICROSECONDS = 10**11, 10**14, 10**17
# Float arithmetic on the whole column gives the same as per value while products stay exact: below 2**53.
_EXACT = 9e12


def parse_time(text: str) -> int | None:
    """Microseconds since the epoch, or None when it is not a time."""
    text = text.strip()
    if re.match(_INTEGER, text):
        return _of_integer(int(text))
    if re.match(_NUMBER, text):
        return _of_float(float(text))
    try:
        since = _of_nginx(text)
        return (_of_iso(text) if since is None else since) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def parse_times(column: pa.Array) -> pa.Array:
    """``parse_time`` of a string column, as int64; one pass of Arrow when all values are written the same way."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.int64())
    first = column.filter(pc.is_valid(column)).slice(0, 1)
    for attempt in _ATTEMPTS:
        # A cast that fails is as slow as ten that do not.
        if _tried(attempt, first) is not None and (times := _tried(attempt, column)) is not None:
            return times
    return map_distinct(column, parse_time, pa.int64())


def _tried(attempt: Callable[[pa.Array], pa.Array | None], column: pa.Array) -> pa.Array | None:
    try:
        return attempt(column)
    except pa.ArrowInvalid:
        return None


def in_zone(texts: pa.Array, times: pa.Array, zone: tzinfo) -> pa.Array:
    """The times with those moved whose text has no offset: these are the wall clock's in ``zone``, not UTC's.

    A wall clock's time that comes twice is its first; one that is left out is what the clock showed before it was set.
    ``times`` are years of four digits.
    """
    moved = pc.and_(pc.match_substring_regex(texts, _WITHOUT_OFFSET), pc.is_valid(times)).fill_null(False)
    minutes, where = np.unique(times.filter(moved).to_numpy() // _MINUTE, return_inverse=True)
    offsets = np.array([_offset(int(minute), zone) for minute in minutes], np.int64)
    utc = pc.subtract(times.filter(moved), pa.array(offsets[where], pa.int64()))
    return pc.replace_with_mask(times, moved, utc)


def _offset(minute: int, zone: tzinfo) -> int:
    wall = datetime(1970, 1, 1, tzinfo=zone) + timedelta(minutes=minute)
    return (wall.utcoffset() or timedelta(0)) // _MICROSECOND


def _zoned(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())


def _naive(column: pa.Array) -> pa.Array:
    return pc.replace_substring(column, ",", ".", max_replacements=1).cast(pa.timestamp("us")).cast(pa.int64())


def _slashed(column: pa.Array) -> pa.Array:
    return _naive(pc.replace_substring(column, "/", "-", max_replacements=2))


def _integers(column: pa.Array) -> pa.Array | None:
    if not _all_match(column, _INTEGER):
        return None
    numbers = column.cast(pa.int64())
    size = pc.abs(numbers)
    return pc.case_when(
        pc.make_struct(*(pc.less(size, limit) for limit in (_SECONDS, _MILLISECONDS, _MICROSECONDS))),
        pc.multiply(pc.if_else(pc.less(size, _SECONDS), numbers, 0), 1_000_000),
        pc.multiply(pc.if_else(pc.less(size, _MILLISECONDS), numbers, 0), 1000),
        numbers,
        _floor_thousandth(numbers),
    )


def _floats(column: pa.Array) -> pa.Array | None:
    if not _all_match(column, _NUMBER):
        return None
    numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        if np.any(np.abs(numbers) >= _EXACT):
            return None
        micros = np.rint(numbers * np.where(np.abs(numbers) < _SECONDS, 1e6, 1e3))
    return pa.array(np.nan_to_num(micros).astype(np.int64), mask=np.isnan(numbers))


_ATTEMPTS: tuple[Callable[[pa.Array], pa.Array | None], ...] = (
    _zoned,
    _naive,
    _slashed,
    _integers,
    _floats,
)


def _all_match(column: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def _floor_thousandth(numbers: pa.Array) -> pa.Array:
    """Floor division by 1000; Arrow's own rounds towards zero."""
    quotient = pc.divide(numbers, 1000)
    return pc.if_else(pc.greater(pc.multiply(quotient, 1000), numbers), pc.subtract(quotient, 1), quotient)


def _of_integer(number: int) -> int:
    size = abs(number)
    if size < _SECONDS:
        return number * 1_000_000
    if size < _MILLISECONDS:
        return number * 1000
    return number if size < _MICROSECONDS else number // 1000


def _of_float(number: float) -> int | None:
    size = abs(number)
    if size >= 2**63:
        return None
    if number.is_integer():
        return _of_integer(int(number))
    return round(number * (1e6 if size < _SECONDS else 1e3 if size < _MILLISECONDS else 1.0))


def _of_nginx(text: str) -> timedelta | None:
    if not (found := _NGINX.fullmatch(text)):
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    local = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return local - _EPOCH - (offset if sign == "+" else -offset)


def _of_iso(text: str) -> timedelta:
    if found := _ZONE.search(text):
        text = text[: found.start()] + (found[1] or "+00:00")
    text, leaps = _LEAP.subn(r"\g<1>59", text)
    time = datetime.fromisoformat(text.replace("/", "-", 2).replace(",", ".", 1))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH + timedelta(seconds=leaps)
