"""What the archive needs of a table: snapshots, positions, staged files, and commits that say what they cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa

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


@dataclass(frozen=True, slots=True)
class CommittedRange:
    """What one commit says of one partition: the offsets it covers, and which of them have no row.

    ``explained`` had no record when they were read: markers of transactions, aborted, compacted away.
    """

    version: int
    range: OffsetRange
    rows: int
    explained: tuple[OffsetRange, ...]
    lost: tuple[Loss, ...] = ()


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

    def stage(self, events: pa.Table) -> Sequence[StagedFile]:
        """Write rows as files that no reader sees before ``commit``."""

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

    def scan(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The result of a query, batch by batch; the table is called ``logs``."""


def by_hour(events: pa.Table) -> Iterator[tuple[str, str, pa.Table]]:
    """Rows of each hour of event time, UTC, in their order: (dt, hr, rows)."""
    hours = events["timestamp"].cast(pa.int64()).to_numpy() // _HOUR
    distinct = np.unique(hours).tolist()
    for hour in distinct:
        start = _EPOCH + timedelta(hours=hour)
        rows = events if len(distinct) == 1 else events.filter(pa.array(hours == hour))
        yield f"{start:%Y-%m-%d}", f"{start:%H}", rows
