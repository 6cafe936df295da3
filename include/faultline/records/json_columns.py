"""The fast way through JSON records: Arrow parses a whole batch into typed columns.

It gives up, by ``None``, on anything it would not read exactly as ``json_records`` does; records of one program are
alike, so that is rare. Which type a field has is guessed from a few records; Arrow checks the guess on all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from faultline.records.fields import FieldPaths, Path

_SAMPLES = 8
# orjson and the standard library refuse deep nesting, Arrow does not: a record that could be deep goes the slow way.
_DEPTH = 400
_BLOCK = 2**21


class _GiveUp(Exception):
    """The batch is not uniform enough."""


@dataclass(slots=True)
class _Node:
    """A key of the records: whether its own value is wanted, and what is wanted below it."""

    leaf: bool = False
    joined: bool = False
    dumped: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def parse_columns(raw: pa.Array, fields: FieldPaths, *, samples: int = _SAMPLES) -> dict[str, pa.Array] | None:
    """A string column per field, or None when the records must be read one by one.

    Each key looked for costs time, whether or not it is there. So first a field that all samples have is looked for
    only where they have it, and what no sample has is taken to be nowhere; then to be text, which is usual.
    """
    if not len(raw) or raw.null_count or not pc.all(pc.starts_with(raw, "{")).as_py():
        return None
    try:
        sampled, text = _sample(raw, samples), _lines(raw)
        longest = pc.max(pc.binary_length(raw)).as_py()
    except (_GiveUp, pa.ArrowInvalid, orjson.JSONDecodeError):
        return None
    for tried, unseen in ((_shorten(fields, sampled), pa.null()), (fields, pa.null()), (fields, pa.string())):
        try:
            columns = _read(text, len(raw), longest, _schema(_tree(tried), sampled, unseen))
            return {
                name: _choose(columns, len(raw), paths, whole=paths == fields.paths[name])
                for name, paths in tried.paths.items()
            }
        except (_GiveUp, pa.ArrowInvalid):
            continue
    return None


def _shorten(fields: FieldPaths, sampled: Sequence[dict[str, Any]]) -> FieldPaths:
    """The fields without the paths after one at which every sample has a text."""
    paths = {name: _until_sure(paths, sampled) for name, paths in fields.paths.items()}
    return replace(fields, paths=paths)


def _until_sure(paths: tuple[Path, ...], sampled: Sequence[dict[str, Any]]) -> tuple[Path, ...]:
    for length, path in enumerate(paths, 1):
        if all(_is_text(_value(record, path)) for record in sampled):
            return paths[:length]
    return paths


def _value(record: Any, path: Path) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _is_text(value: Any) -> bool:
    return value not in ("", None) and isinstance(value, str | int | float)


def _lines(raw: pa.Array) -> pa.Buffer:
    """One record a line. Each begins an object, so as many rows as lines will mean one row per line."""
    lists = pa.LargeListArray.from_arrays(pa.array([0, len(raw)], pa.int64()), raw)
    joined = pc.binary_join(lists, pa.scalar(b"\n", pa.large_binary()))
    text = joined.buffers()[2]
    if np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")) != len(raw) - 1 or _may_be_deep(raw):
        raise _GiveUp
    joined.cast(pa.large_string())  # Arrow's JSON reader does not check that its input is UTF-8
    return text


def _read(text: pa.Buffer, rows: int, longest: int, schema: pa.Schema) -> dict[str, pa.Array]:
    table = pyarrow.json.read_json(
        pa.BufferReader(text),
        read_options=pyarrow.json.ReadOptions(block_size=max(_BLOCK, 2 * longest), use_threads=False),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )
    if len(table) != rows:
        raise _GiveUp
    return {name: table[name].combine_chunks() for name in table.column_names}


def _may_be_deep(raw: pa.Array) -> bool:
    long = raw.filter(pc.greater(pc.binary_length(raw), 2 * _DEPTH))
    openings = pc.add(pc.count_substring(long, "{"), pc.count_substring(long, "["))
    return len(long) > 0 and pc.max(openings).as_py() > _DEPTH


def _sample(raw: pa.Array, number: int) -> list[dict[str, Any]]:
    """Some records from all over the batch, and the longest ones: what few records have makes them long."""
    spread = np.linspace(0, len(raw) - 1, number, dtype=np.int64)
    longest = np.argsort(pc.binary_length(raw).to_numpy(), kind="stable")[-number:]
    rows = np.unique(np.concatenate((spread, longest)))
    return [orjson.loads(record) for record in raw.take(pa.array(rows)).to_pylist()]


def _schema(root: _Node, samples: Sequence[dict[str, Any]], unseen: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(key, _type(node, _below(samples, key), unseen)) for key, node in root.children.items()])


def _tree(fields: FieldPaths) -> _Node:
    root = _Node()
    for name, paths in fields.paths.items():
        for path in paths:
            node = root
            for key in path:
                node = node.children.setdefault(key, _Node())
            node.leaf = True
            node.joined |= name in fields.joined
            node.dumped |= name in fields.dumped
    return root


def _below(values: Iterable[Any], key: str) -> list[Any]:
    return [value[key] for value in values if value.get(key) is not None]


def _type(node: _Node, values: Sequence[Any], unseen: pa.DataType) -> pa.DataType:
    kinds = {type(value) for value in values}
    if node.dumped and kinds & {dict, list}:
        raise _GiveUp
    if not kinds and (node.leaf or pa.types.is_null(unseen)):
        return unseen
    if kinds <= {dict}:
        below = [(key, _type(child, _below(values, key), unseen)) for key, child in node.children.items()]
        return pa.struct(below)
    if kinds == {list} and node.joined and all(isinstance(line, str) for lines in values for line in lines):
        return pa.list_(pa.string())
    if kinds == {int, float}:
        return pa.float64()
    if len(kinds) > 1 or kinds == {list}:
        raise _GiveUp
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(kinds.pop(), pa.string())


def _choose(columns: Mapping[str, pa.Array], rows: int, paths: Sequence[Path], *, whole: bool) -> pa.Array:
    """The first text of each row. Unless all paths were looked at, a row without one may have it elsewhere."""
    found = [text for path in paths if (text := _text(_at(columns, path))) is not None]
    chosen = pc.coalesce(*found) if found else pa.nulls(rows, pa.string())
    if chosen.null_count and not whole:
        raise _GiveUp
    return chosen


def _at(columns: Mapping[str, pa.Array], path: Path) -> pa.Array | None:
    array = columns[path[0]]
    for key in path[1:]:
        if not pa.types.is_struct(array.type):
            return None
        array = pc.struct_field(array, key)
    return array


def _text(array: pa.Array | None) -> pa.Array | None:
    """As a string column with empty as null; None when no row has a text."""
    if array is None or array.null_count == len(array) or pa.types.is_struct(array.type):
        return None
    if pa.types.is_floating(array.type):
        _check_floats(array)
    text = _join(array) if pa.types.is_list(array.type) else array.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _join(lines: pa.Array) -> pa.Array:
    if lines.flatten().null_count or not pc.all(pc.ends_with(lines.flatten(), "\n")).as_py():
        raise _GiveUp
    return pc.binary_join(lines, "")


def _check_floats(array: pa.Array) -> None:
    """An integer among floats arrives as a float; give up where its text would not be that of the integer."""
    values = array.to_numpy(zero_copy_only=False)
    whole = (values == np.rint(values)) & ((np.abs(values) >= 1e10) | (values == 0) & np.signbit(values))
    if whole.any():
        raise _GiveUp
