"""What a search asks: comparisons and words, joined by and, or and not.

Every question is answered by yes or no: a comparison with a field that a record lacks is no, and its negation yes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

import pyarrow as pa

from faultline.model import Interval
from faultline.records.schema import EVENT_SCHEMA

Order = Literal["=", "<", "<=", ">", ">="]


class Kind(StrEnum):
    """How a field's values compare."""

    TEXT = "text"
    LEVEL = "level"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the archive, or, ``in_raw``, a field of the record itself by its own name."""

    name: str
    kind: Kind
    in_raw: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """The field stands so to the value: of the field's kind, text where that is text or a level."""

    field: Field
    order: Order
    value: str | int | datetime


@dataclass(frozen=True, slots=True)
class Match:
    """The field's text has a part that the regular expression (RE2) describes."""

    field: Field
    pattern: str


@dataclass(frozen=True, slots=True)
class Word:
    """The message, the stack trace or the raw record has this text, in whatever case."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    operand: Query


@dataclass(frozen=True, slots=True)
class And:
    """All of them; nothing to ask is always true."""

    operands: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    operands: tuple[Query, ...]


Query = Compare | Match | Word | Not | And | Or

EVERYTHING = And(())
TEXT_COLUMNS = ("message", "stack_trace", "raw")  # where a word may be


def _kind(column: pa.Field) -> Kind:
    if column.name == "level":
        return Kind.LEVEL
    if pa.types.is_timestamp(column.type):
        return Kind.TIME
    return Kind.NUMBER if pa.types.is_integer(column.type) else Kind.TEXT


FIELDS = {column.name: Field(column.name, _kind(column)) for column in EVENT_SCHEMA}


def within(interval: Interval) -> And:
    """The record's event time is in the interval."""
    time = FIELDS["timestamp"]
    return And((Compare(time, ">=", interval.start), Compare(time, "<", interval.end)))


def conjuncts(query: Query) -> Iterator[Query]:
    """The parts that must all be true, none of them an And."""
    if isinstance(query, And):
        for operand in query.operands:
            yield from conjuncts(operand)
    else:
        yield query


def leaves(query: Query) -> Iterator[Compare | Match | Word]:
    """Every comparison and word of the query."""
    if isinstance(query, Not):
        yield from leaves(query.operand)
    elif isinstance(query, And | Or):
        for operand in query.operands:
            yield from leaves(operand)
    else:
        yield query


def columns(query: Query) -> set[str]:
    """The columns one has to read to answer."""
    found: set[str] = set()
    for leaf in leaves(query):
        if isinstance(leaf, Word):
            found.update(TEXT_COLUMNS)
        else:
            found.add("raw" if leaf.field.in_raw else leaf.field.name)
    return found
