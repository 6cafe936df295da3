"""What a proof comes to: the proof, or every fault with the exact offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from faultline.archive.table import Loss
from faultline.model import OffsetRange, TopicPartition

EXPLANATION = "no record when it was read: a transaction's marker, aborted, or compacted away"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    ``kind`` is hole, duplicate (both of commits), position, missing row, duplicate row, stray row, file (gone, cut
    short or not what the log says), differs (from what Kafka holds), lost (deleted by Kafka before it was archived) or
    beyond (Kafka's log ends before the archive does). ``range`` is None for a fault of a file.
    """

    kind: str
    range: OffsetRange | None
    message: str


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """One partition of one generation: archived ``[first, next)``, and what Kafka holds, if it was asked.

    ``gaps`` are the archived offsets that had no record in Kafka, ``expired`` is how many rows retention has deleted.
    """

    partition: TopicPartition
    first: int
    next: int
    rows: int
    gaps: tuple[OffsetRange, ...]
    expired: int = 0
    low: int | None = None
    high: int | None = None

    @property
    def explained(self) -> int:
        """How many archived offsets have no record in Kafka."""
        return sum(map(len, self.gaps))

    @property
    def lag(self) -> int | None:
        """Offsets that Kafka holds and the table does not have yet; None when Kafka was not asked."""
        return None if self.high is None else max(0, self.high - self.next)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; gaps as ``[start, end]``."""
        gaps = [[gap.start, gap.end] for gap in self.gaps]
        return asdict(self) | {"gaps": gaps, "explained": self.explained, "lag": self.lag}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The proof, or why there is none."""

    topic: str
    version: int
    commits: int
    partitions: tuple[PartitionReport, ...]
    losses: tuple[Loss, ...]  # written down as gone for good: no fault of the table
    faults: tuple[Finding, ...]
    files: int = 0
    files_read: int = 0  # the log alone proves the others

    @property
    def rows(self) -> int:
        """Rows of all partitions."""
        return sum(each.rows for each in self.partitions)

    @property
    def ok(self) -> bool:
        """Whether every archived offset is there once and none is missing."""
        return not self.faults

    def with_faults(self, faults: Sequence[Finding], *, files: int, files_read: int) -> VerifyReport:
        """The report with what the files came to."""
        return replace(self, faults=(*self.faults, *faults), files=files, files_read=files_read)

    def to_summary(self) -> dict[str, Any]:
        """As ``to_dict`` without each range that is explained: a topic with transactions has many."""
        report = self.to_dict()
        for partition in report["partitions"]:
            del partition["gaps"]
        return report

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "topic": self.topic,
            "ok": self.ok,
            "version": self.version,
            "commits": self.commits,
            "rows": self.rows,
            "files": self.files,
            "files_read": self.files_read,
            "explanation_of_gaps": EXPLANATION,
            "partitions": [each.to_dict() for each in self.partitions],
            "losses": [asdict(loss) | {"at": loss.at.isoformat()} for loss in self.losses],
            "faults": [asdict(fault) for fault in self.faults],
        }
