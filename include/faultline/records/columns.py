"""String columns of a batch by name, and how pieces of a batch that were read differently become one again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

Columns = dict[str, pa.Array]


def merge_rows(pieces: Sequence[tuple[pa.Array, Columns]]) -> Columns:
    """One batch in the order of its rows, from the numbers of the rows in each piece and these rows' string columns.

    A column that a piece does not have is null there.
    """
    numbers = np.concatenate([rows.to_numpy() for rows, _ in pieces])
    order = pa.array(np.argsort(numbers, kind="stable"))
    names = dict.fromkeys(name for _, columns in pieces for name in columns)
    return {
        name: pa.concat_arrays([columns.get(name, pa.nulls(len(rows), pa.string())) for rows, columns in pieces]).take(
            order
        )
        for name in names
    }
