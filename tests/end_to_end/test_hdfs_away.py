"""HDFS stops: alerts still go out, and the archive catches up when it is back."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.dispatch.delivery import OutboxState
from faultline.errors import TransientError
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch
from faultline.steps.archive import append_group, require_proof, verify_topics
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.counts import count_topic
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer

RULES = """
groups:
- name: shop
  rules:
  - {alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1h}
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""


@pytest.fixture
def settings(kafka: str, hdfs_server: HdfsServer, postgres_url: str, tmp_path: Path) -> Settings:
    topic = f"away-{uuid.uuid4().hex[:8]}"
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {topic}}}]")
    return Settings(
        kafka_bootstrap_servers=kafka,
        archive_url=f"{hdfs_server.url}/{uuid.uuid4().hex[:8]}",
        archive_patience=timedelta(0),
        database_url=postgres_url,
        rules_file=tmp_path / "rules.yaml",
        topics_file=tmp_path / "topics.yaml",
    )


def log_errors(bootstrap: str, topic: str, number: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for count in range(number):
        record = {"service": "db", "level": "ERROR", "message": f"call {count} refused"}
        producer.produce(topic, json.dumps(record).encode())
    assert producer.flush(20) == 0


def archive(settings: Settings, source: KafkaSource) -> int:
    return sum(
        append_group(settings, source, each)["rows"] for each in plan_archive_run(settings, source, until=utc_now())
    )


def test_alerts_go_out_while_hdfs_is_away_and_the_archive_catches_up(
    settings: Settings, hdfs_server: HdfsServer, kafka: str
) -> None:
    from faultline.steps.topics import topics_of

    [topic] = topics_of(settings).topics
    with KafkaSource(kafka) as source, Database(settings.database_url) as database:
        database.migrate()
        log_errors(kafka, topic.name, 3)
        assert archive(settings, source) == 3
        hdfs_server.stop()
        log_errors(kafka, topic.name, 7)
        with pytest.raises(TransientError):
            archive(settings, source)
        count_topic(settings, source, database, TopicConfig(name=topic.name), at=utc_now())
        with AlertWatch(settings, database, "test") as watch:
            watch.evaluate()
        assert database.outbox_summary()[OutboxState.DELIVERED] == 1
        hdfs_server.start()
        assert archive(settings, source) == 7
        assert archive(settings, source) == 0
        [report] = require_proof(verify_topics(settings, source))
        assert report.rows == 10
