"""The values a query may compare a field with; ValueError says what is expected instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.search.query import FIELDS, Compare, Field, Kind, Match, Not, Or, Order, Query
from faultline.durations import parse_instant
from faultline.records.levels import normalise_level
from faultline.yaml_files import nearest

RAW_PREFIX = "raw."
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_INT64 = 2**63


def find_field(name: str) -> Field:
    """The field a query calls so: a column, or ``raw.<name>`` for any field of the record itself."""
    if name in FIELDS:
        return FIELDS[name]
    own = name.removeprefix(RAW_PREFIX)
    if own != name and own:
        return Field(own, Kind.TEXT, in_raw=True)
    raise ValueError(f"unknown field {name!r}{nearest(name, FIELDS)}; raw.{name} is the record's own field")


def compare(field: Field, operator: str, text: str) -> Query:
    """What ``field operator text`` asks."""
    if operator.startswith("!"):
        return Not(compare(field, operator[1:].replace("~", "=~") or "=", text))
    if operator == "=~":
        return _match(field, text)
    order: Order = operator  # type: ignore[assignment]  # the parser knows these
    if field.kind is Kind.LEVEL:
        return _compare_level(field, order, text)
    return Compare(field, order, _VALUES[field.kind](text))


def _match(field: Field, pattern: str) -> Match:
    if field.kind in (Kind.NUMBER, Kind.TIME):
        raise ValueError(f"{field.name} is a {field.kind}: compare it by =, !=, <, <=, > or >=")
    try:
        pc.match_substring_regex(pa.scalar(""), pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise ValueError(f"not a regular expression (RE2): {reason}") from None
    return Match(field, pattern)


def _compare_level(field: Field, order: Order, text: str) -> Query:
    level = normalise_level(text)
    if order == "=":
        return Compare(field, "=", level or text)
    if level not in LEVELS:
        raise ValueError(f"not a level: {text!r}; expected one of {', '.join(LEVELS)}")
    place = LEVELS.index(level)
    wanted = {"<": LEVELS[:place], "<=": LEVELS[: place + 1], ">": LEVELS[place + 1 :], ">=": LEVELS[place:]}[order]
    return Or(tuple(Compare(field, "=", each) for each in wanted))


def _parse_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = _INT64
    if not -_INT64 <= number < _INT64:
        raise ValueError(f"not a whole number: {text!r}")
    return number


_VALUES: dict[Kind, Callable[[str], str | int | datetime]] = {
    Kind.TEXT: str,
    Kind.NUMBER: _parse_number,
    Kind.TIME: parse_instant,
}
