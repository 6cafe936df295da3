"""Apply a Python function once per distinct value of a column."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa


def map_distinct(column: pa.Array, function: Callable[[str], object], to: pa.DataType) -> pa.Array:
    """``function`` of every value; null stays null. Calls it once per distinct value, so it may be slow."""
    encoded = column.dictionary_encode()
    values = pa.array([function(value) for value in encoded.dictionary.to_pylist()], to)
    return values.take(encoded.indices)
