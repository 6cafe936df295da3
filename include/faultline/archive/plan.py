"""Which offsets a run appends: per partition, everything from the stored position up to the run's end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultline.archive.ranges import group_ranges
from faultline.errors import LostRange, PermanentError
from faultline.model import OffsetRange, TopicPartition


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """What to append to a topic's table, in groups of partitions, one mapped task each.

    ``version`` is the table's that has the positions it starts at.
    """

    topic: str
    groups: Mapping[int, tuple[OffsetRange, ...]]  # by number, those with something to do
    idle: tuple[TopicPartition, ...]  # nothing new
    version: int = 0

    @property
    def ranges(self) -> tuple[OffsetRange, ...]:
        """All ranges of all groups."""
        return tuple(span for group in self.groups.values() for span in group)

    @property
    def rows(self) -> int:
        """How many offsets there are to append; at most so many rows."""
        return sum(map(len, self.ranges))


def plan_archive(
    topic: str,
    positions: Mapping[TopicPartition, int | None],
    watermarks: Mapping[TopicPartition, OffsetRange],
    until: Mapping[TopicPartition, int],
    *,
    group_size: int,
    record_losses: bool = False,
    version: int = 0,
) -> ArchivePlan:
    """From each stored position up to ``until``, as far as the broker holds it.

    A partition that was never archived starts at the low mark; so does every partition of a topic created again, for
    its id is another. LostRange names every range that Kafka has deleted before it was archived; with
    ``record_losses`` such a range is part of the plan, for the append to write down.
    """
    lost = [
        OffsetRange(part, position, watermarks[part].start)
        for part, position in sorted(positions.items())
        if position is not None and position < watermarks[part].start
    ]
    if lost and not record_losses:
        raise LostRange(lost)
    ranges = [_plan(position, watermarks[part], until[part]) for part, position in sorted(positions.items())]
    idle = tuple(span.partition for span in ranges if not len(span))
    return ArchivePlan(topic, group_ranges([span for span in ranges if len(span)], group_size), idle, version)


def close_to_loss(
    positions: Mapping[TopicPartition, int | None], watermarks: Mapping[TopicPartition, OffsetRange]
) -> tuple[OffsetRange, ...]:
    """What is not archived of partitions that Kafka has begun to delete, where the start is nearer than the end."""
    close = []
    for part, position in sorted(positions.items()):
        held = watermarks[part]
        if position is not None and 0 < held.start <= position < (held.start + held.end) / 2:
            close.append(OffsetRange(part, position, held.end))
    return tuple(close)


def ranges_to_dicts(ranges: Iterable[OffsetRange]) -> list[dict[str, Any]]:
    """Ranges as JSON has them."""
    return [
        {
            "topic": span.partition.topic,
            "topic_id": span.partition.topic_id,
            "partition": span.partition.partition,
            "start": span.start,
            "end": span.end,
        }
        for span in ranges
    ]


def ranges_from_dicts(data: Sequence[Mapping[str, Any]]) -> tuple[OffsetRange, ...]:
    """The ranges behind ``ranges_to_dicts``."""
    return tuple(
        OffsetRange(TopicPartition(each["topic"], each["topic_id"], each["partition"]), each["start"], each["end"])
        for each in data
    )


def _plan(position: int | None, held: OffsetRange, until: int) -> OffsetRange:
    start = held.start if position is None else position
    if start > held.end:
        raise PermanentError(
            f"{held.partition} is archived up to {start}, but the broker's log ends at {held.end}: it has lost records "
            "it had acknowledged"
        )
    return OffsetRange(held.partition, start, max(start, min(until, held.end)))
