"""The counting task: what is new in Kafka, counted per bucket, in one transaction with its offsets."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.alerting.counts import complete_to, count_events, none_from_the_future
from faultline.alerting.floods import flood_counts
from faultline.alerting.windows import counts_from
from faultline.archive.prefetch import prefetch
from faultline.errors import LostRange, PermanentError, Superseded, TopicMissing, TransientError
from faultline.model import LateCount, OffsetRange, TopicPartition, utc_now
from faultline.records.decode import decode
from faultline.records.source import RecordSource
from faultline.settings import Settings
from faultline.steps.last_good import configured_topics, in_force
from faultline.steps.report import write_report
from faultline.topicfile import TopicConfig

log = logging.getLogger(__name__)

# A broker that has just started may not know its topics yet; a topic created again comes back sooner.
GONE_AFTER = timedelta(minutes=1)


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
    stored = skip_lost(database, held)
    ranges = plan_counts(stored, held)
    idle = [each for each in ranges if not len(each)]
    # All at once, so that the watermark waits for the partitions that are still to be read.
    settled = settled_at(settings, database, at)
    unseen = [OffsetRange(each.partition, each.start, each.start) for each in ranges if stored[each.partition] is None]
    if begun := sorted({*idle, *unseen}):
        database.record_counts(begun, [], {each.partition: at for each in idle}, at=at)
    records = 0
    new = [each for each in ranges if len(each)]
    limits = {"max_rows": settings.count_batch_rows, "max_bytes": settings.count_batch_bytes}
    with prefetch(lambda: source.read(new, **limits)) as batches:
        for raw, covered in batches:
            checkpoint("consumed")
            events = decode(raw, topic, event_time_span=settings.event_time_span)
            events = none_from_the_future(events, at, settings.allowed_lateness)
            floods = flood_counts(events, topic.name)
            events, late = without_late(events, topic.name, settled)
            counts = count_events(events, topic, bucket=settings.count_bucket)
            caught_up = [each.partition for each in covered if each.end == held[each.partition].end]
            checkpoint("before_commit")
            done_to = complete_to(events, covered, caught_up=caught_up, at=at)
            database.record_counts(covered, counts, done_to, late, floods, at)
            checkpoint("after_commit")
            records += raw.num_rows
    return records


@dataclass(frozen=True, slots=True)
class Settled:
    """What does not count any more: all that happened before ``kept``, since when counts are kept, and of the
    partitions what happened before ``judged``, which the rules have judged for good.
    """

    kept: datetime
    judged: datetime
    partitions: frozenset[TopicPartition] = frozenset()


def settled_at(settings: Settings, database: Database, at: datetime) -> Settled:
    """Of a partition that is not read so far yet, nothing is late unless its counts would not be kept."""
    kept, evaluated = at - settings.count_retention, database.evaluated(LEASE)
    lateness = settings.allowed_lateness
    watermark = min(evaluated.watermark, at - lateness) if evaluated and evaluated.watermark else None
    judged = counts_from(watermark, lateness, settings.count_bucket)
    if judged is None:
        return Settled(kept, kept)
    read = (each for each in database.counted() if each.complete_to and each.complete_to > judged)
    return Settled(kept, judged, frozenset(each.partition for each in read))


def without_late(events: pa.Table, topic: str, settled: Settled) -> tuple[pa.Table, list[LateCount]]:
    """The events that still count, and how many of each hour do not; the archive has them all."""
    times, numbers = events["timestamp"], [each.partition for each in settled.partitions if each.topic == topic]
    late = pc.and_(
        pc.less(times, pa.scalar(settled.judged, times.type)),
        pc.is_in(events["kafka_partition"], pa.array(numbers, events["kafka_partition"].type)),
    )
    late = pc.or_(late, pc.less(times, pa.scalar(settled.kept, times.type)))
    if not pc.any(late).as_py():
        return events, []
    hours = pc.value_counts(pc.floor_temporal(times.filter(late), unit="hour")).to_pylist()
    found = [LateCount(topic, hour["values"].astimezone(UTC), hour["counts"]) for hour in hours]
    return events.filter(pc.invert(late)), found


def plan_counts(
    stored: Mapping[TopicPartition, int | None], held: Mapping[TopicPartition, OffsetRange]
) -> list[OffsetRange]:
    """From each stored position (the low mark where there is none) to the broker's end; empty where nothing is new."""
    starts = {partition: held[partition].start if start is None else start for partition, start in stored.items()}
    return [OffsetRange(each, start, max(start, held[each].end)) for each, start in starts.items()]


