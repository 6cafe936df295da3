"""What the sources say together of one topic. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from faultline.archive.hours import Hour
from faultline.model import TopicPartition
from faultline.page.completeness import Day, hour_grid
from faultline.page.lags import TopicLag, topic_lag
from faultline.page.sources import Findings
from faultline.settings import Settings
from faultline.steps.archive_state import TopicState
from faultline.steps.kafka_state import KafkaState
from faultline.steps.proofs import Proof
from faultline.topicfile import TopicConfig


@dataclass(frozen=True, slots=True)
class TopicHealth:
    """All that is known of a topic; None where nothing is. One that is not archived has no ``days``.

    ``missing`` is whether Kafka has no such topic.
    """

    name: str
    lag: TopicLag | None
    days: tuple[Day, ...]
    table: TopicState | None
    proof: Proof | None
    missing: bool = False


def topic_health(
    topic: TopicConfig, found: Findings, hours: Mapping[str, Sequence[Hour]], settings: Settings, now: datetime
) -> TopicHealth:
    """The topic out of what each source last said; ``hours`` are those to look at, by day."""
    kafka, tables, storage = found.kafka.value, found.tables.value, found.storage.value
    table = tables.get(topic.name) if tables and topic.archive else None
    marks = storage.marked if storage else None
    days = hour_grid(
        hours,
        now=now,
        lateness=settings.archive_lateness,
        rows=None if tables is None else table.hours if table else {},
        marked=None if marks is None else marks.get(topic.name, frozenset()),
    )
    return TopicHealth(
        topic.name,
        None if kafka is None else _lag(topic, kafka, found, settings),
        days if topic.archive else (),
        table,
        storage.proofs.get(topic.name) if storage else None,
        missing=kafka is not None and topic.name in kafka.missing,
    )


def _lag(topic: TopicConfig, kafka: KafkaState, found: Findings, settings: Settings) -> TopicLag:
    """What is not known of a lane is not told: it may have a position that its source did not get to say."""
    parts, tables, lane = kafka.partitions(topic.name), found.tables.value, found.lane.value
    counted: dict[TopicPartition, int | None] = {}
    archived: Mapping[TopicPartition, int | None] = {}
    times: list[datetime | None] = []
    if lane is not None and topic.count:
        known = {each.partition: each for each in lane.state.counted}
        counted = {part: known[part].next_offset if part in known else None for part in parts}
        times = [known[part].complete_to if part in known else None for part in parts]
    if tables is not None and topic.archive:
        table = tables.get(topic.name)
        archived = table.positions if table else dict.fromkeys(parts)
    done = [at for at in times if at is not None]
    complete_to = min(done) if done and len(done) == len(times) else None
    return topic_lag(topic.name, kafka, settings, counted=counted, archived=archived, complete_to=complete_to)
