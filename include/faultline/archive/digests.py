"""Sums over records that are equal when the records are, whatever their order: one number for each block of offsets.

Two hosts of the same records, a broker and a table, are compared by them in one pass over each, in bounded memory; only
blocks whose sums differ are looked at record by record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from faultline.archive.coordinates import Words, mix
from faultline.archive.ranges import union
from faultline.model import OffsetRange, TopicPartition

BLOCK = 1 << 16
COLUMNS = ("kafka_offset", "kafka_timestamp", "kafka_key", "raw")

_NULL = np.uint64(0x9E3779B97F4A7C15)


@dataclass(slots=True)
class Digests:
    """Sums for each partition and block of 65,536 offsets."""

    _sums: dict[tuple[TopicPartition, int], int] = field(default_factory=dict)

    def add(self, partition: TopicPartition, records: pa.Table) -> None:
        """Add records of one partition that have ``COLUMNS``, in any order."""
        if not len(records):
            return
        offsets = records["kafka_offset"].to_numpy()
        words = _words(records, offsets)
        order = np.argsort(offsets // BLOCK, kind="stable")
        blocks = (offsets // BLOCK)[order]
        starts = np.concatenate(([0], np.flatnonzero(np.diff(blocks)) + 1))
        for block, total in zip(blocks[starts].tolist(), np.add.reduceat(words[order], starts).tolist(), strict=True):
            key = partition, block
            self._sums[key] = (self._sums.get(key, 0) + total) % 2**64

    def differing(self, other: Digests, ranges: Iterable[OffsetRange]) -> tuple[OffsetRange, ...]:
        """The blocks, as far as they are in the ranges, whose sums are not the same in both."""
        found = []
        for span in union(ranges):
            for block in range(span.start // BLOCK, -(-span.end // BLOCK)):
                key = span.partition, block
                if self._sums.get(key, 0) != other._sums.get(key, 0):
                    start, end = max(span.start, block * BLOCK), min(span.end, (block + 1) * BLOCK)
                    found.append(OffsetRange(span.partition, start, end))
        return tuple(found)


def _words(records: pa.Table, offsets: npt.NDArray[np.int64]) -> Words:
    times = records["kafka_timestamp"].cast(pa.int64()).fill_null(-1)
    word = mix(mix(_as_words(offsets)) + _as_words(times.to_numpy()))
    for name in ("kafka_key", "raw"):
        word = mix(word + _hashes(records[name]))
    return word


def _hashes(column: pa.ChunkedArray) -> Words:
    """One word per value; null is a value of its own, not the text that stands for it."""
    values = column.to_numpy()
    hashes = pd.util.hash_array(values, categorize=False)
    return np.where(column.is_null().to_numpy(), _NULL, hashes)


def _as_words(values: npt.NDArray[Any]) -> Words:
    return values.astype(np.int64, copy=False).view(np.uint64)
