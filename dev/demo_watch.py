"""What the demo sees of the system from outside: Kafka's ends, the tables on HDFS, the database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.adapters.kafka import KafkaSource
from faultline.alerting.alerts import Alert
from faultline.archive.findings import VerifyReport
from faultline.errors import PermanentError, TransientError
from faultline.settings import Settings
from faultline.steps.archive import verify_topics
from faultline.steps.topics import topics_of


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: records sent and archived per topic, archived per hour partition, counted in all, live alerts."""

    sent: Mapping[str, int]
    archived: Mapping[str, int]
    hours: Mapping[tuple[str, str], int]
    counted: int
    alerts: tuple[Alert, ...] = field(default=(), repr=False)

    def least_sent(self, before: Self) -> int:
        """Records sent since, of the topic with the fewest."""
        return min(number - before.sent[topic] for topic, number in self.sent.items())

    def least_archived(self, before: Self) -> int:
        """Records archived since, of the topic with the fewest."""
        return min(number - before.archived[topic] for topic, number in self.archived.items())


class Watcher:
    """Looks, and changes nothing but to create the topics. Settings come from the environment."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._topics = [topic.name for topic in topics_of(self._settings).topics]
        self._open = ExitStack()
        self._source = self._open.enter_context(
            KafkaSource(self._settings.kafka_bootstrap_servers, self._settings.kafka_properties)
        )
        self._database = self._open.enter_context(Database(self._settings.database_url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def prepare(self) -> None:
        """Create the topics, four partitions each, where they are missing."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self._settings.kafka_bootstrap_servers})
        there = admin.list_topics(timeout=10).topics
        new = [NewTopic(topic, num_partitions=4) for topic in self._topics if topic not in there]
        for created in admin.create_topics(new).values() if new else ():
            created.result()

    def look(self) -> Seen:
        """How far everything is now."""
        hours = {(topic, hour): rows for topic in self._topics for hour, rows in self._hours(topic).items()}
        return Seen(
            sent={topic: self._sent(topic) for topic in self._topics},
            archived={topic: sum(rows for (of, _), rows in hours.items() if of == topic) for topic in self._topics},
            hours=hours,
            counted=sum(each.next_offset for each in self._database.counted()),
            alerts=tuple(alert for alert in self._database.alerts() if alert.live),
        )

    def verify(self) -> list[VerifyReport]:
        """The proof, as ``faultline verify`` gives it."""
        return verify_topics(self._settings, self._source)

    def _sent(self, topic: str) -> int:
        return sum(held.end for held in self._source.watermarks(self._source.partitions(topic)).values())

    def _hours(self, topic: str) -> dict[str, int]:
        try:
            table = TopicTable.open(self._settings.archive_url, topic)
            rows = table.query("SELECT dt, hr, count(*) AS n FROM logs GROUP BY dt, hr ORDER BY dt, hr").to_pylist()
        except (PermanentError, TransientError):  # not created yet, or HDFS is busy: nothing to show
            return {}
        return {f"{row['dt']} {row['hr']}h": row["n"] for row in rows}
