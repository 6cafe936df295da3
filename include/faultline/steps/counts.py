"""The counting task: what is new in Kafka, counted per bucket, in one transaction with its offsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from faultline.adapters.database import Database
from faultline.alerting.counts import complete_to, count_events
from faultline.errors import LostRange, Superseded, TopicMissing, TransientError
from faultline.model import OffsetRange, TopicPartition, utc_now
from faultline.records.decode import decode
from faultline.records.source import RecordSource
from faultline.settings import Settings, TopicConfig
from faultline.steps.topics import topics_of

log = logging.getLogger(__name__)


def count_topic(
    settings: Settings,
    source: RecordSource,
    database: Database,
    topic: TopicConfig,
    *,
    at: datetime,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> int:
    """Count what is new in a topic, micro-batch by micro-batch, each one transaction with its offsets.

    Returns the records counted. ``at`` is a time before the call: partitions found at their end are complete up to it.
    """
    partitions = source.partitions(topic.name)
    held = source.watermarks(partitions)
    skip_lost(database, held)
    ranges = plan_counts(database.positions(partitions), held)
    idle = [each for each in ranges if not len(each)]
    if idle:
        database.record_counts(idle, [], {each.partition: at for each in idle})
    records = 0
    new = [each for each in ranges if len(each)]
    for raw, covered in source.read(new, max_rows=settings.count_batch_rows, max_bytes=settings.archive_batch_bytes):
        checkpoint("consumed")
        events = decode(raw, topic, event_time_span=settings.event_time_span)
        counts = count_events(events, topic, bucket=settings.count_bucket)
        caught_up = [each.partition for each in covered if each.end == held[each.partition].end]
        checkpoint("before_commit")
        database.record_counts(covered, counts, complete_to(events, covered, caught_up=caught_up, at=at))
        checkpoint("after_commit")
        records += raw.num_rows
    return records


def plan_counts(
    stored: Mapping[TopicPartition, int | None], held: Mapping[TopicPartition, OffsetRange]
) -> list[OffsetRange]:
    """From each stored position (the low mark where there is none) to the broker's end; empty where nothing is new."""
    starts = {partition: held[partition].start if start is None else start for partition, start in stored.items()}
    return [OffsetRange(each, start, max(start, held[each].end)) for each, start in starts.items()]


def skip_lost(database: Database, held: Mapping[TopicPartition, OffsetRange]) -> None:
    """Move past offsets that Kafka deleted before they were counted, and say exactly which.

    Alerts must go on, so this lane does not stop for them; the archive lane does.
    """
    for partition, start in database.positions(list(held)).items():
        if start is not None and start < held[partition].start:
            lost = OffsetRange(partition, start, held[partition].start)
            log.error(
                "%s is no longer in Kafka and was never counted: %d offsets are missing from counts", lost, len(lost)
            )
            database.record_counts([lost], [], {})


def count_until(
    stop: Callable[[], bool],
    settings: Settings,
    source: RecordSource,
    database: Database,
    *,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Count every topic again and again until told to stop; returns the records counted.

    Waits out what passes and says so once a minute: Kafka or the database away, a topic that is not there yet, another
    counter that was faster, records that retention deleted while they were read (the next round starts behind them).
    """
    topics = [topic for topic in topics_of(settings).topics if topic.count]
    complaints = Complaints(clock)
    records = 0
    try:
        database.prune(clock() - settings.count_retention)
    except TransientError as error:
        complaints.note("forgetting old counts", error)
    while not stop():
        for topic in topics:
            try:
                records += count_topic(settings, source, database, topic, at=clock())
            except (TransientError, Superseded, TopicMissing, LostRange) as error:
                complaints.note(topic.name, error)
        sleep(settings.count_interval.total_seconds())
    return records


class Complaints:
    """Says what is in the way, but not once a second: the same complaint about the same thing once a minute."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], datetime] = {}

    def note(self, about: str, error: Exception) -> None:
        at, key = self._clock(), (about, str(error))
        if key not in self._said or at - self._said[key] >= timedelta(minutes=1):
            self._said[key] = at
            log.warning("%s: waiting: %s", about, error)
