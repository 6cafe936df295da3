"""Which rows match a query: one truth value a row, by Arrow over whole batches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.search.query import (
    TEXT_COLUMNS,
    And,
    Compare,
    Field,
    Match,
    Not,
    Or,
    Query,
    Word,
    conjuncts,
    leaves,
)
from faultline.records.decode import read_fields
from faultline.topicfile import TopicConfig

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COMPARE = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}

# Columns, and for the record's own fields "raw.<name>", by name; all as long as the batch.
Columns = Mapping[str, pa.Array]


def keep(query: Query, rows: pa.Table, topic: TopicConfig) -> pa.Table:
    """The rows of a topic that match.

    ``rows`` has the columns the query needs and, where it asks for the record's own fields, those of RAW_SCHEMA.
    """
    for part in sorted(conjuncts(query), key=_costs):
        if not len(rows):
            break
        rows = rows.filter(_truth(part, _columns(part, rows, topic), len(rows)))
    return rows


def own_fields(query: Query) -> list[str]:
    """Names of the record's own fields that the query asks for."""
    return sorted({leaf.field.name for leaf in leaves(query) if not isinstance(leaf, Word) and leaf.field.in_raw})


def _costs(query: Query) -> int:
    """Fields of the record cost more than words, those more than columns."""
    costs = [1 if isinstance(leaf, Word) else 2 * leaf.field.in_raw for leaf in leaves(query)]
    return max(costs, default=0)


def _columns(query: Query, rows: pa.Table, topic: TopicConfig) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for leaf in leaves(query):
        for name in TEXT_COLUMNS if isinstance(leaf, Word) else (leaf.field.name,):
            if name in rows.column_names and name not in columns:
                columns[name] = as_text(rows[name].combine_chunks())
    if names := own_fields(query):
        columns |= {_own(name): column for name, column in read_fields(rows, topic, names).items()}
    return columns


def _own(name: str) -> str:
    return f"raw.{name}"


def as_text(array: pa.Array) -> pa.Array:
    """Bytes as text, with U+FFFD for what is not UTF-8; any other column as it is."""
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        return array
    try:
        return array.cast(pa.large_string())
    except pa.ArrowInvalid:
        texts = [None if value is None else value.decode("utf-8", "replace") for value in array.to_pylist()]
        return pa.array(texts, pa.large_string())


def _truth(query: Query, columns: Columns, rows: int) -> pa.Array:
    if isinstance(query, Not):
        return pc.invert(_truth(query.operand, columns, rows))
    if isinstance(query, And | Or):
        unit = pa.repeat(pa.scalar(isinstance(query, And)), rows)
        join = pc.and_ if isinstance(query, And) else pc.or_
        return reduce(join, [_truth(operand, columns, rows) for operand in query.operands], unit)
    return _answer(query, columns).fill_null(False)


def _answer(query: Compare | Match | Word, columns: Columns) -> pa.Array:
    if isinstance(query, Word):
        found = [_has(query.text, columns[name], name) for name in TEXT_COLUMNS]
        return reduce(pc.or_, [each.fill_null(False) for each in found])
    column = columns[_own(query.field.name) if query.field.in_raw else query.field.name]
    if isinstance(query, Match):
        return pc.match_substring_regex(column, query.pattern)
    if query.field.in_raw and query.order != "=" and re.fullmatch(_NUMBER, str(query.value)):
        return _COMPARE[query.order](_numbers(column), float(str(query.value)))
    return _COMPARE[query.order](column, _scalar(query.value, column.type))


def _scalar(value: object, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(value, pa.int64() if pa.types.is_integer(kind) else kind)


def _numbers(texts: pa.Array) -> pa.Array:
    numeric = pc.match_substring_regex(texts, _NUMBER)
    return pc.if_else(numeric, texts, pa.scalar(None, texts.type)).cast(pa.float64())


def _has(text: str, column: pa.Array, name: str) -> pa.Array:
    forms = _forms(text) if name == "raw" else [text]
    pattern = "|".join(map(re.escape, forms))
    return pc.match_substring_regex(column, pattern, ignore_case=True)


def _forms(text: str) -> list[str]:
    """How JSON may write a text: as it is, with its quotes escaped, with all but ASCII escaped."""
    escaped = [json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)]
    return list(dict.fromkeys([text, *escaped]))


def patterns(query: Query) -> list[str]:
    """What to highlight in a text: Python's regular expressions of words, and of patterns of texts, not negated."""
    if isinstance(query, And | Or):
        return [pattern for operand in query.operands for pattern in patterns(operand)]
    if isinstance(query, Word):
        return [f"(?i:{re.escape(query.text)})"]
    return [query.pattern] if isinstance(query, Match) and _is_text(query.field) else []


def _is_text(field: Field) -> bool:
    return not field.in_raw and field.name in TEXT_COLUMNS
