"""Which files of closed hours to merge, and which hours have had their time. Pure; metadata only.

A merged file is sorted by (service, timestamp) and known by its name. Merging an hour again gives nothing to do: a
merge happens for a file that no merge has written, or where it leaves fewer files than there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from faultline.archive.hours import Hour

MERGED = "merged-"
# One merge takes at most so many times the target size: it bounds the space for sorting, and what a kill throws away.
_LARGEST_MERGE = 8


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the table, as its log has it; ``size`` in bytes."""

    path: str
    hour: Hour
    size: int
    rows: int

    @property
    def is_merged(self) -> bool:
        """Whether a merge wrote it, so that it is sorted."""
        return self.path.rpartition("/")[2].startswith(MERGED)


@dataclass(frozen=True, slots=True)
class Merge:
    """Files of one hour to write anew as ``outputs`` files, sorted across all of them."""

    hour: Hour
    files: tuple[DataFile, ...]
    outputs: int

    @property
    def rows(self) -> int:
        """Rows in all of it."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """Bytes before the merge."""
        return sum(file.size for file in self.files)

    @property
    def rows_per_output(self) -> int:
        """At most."""
        return -(-self.rows // self.outputs)


def closed_before(now: datetime, lateness: timedelta) -> datetime:
    """Hours that end up to here are closed: what was logged in them has had ``lateness`` to arrive."""
    return now - lateness


def plan_merges(
    files: Iterable[DataFile], *, target: int, until: datetime, since: datetime | None = None
) -> tuple[Merge, ...]:
    """The merges of hours that start at ``since`` or later and end at ``until`` or before, oldest first.

    ``target`` is the size of a merged file in bytes; results lie between two thirds of it and one and a half, or hold
    all there is of the hour.
    """
    merges: list[Merge] = []
    chosen = [file for file in files if file.hour.end <= until and (since is None or file.hour.start >= since)]
    for hour, mine in groupby(sorted(chosen, key=lambda file: (file.hour, file.path)), key=lambda file: file.hour):
        todo = [file for file in mine if not file.is_merged or file.size < target // 2]
        merges += (merge for merge in _merges(hour, todo, target) if _gains(merge))
    return tuple(merges)


def _merges(hour: Hour, files: Sequence[DataFile], target: int) -> Iterator[Merge]:
    portion: list[DataFile] = []
    for file in files:
        if portion and sum(each.size for each in portion) + file.size > _LARGEST_MERGE * target:
            yield _merge(hour, portion, target)
            portion = []
        portion.append(file)
    if portion:
        yield _merge(hour, portion, target)


def _merge(hour: Hour, files: Sequence[DataFile], target: int) -> Merge:
    size = sum(file.size for file in files)
    return Merge(hour, tuple(files), max(1, round(size / target)))


def _gains(merge: Merge) -> bool:
    return merge.outputs < len(merge.files) or any(not file.is_merged for file in merge.files)


def small_files(files: Iterable[DataFile], *, target: int) -> int:
    """How many files are less than half of the target size."""
    return sum(file.size < target // 2 for file in files)


def plan_expiry(files: Iterable[DataFile], *, retention: timedelta | None, now: datetime) -> tuple[Hour, ...]:
    """The hours of which every moment is longer ago than ``retention``, oldest first; none without a retention."""
    if retention is None:
        return ()
    return tuple(sorted({file.hour for file in files if file.hour.end + retention <= now}))
