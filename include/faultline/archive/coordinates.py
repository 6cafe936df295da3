"""A sum over the coordinates of rows that does not depend on their order: equal sums, the same rows.

A coordinate is (topic id, partition, offset). Each is hashed with the finaliser of SplitMix64 (Steele, Lea, Flood:
Fast splittable pseudorandom number generators, 2014), and the hashes are added modulo 2^64: a row that is lost, doubled
or exchanged for another changes the sum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("kafka_topic_id", "kafka_partition", "kafka_offset")

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class CoordinateSum:
    """Number of rows and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: CoordinateSum) -> CoordinateSum:
        return CoordinateSum(self.rows + other.rows, (self.total + other.total) % 2**64)


def coordinate_sum(rows: pa.Table) -> CoordinateSum:
    """Of rows that have at least COLUMNS."""
    ids = pc.dictionary_encode(rows[COLUMNS[0]].combine_chunks())
    seeds = np.array([_seed(name) for name in ids.dictionary.to_pylist()], np.uint64)
    partitions = rows[COLUMNS[1]].to_numpy().astype(np.uint64)
    offsets = rows[COLUMNS[2]].to_numpy().astype(np.uint64)
    hashes = mix(mix(_seeds_of(ids, seeds) + partitions) + offsets)
    return CoordinateSum(len(rows), int(hashes.sum(dtype=np.uint64)))


def _seeds_of(ids: Any, seeds: Words) -> Words:
    found: Words = seeds[ids.indices.to_numpy()]
    return found


def _seed(topic_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(topic_id.encode(), digest_size=8).digest())


def mix(words: Words) -> Words:
    """Words of which every bit depends on every bit of those given; shape is kept."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
