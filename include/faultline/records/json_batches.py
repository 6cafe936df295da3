"""JSON records of a batch, the fast way for as many of them as it takes, the slow way for the rest."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from faultline.records.columns import Columns, merge_rows
from faultline.records.fields import FieldPaths
from faultline.records.json_columns import parse_columns
from faultline.records.json_records import parse_records

# A record that spoils the fast way spoils it for at most this many.
_SMALL = 2**11


def parse_json(raw: pa.Array, fields: FieldPaths) -> Columns:
    """A string column per field, and ``parse_error``: why a record could not be read, or null.

    Where the fast way gives up, what is no object on one line at first sight is set apart; if that was not it, the
    batch is halved.
    """
    if (columns := _fast(raw, fields)) is not None:
        return columns
    raw = _without_line_ends(raw)
    plain = _is_plain(raw)
    rows, odd = pa.array(range(len(raw)), pa.int64()), pc.invert(plain)
    return merge_rows(
        [
            (rows.filter(plain), _halve(raw.filter(plain), fields)),
            (rows.filter(odd), _slow(raw.filter(odd), fields)),
        ]
    )


def _halve(raw: pa.Array, fields: FieldPaths) -> Columns:
    if (columns := _fast(raw, fields)) is not None:
        return columns
    if len(raw) <= _SMALL:
        return _slow(raw, fields)
    half = len(raw) // 2
    one, other = _halve(raw.slice(0, half), fields), _halve(raw.slice(half), fields)
    return {name: pa.concat_arrays([one[name], other[name]]) for name in one}


def _fast(raw: pa.Array, fields: FieldPaths) -> Columns | None:
    columns = parse_columns(raw, fields)
    return None if columns is None else columns | {"parse_error": pa.nulls(len(raw), pa.string())}


def _slow(raw: pa.Array, fields: FieldPaths) -> Columns:
    columns, errors = parse_records(raw, fields)
    return columns | {"parse_error": errors}


def _without_line_ends(raw: pa.Array) -> pa.Array:
    """Without the one line end that some shippers leave after an object; more would be white space to JSON as well."""
    for end in ("}\n", "}\r\n"):
        raw = pc.if_else(pc.ends_with(raw, end), pc.binary_slice(raw, 0, 1 - len(end)), raw)
    return raw


def _is_plain(raw: pa.Array) -> pa.Array:
    on_one_line = pc.and_(pc.starts_with(raw, "{"), pc.invert(pc.match_substring(raw, "\n")))
    return on_one_line.fill_null(False)
