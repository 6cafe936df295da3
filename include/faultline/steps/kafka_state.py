"""What Kafka holds of each topic and since when, so that any position can be told how far it is behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from faultline.errors import TopicMissing
from faultline.model import OffsetRange, TopicPartition
from faultline.records.source import RecordSource

# Kafka finds the offset of a time, never the time of an offset: it is asked for these, and what lies between two of
# them is told by its share of the records between.
_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
AGES = (
    *(each * _SECOND for each in (2, 3, 5, 7, 10, 15, 20, 30, 45)),
    *(each * _MINUTE for each in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45)),
    *(each * _HOUR for each in (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 168)),
)
# Clocks differ by less; a record dated later than this is dated wrongly.
_CLOCK_SKEW = 5 * _MINUTE


@dataclass(frozen=True, slots=True)
class Timeline:
    """What Kafka holds of a partition, and ``offsets``: the first one that is younger than each of AGES.

    ``misdated`` is the first record that is dated into the future; the end where there is none. After it Kafka answers
    no question for a time.
    """

    held: OffsetRange
    offsets: tuple[int, ...]
    misdated: int

    def behind(self, position: int | None) -> int:
        """How many records there are from this position on; from the first, where there is no position."""
        return max(0, self.held.end - max(self.held.start, position or 0))

    def age(self, position: int | None) -> timedelta | None:
        """About how long ago the record at the position came; nothing for a position at the end.

        At most the last of AGES: it may be older. None where it cannot be told.
        """
        at = max(self.held.start, position or 0)
        if at >= self.held.end:
            return timedelta(0)
        if self.misdated <= at:
            return None
        older = next((number for number, offset in enumerate(self.offsets) if offset <= at), None)
        if older is None:
            return AGES[-1]
        young, old = AGES[older - 1] if older else timedelta(0), AGES[older]
        last = self.offsets[older - 1] if older else self.held.end
        return old - (old - young) * ((at - self.offsets[older]) / max(1, last - self.offsets[older]))

    @property
    def per_second(self) -> float:
        """How many records a second came in the last minute."""
        return (self.held.end - self.offsets[AGES.index(_MINUTE)]) / _MINUTE.total_seconds()


@dataclass(frozen=True, slots=True)
class KafkaState:
    """The partitions of the topics that there are; the names of those that Kafka does not have."""

    timelines: Mapping[TopicPartition, Timeline] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """The topic's partitions, by number."""
        return tuple(sorted(part for part in self.timelines if part.topic == topic))


def kafka_state(source: RecordSource, topics: Sequence[str], *, now: datetime) -> KafkaState:
    """Of these topics; TransientError when Kafka does not answer."""
    parts: list[TopicPartition] = []
    missing = []
    for topic in topics:
        try:
            parts += source.partitions(topic)
        except TopicMissing:
            missing.append(topic)
    held = source.watermarks(parts)
    misdated = source.offsets_at(parts, now + _CLOCK_SKEW)
    offsets: dict[TopicPartition, list[int]] = {part: [] for part in parts}
    for age in AGES:
        found = source.offsets_at(parts, now - age)
        for part in parts:
            offsets[part].append(found[part])
    timelines = {part: Timeline(held[part], tuple(offsets[part]), misdated[part]) for part in parts}
    return KafkaState(timelines, tuple(missing))
