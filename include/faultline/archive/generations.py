"""The generations of a topic in its table: which one came last, and what of it was never archived. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultline.archive.table import CommittedRange
from faultline.model import OffsetRange, TopicPartition


def last_generation(commits: Sequence[CommittedRange]) -> dict[TopicPartition, int]:
    """The ends of the partitions of the generation that the newest commit is of; empty when nothing is archived."""
    if not commits:
        return {}
    last = commits[-1].range.partition.topic_id
    ends: dict[TopicPartition, int] = {}
    for span in (commit.range for commit in commits if commit.range.partition.topic_id == last):
        ends[span.partition] = max(span.end, ends.get(span.partition, 0))
    return dict(sorted(ends.items()))


def tails(archived: Mapping[TopicPartition, int], read: Mapping[TopicPartition, int]) -> tuple[OffsetRange, ...]:
    """What someone else has read of these partitions behind the archive's end."""
    return tuple(
        OffsetRange(part, end, read[part]) for part, end in sorted(archived.items()) if read.get(part, end) > end
    )
