"""What the pipeline is made of, asked how it is: Kafka, the tables, what is beside them on storage, the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from faultline.adapters.database import Database, RuleVersion
from faultline.adapters.kafka import KafkaSource
from faultline.adapters.markers import markers
from faultline.archive.hours import Hour
from faultline.digest import Uncounted
from faultline.errors import TransientError
from faultline.model import Interval, TopicPartition
from faultline.page.completeness import hours_until
from faultline.page.probes import Probe, Reading
from faultline.settings import Settings
from faultline.steps.archive_state import TopicState, archive_state
from faultline.steps.counting_state import CountingState, counting_state
from faultline.steps.hdfs_state import StorageState, hdfs_state
from faultline.steps.kafka_state import KafkaState, kafka_state
from faultline.steps.proofs import Proof, last_proof
from faultline.steps.topics import archived_topics, topics_of

DAYS = 7
DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# To have the positions of a table in its first answer, it waits so long for who knows the partitions.
_PATIENCE = 10 * _SECOND


@dataclass(frozen=True, slots=True)
class Storage:
    """``hdfs`` is None where nothing says how it is, ``marked`` where there are no marks: see ``markers``."""

    hdfs: StorageState | None
    marked: Mapping[str, frozenset[Hour]] | None
    proofs: Mapping[str, Proof]


@dataclass(frozen=True, slots=True)
class AlertLane:
    """``uncounted`` is of the last day, ``rules`` the version that the last evaluation was by."""

    state: CountingState
    waiting_since: datetime | None
    uncounted: Sequence[Uncounted]
    rules: RuleVersion | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What each source last said."""

    kafka: Reading[KafkaState]
    tables: Reading[Mapping[str, TopicState]]
    storage: Reading[Storage]
    lane: Reading[AlertLane]

    @property
    def readings(self) -> dict[str, Reading[Any]]:
        """All of them, by the names that the page has for them."""
        return {"kafka": self.kafka, "tables": self.tables, "storage": self.storage, "database": self.lane}


class Sources:
    """The sources that these settings name; each is asked in a thread of its own."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self._database = database
        self._clock = clock
        self._kafka = Probe[KafkaState]("kafka", 2 * _SECOND, clock)
        self._tables = Probe[Mapping[str, TopicState]]("tables", 15 * _SECOND, clock)
        self._storage = Probe[Storage]("storage", 10 * _SECOND, clock)
        self._lane = Probe[AlertLane]("database", _SECOND, clock)

    def look(self) -> Findings:
        """Ask all of them, wait a moment, and take what is known by then."""
        self._lane.ask(self.gather_lane)
        self._kafka.ask(self.gather_kafka)
        self._tables.ask(self.gather_tables)
        self._storage.ask(self.gather_storage)
        return Findings(self._kafka.read(), self._tables.read(), self._storage.read(), self._lane.read())

    def gather_kafka(self) -> KafkaState:
        """What Kafka holds of every topic that something is done with."""
        topics = [topic.name for topic in topics_of(self.settings).topics if topic.archive or topic.count]
        with KafkaSource(self.settings.kafka_bootstrap_servers, self.settings.kafka_properties) as source:
            return kafka_state(source, topics, now=self._clock())

    def gather_tables(self) -> Mapping[str, TopicState]:
        """How the tables are, by topic."""
        states = archive_state(self.settings, now=self._clock(), partitions=self._partitions)
        return {state.topic: state for state in states}

    def _partitions(self, topic: str) -> Sequence[TopicPartition]:
        """The topic's partitions as Kafka has them; while nothing is known of it, those that were counted."""
        if (kafka := self._kafka.read(_PATIENCE).value) is not None:
            return kafka.partitions(topic)
        lane = self._lane.read(_PATIENCE).value
        return [each.partition for each in lane.state.counted if each.partition.topic == topic] if lane else []

    def gather_storage(self) -> Storage:
        """How HDFS is, which hours are marked, and how the last proofs came out."""
        hdfs = hdfs_state(self.settings)
        if hdfs is not None and hdfs.fault:
            raise TransientError(hdfs.fault)
        if (store := markers(self.settings.archive_url, self.settings.webhdfs_url)) is None:
            return Storage(hdfs, None, {})
        topics = [topic.name for topic in archived_topics(self.settings)]
        days = list(hours_until(self._clock(), DAYS))
        proofs = {topic: proof for topic in topics if (proof := last_proof(store, topic))}
        return Storage(hdfs, {topic: store.marked(topic, days) for topic in topics}, proofs)

    def gather_lane(self) -> AlertLane:
        """How the alert lane is doing."""
        state, now = counting_state(self._database), self._clock()
        return AlertLane(
            state,
            self._database.waiting_since(),
            self._database.uncounted(Interval(now - DAY, now)),
            self._database.rules_version(state.evaluated.rules_hash) if state.evaluated else None,
        )
