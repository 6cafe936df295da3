"""compact_archive, run in this process on a real Kafka and HDFS."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.adapters.kafka import KafkaSource
from faultline.adapters.markers import markers
from faultline.archive.hours import Hour
from faultline.archive.verify import verify_topic
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run
from tests.servers import HdfsServer

HOUR = timedelta(hours=1)


@pytest.fixture
def topic(kafka: str, hdfs: HdfsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic whose table has three files of an hour that is over."""
    name = f"compact-{uuid.uuid4().hex[:8]}"
    (tmp_path / "topics.yaml").write_text(f"topics: [{{name: {name}}}]")
    for setting, value in {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ARCHIVE_URL": f"{hdfs.url}/{name}",
        "WEBHDFS_URL": hdfs.webhdfs,
        "TOPICS_FILE": str(tmp_path / "topics.yaml"),
    }.items():
        monkeypatch.setenv(f"FAULTLINE_{setting}", value)
    settings, at = Settings(), round((utc_now() - 3 * HOUR).timestamp() * 1000)
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(3):
        producer.produce(name, b"record %d" % number, timestamp=at)
        assert producer.flush(20) == 0
        with KafkaSource(kafka) as source:
            for group in plan_archive_run(settings, source, until=utc_now()):
                append_group(settings, source, group)
    return name


def table(topic: str) -> TopicUpkeep:
    return TopicUpkeep.open(Settings().archive_url, topic)


def run(**conf: Any) -> Any:
    from compact_archive import compact_archive_dag

    form = {"topics": [], "since": None, "until": None, "target_mib": None, "dry_run": False, "settings": {}}
    return compact_archive_dag.test(run_conf=form | conf, logical_date=datetime.now(UTC))


@pytest.mark.usefixtures("airflow_database")
def test_a_run_merges_the_closed_hour_and_marks_it(topic: str) -> None:
    assert run(dry_run=True).state == "success"
    assert len(table(topic).data_files()) == 3
    assert run(target_mib=16).state == "success"
    [file] = table(topic).data_files()
    assert (file.rows, file.is_merged) == (3, True)
    store = markers(Settings().archive_url, Settings().webhdfs_url)
    assert store is not None
    mark = store.read(topic, file.hour)
    assert mark is not None
    assert (mark["rows"], mark["files"]) == (3, 1)
    assert verify_topic(table(topic)).faults == ()


@pytest.mark.usefixtures("airflow_database")
def test_a_form_chooses_hours(topic: str) -> None:
    hour = Hour((utc_now() - 3 * HOUR).replace(minute=0, second=0, microsecond=0))
    assert run(until=hour.start.isoformat()).state == "success"
    assert len(table(topic).data_files()) == 3
    assert run(since=hour.start.isoformat(), until=hour.end.isoformat()).state == "success"
    assert len(table(topic).data_files()) == 1


@pytest.mark.usefixtures("airflow_database")
def test_a_time_that_is_none_fails_the_run(topic: str) -> None:
    assert run(since="yesterday-ish").state == "failed"
    assert len(table(topic).data_files()) == 3
