"""How far each lane is behind what Kafka holds, against what is allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from faultline.archive.plan import close_to_loss
from faultline.model import TopicPartition
from faultline.settings import Settings
from faultline.steps.kafka_state import KafkaState, Timeline

# Longer, and the marks of hours, which are looked for once an hour, come late.
ARCHIVE_ALLOWED = timedelta(hours=1)


class Level(StrEnum):
    """How a number is: as it should be, to be looked at, or wrong."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"


_GRAVITY = (Level.GOOD, Level.WATCH, Level.BAD)


def worst(levels: Iterable[Level]) -> Level:
    """The gravest of them; good where there is none."""
    return max(levels, key=_GRAVITY.index, default=Level.GOOD)


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one lane: records, and how long ago the first of them came, None where that cannot be told.

    ``begun`` is whether the lane has a position; ``lost`` whether Kafka has deleted, or is about to, what it lacks.
    """

    records: int
    age: timedelta | None
    level: Level
    begun: bool = True
    lost: bool = False


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Of one partition; a lane that is not for the topic, or of which nothing is known, is None."""

    partition: int
    end: int
    per_second: float
    counting: Lag | None
    archive: Lag | None

    @property
    def level(self) -> Level:
        """The graver of both."""
        return worst(lag.level for lag in (self.counting, self.archive) if lag)


@dataclass(frozen=True, slots=True)
class TopicLag:
    """All partitions of a topic, the worst first, and what they come to together.

    ``complete_to`` is the event time up to which all of them are counted.
    """

    topic: str
    partitions: tuple[PartitionLag, ...]
    complete_to: datetime | None

    @property
    def per_second(self) -> float:
        """Records that came, a second."""
        return sum(each.per_second for each in self.partitions)

    @property
    def counting(self) -> Lag | None:
        """Of the alert lane."""
        return _together([each.counting for each in self.partitions])

    @property
    def archive(self) -> Lag | None:
        """Of the archive lane."""
        return _together([each.archive for each in self.partitions])


def topic_lag(
    topic: str,
    kafka: KafkaState,
    settings: Settings,
    *,
    counted: Mapping[TopicPartition, int | None],
    archived: Mapping[TopicPartition, int | None],
    complete_to: datetime | None = None,
) -> TopicLag:
    """The lag of a topic out of the positions of its lanes: None where a lane has not begun, none where nobody says."""
    found = []
    for part in kafka.partitions(topic):
        line = kafka.timelines[part]
        found.append(
            PartitionLag(
                part.partition,
                line.held.end,
                line.per_second,
                _counting(line, counted[part], settings) if part in counted else None,
                _archive(part, line, archived[part]) if part in archived else None,
            )
        )
    order = sorted(found, key=lambda each: (-_GRAVITY.index(each.level), -_most(each), each.partition))
    return TopicLag(topic, tuple(order), complete_to)


def _counting(line: Timeline, position: int | None, settings: Settings) -> Lag:
    records, age = line.behind(position), line.age(position)
    if position is None:
        return Lag(records, age, Level.WATCH if records else Level.GOOD, begun=False)
    if age is None or settings.allowed_lateness < age <= settings.stalled_after:
        return Lag(records, age, Level.WATCH)
    return Lag(records, age, Level.BAD if age > settings.stalled_after else Level.GOOD)


def _archive(part: TopicPartition, line: Timeline, position: int | None) -> Lag:
    records, age = line.behind(position), line.age(position)
    gone = position is not None and position < line.held.start
    if gone or close_to_loss({part: position}, {part: line.held}):
        return Lag(records, age, Level.BAD, lost=True)
    late = age is None or age > ARCHIVE_ALLOWED
    return Lag(records, age, Level.WATCH if late else Level.GOOD, begun=position is not None)


def _most(each: PartitionLag) -> int:
    return max((lag.records for lag in (each.counting, each.archive) if lag), default=0)


def _together(lags: Iterable[Lag | None]) -> Lag | None:
    known = [lag for lag in lags if lag is not None]
    if not known:
        return None
    ages = [lag.age for lag in known if lag.age is not None]
    return Lag(
        sum(lag.records for lag in known),
        max(ages) if ages else None,
        worst(lag.level for lag in known),
        any(lag.begun for lag in known),
        any(lag.lost for lag in known),
    )
