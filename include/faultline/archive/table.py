"""What the archive needs of a table: snapshots, positions, staged files, and commits that say what they cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

from faultline.archive.compact import DataFile, Merge
from faultline.archive.coordinates import CoordinateSum
from faultline.archive.hours import Hour
from faultline.model import OffsetRange, TopicPartition

_HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A whole file on storage that no reader sees yet; ``statistics`` are JSON as the table's log has them."""

    path: str
    dt: str
    hr: str
    size: int
    rows: int
    statistics: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Offsets that are gone for good, why, and when that was written down."""

    range: OffsetRange
    reason: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.range} ({len(self.range):,} offsets): {self.reason}; noted {self.at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class CommittedRange:
    """What one commit says of one partition: the offsets it covers, and which of them have no row.

    ``explained`` had no record when they were read: markers of transactions, aborted, compacted away. ``files`` are
    those of the whole commit.
    """

    version: int
    range: OffsetRange
    rows: int
    explained: tuple[OffsetRange, ...]
    lost: tuple[Loss, ...] = ()
    files: tuple[str, ...] = ()
    at: datetime = _EPOCH


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of the table, as the log has it or as its own footer says.

    ``lowest`` and ``highest`` are topic id, partition and offset, each by itself; None where nobody knows.
    """

    path: str
    size: int
    rows: int
    lowest: tuple[str, int, int] | None
    highest: tuple[str, int, int] | None


class TableFile(Protocol):
    """An open file of a table."""

    @property
    def facts(self) -> FileFacts:
        """What its footer says."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows, portion by portion."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a table's log says of offsets: ``commits``, oldest first, and ``expired``, those that retention deleted.

    Commits older than the log reaches back are folded: neighbours have become one.
    """

    commits: tuple[CommittedRange, ...] = ()
    expired: tuple[OffsetRange, ...] = ()


class FileStaging(Protocol):
    """Files being written. ``len`` says how many; leaving the block lets go of those that were not finished."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def __len__(self) -> int: ...

    def add(self, events: pa.Table) -> None:
        """Write rows."""

    def finish(self) -> Sequence[StagedFile]:
        """The files, whole and on storage."""


class ArchiveTable(Protocol):
    """One topic's table; ``faultline.adapters.delta.TopicTable`` is it."""

    @property
    def topic(self) -> str:
        """The topic's name."""

    @property
    def version(self) -> int:
        """The snapshot's number."""

    def refresh(self) -> None:
        """Take the newest snapshot."""

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int | None]:
        """The next offset to archive of each partition, in this snapshot; None when none was ever archived."""

    def staging(self) -> FileStaging:
        """A way to write rows as files that no reader sees before ``commit``."""

    def commit(
        self,
        files: Sequence[StagedFile],
        covered: Sequence[OffsetRange],
        explained: Sequence[OffsetRange] = (),
        lost: Sequence[Loss] = (),
    ) -> int:
        """Make files and positions visible at once; the new version, or Superseded with nothing changed."""

    def commits(self) -> Sequence[CommittedRange]:
        """What every append up to this snapshot says of itself, oldest first."""

    def ledger(self) -> Ledger:
        """``commits``, and the offsets whose rows were deleted on purpose."""

    def files(self) -> Sequence[FileFacts]:
        """The files of this snapshot, as the log has them."""

    def stored(self) -> Mapping[str, int]:
        """The size in bytes of every data file that is on storage now, in the snapshot or not."""

    def parquet(self, path: str) -> TableFile:
        """One of the files, by rows; PermanentError when it is gone or no Parquet file."""

    def scan(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result of a query, batch by batch; the table is called ``logs``."""


class UpkeepTable(ArchiveTable, Protocol):
    """A table whose files can be exchanged; ``faultline.adapters.delta_upkeep.TopicUpkeep`` is it."""

    def data_files(self) -> Sequence[DataFile]:
        """The files of this snapshot."""

    def read(self, files: Sequence[DataFile]) -> Iterator[pa.Table]:
        """Their rows, EVENT_SCHEMA, in portions."""

    def coordinates(self, paths: Sequence[str]) -> Iterator[pa.Table]:
        """kafka_topic_id, kafka_partition and kafka_offset of every row of the files, from storage."""

    def stage_sorted(self, hour: Hour, row_groups: Iterable[pa.Table]) -> StagedFile:
        """Write a merged file of an hour that no reader sees yet."""

    def replace(self, merge: Merge, outputs: Sequence[StagedFile], proof: CoordinateSum) -> int:
        """Exchange the files of a merge for its outputs; Superseded, with nothing changed, when a commit came between.

        Whoever is told so takes a new snapshot and looks whether the files are still there.
        """

    def expire(self, hours: Sequence[Hour], files: Sequence[DataFile], offsets: Sequence[OffsetRange]) -> int:
        """Take the files of hours out of the table, and write down whose rows they were; Superseded as ``replace``."""

    def sum_up(self, ledger: Ledger) -> int:
        """Write down the ledger of this snapshot, so that older commits may be forgotten; Superseded as ``replace``."""

    def shorten_log(self) -> None:
        """Write a checkpoint and delete the log's files older than ``delta.logRetentionDuration``."""

    def vacuum(self, grace: timedelta, *, dry_run: bool = False) -> Sequence[str]:
        """Delete files that left the table longer ago than ``grace``, or are as old and never were in it: their paths.

        In a dry run nothing is deleted.
        """


def by_hour(events: pa.Table) -> Iterator[tuple[str, str, pa.Table]]:
    """Rows of each hour of event time, UTC, in their order: (dt, hr, rows)."""
    hours = events["timestamp"].cast(pa.int64()).to_numpy() // _HOUR
    distinct = np.unique(hours).tolist()
    for hour in distinct:
        start = _EPOCH + timedelta(hours=hour)
        rows = events if len(distinct) == 1 else events.filter(pa.array(hours == hour))
        yield f"{start:%Y-%m-%d}", f"{start:%H}", rows
