"""Write files of an hour anew, sorted, and prove before the commit that not a row was lost or doubled.

A merge that is killed leaves files that no commit names, for vacuum to take. One that lost a race, against another
merge or retention, changes nothing; one that was merely overtaken by appends commits its work to a newer snapshot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from faultline.archive.attempts import on_newest
from faultline.archive.compact import Merge
from faultline.archive.coordinates import CoordinateSum, coordinate_sum
from faultline.archive.sorting import sorted_rows
from faultline.archive.table import StagedFile, UpkeepTable
from faultline.errors import PermanentError

log = logging.getLogger(__name__)

# What ``checkpoint`` is told, in this order. A process may die at any of them.
MERGE_STEPS = ("merge_planned", "merged_rows_read", "merged_staged", "before_merge_commit", "after_merge_commit")

_ROW_GROUP = 2**16
_ROW_GROUP_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that was committed."""

    merge: Merge
    outputs: int
    size: int  # bytes afterwards
    version: int


class RowsDiffer(PermanentError):
    """The rows of an hour would not be the same after a merge; nothing was changed."""


def merge_files(
    table: UpkeepTable, merge: Merge, *, memory: int, checkpoint: Callable[[str], None] = lambda step: None
) -> Merged | None:
    """Carry out one merge in about ``memory`` bytes; None when its files had left the table meanwhile.

    RowsDiffer when the written files do not have exactly the rows of those they are to replace.
    """
    checkpoint("merge_planned")
    before, after = CoordinateSum(), CoordinateSum()

    def read() -> Iterator[pa.Table]:
        nonlocal before
        for rows in table.read(merge.files):
            before += coordinate_sum(rows)
            yield rows
        checkpoint("merged_rows_read")

    numbered = _row_groups(sorted_rows(read(), memory=memory), merge.rows_per_output)
    files = [
        table.stage_sorted(merge.hour, (rows for _, rows in groups))
        for _, groups in groupby(numbered, key=lambda pair: pair[0])
    ]
    checkpoint("merged_staged")
    for rows in table.coordinates([file.path for file in files]):
        after += coordinate_sum(rows)
    _require_same(table, merge, before, after)
    return _commit(table, merge, files, after, checkpoint)


def _row_groups(portions: Iterable[pa.Table], rows_per_file: int) -> Iterator[tuple[int, pa.Table]]:
    """(number of the file, rows of one row group)."""
    file, room = 0, rows_per_file
    held: list[pa.Table] = []
    for portion in portions:
        while len(portion):
            count = sum(map(len, held))
            piece = portion.slice(0, min(_ROW_GROUP - count, room - count))
            portion = portion.slice(len(piece))
            held.append(piece)
            count += len(piece)
            if count in (room, _ROW_GROUP) or sum(each.nbytes for each in held) >= _ROW_GROUP_BYTES:
                yield file, pa.concat_tables(held)
                held, room = [], room - count
            if room == 0:
                file, room = file + 1, rows_per_file
    if held:
        yield file, pa.concat_tables(held)


def _require_same(table: UpkeepTable, merge: Merge, before: CoordinateSum, after: CoordinateSum) -> None:
    where = f"{table.topic}, hour {merge.hour}"
    if before.rows != merge.rows:
        raise RowsDiffer(f"{where}: its {len(merge.files)} files have {before.rows} rows, the log says {merge.rows}")
    if before != after:
        raise RowsDiffer(
            f"{where}: {after.rows} rows were written of {before.rows}, and their coordinates are not the same"
        )


def _commit(
    table: UpkeepTable,
    merge: Merge,
    files: list[StagedFile],
    proof: CoordinateSum,
    checkpoint: Callable[[str], None],
) -> Merged | None:
    where = f"{table.topic}, hour {merge.hour}"

    def replace() -> Merged | None:
        checkpoint("before_merge_commit")
        if not set(merge.files) <= set(table.data_files()):
            log.warning("%s: files left the table while they were merged", where)
            return None
        version = table.replace(merge, files, proof)
        checkpoint("after_merge_commit")
        return Merged(merge, len(files), sum(file.size for file in files), version)

    return on_newest(table, where, replace)