def skip_lost(database: Database, held: Mapping[TopicPartition, OffsetRange]) -> dict[TopicPartition, int | None]:
    """The stored positions, moved past offsets that Kafka deleted before they were counted; says exactly which.

    Alerts must go on, so this lane does not stop for them; the archive lane does.
    """
    stored = database.positions(list(held))
    for partition, start in stored.items():
        if start is not None and start < held[partition].start:
            lost = OffsetRange(partition, start, held[partition].start)
            log.error(
                "%s is no longer in Kafka and was never counted: %d offsets are missing from counts", lost, len(lost)
            )
            database.record_counts([lost], [], {})
            stored[partition] = lost.end
    return stored


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
    What will not pass holds up no other topic: it is raised at the end, if it is still there.
    """
    topics = [topic for topic in in_force(configured_topics(settings), database).topics if topic.count]
    counter = _Counter(settings, source, database, clock)
    counter.prune()
    records: Counter[str] = Counter({topic.name: 0 for topic in topics})
    while not stop():
        records.update({topic.name: counter.count(topic) for topic in topics})
        sleep(settings.count_interval.total_seconds())
    write_report(log, f"{records.total():,} records counted", ("Topic", "Records"), records.items())
    if counter.faults:
        raise PermanentError("; ".join(f"{name}: {error}" for name, error in counter.faults.items()))
    return records.total()


class _Counter:
    """Counts topics and remembers what is in the way of each; ``faults`` has what will not pass by itself."""

    def __init__(
        self, settings: Settings, source: RecordSource, database: Database, clock: Callable[[], datetime]
    ) -> None:
        self.faults: dict[str, PermanentError] = {}
        self._settings, self._source, self._database, self._clock = settings, source, database, clock
        self._complaints = Complaints(clock)
        self._missing: dict[str, datetime] = {}

    def prune(self) -> None:
        """Forget counts older than their retention."""
        try:
            self._database.prune(self._clock() - self._settings.count_retention)
        except TransientError as error:
            self._complaints.note("forgetting old counts", error)

    def count(self, topic: TopicConfig) -> int:
        """One round; 0 where something is in the way."""
        at = self._clock()
        self.faults.pop(topic.name, None)
        try:
            records = count_topic(self._settings, self._source, self._database, topic, at=at)
        except TopicMissing as error:
            self._complaints.note(topic.name, error)
            self._missed(topic.name, at)
        except (TransientError, Superseded, LostRange) as error:
            self._complaints.note(topic.name, error)
        except PermanentError as error:
            self._complaints.note(topic.name, error)
            self.faults[topic.name] = error
        else:
            self._missing.pop(topic.name, None)
            return records
        return 0

    def _missed(self, topic: str, at: datetime) -> None:
        """A topic that stays away was deleted: it must not hold back the watermark, and with it every resolve."""
        if at - self._missing.setdefault(topic, at) < GONE_AFTER:
            return
        try:
            close_topic(self._database, topic, at)
        except (TransientError, Superseded) as error:
            self._complaints.note(topic, error)


def close_topic(database: Database, topic: str, at: datetime) -> None:
    """What was counted of a topic that is gone is all there is of it, up to ``at``."""
    ends = [
        OffsetRange(each.partition, each.next_offset, each.next_offset)
        for each in database.counted()
        if each.partition.topic == topic
    ]
    database.record_counts(ends, [], {each.partition: at for each in ends})


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
