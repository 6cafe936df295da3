"""archive_logs, run in this process on a real Kafka and HDFS."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from faultline.adapters.delta import TopicTable
from tests.dags.assets import events
from tests.servers import HdfsServer

TOPICS = ("one", "two")
AWKWARD = [b"not json", b"", b"\xff\xfe\x00", b"x" * 900_000]


@pytest.fixture
def topics(kafka: str, hdfs: HdfsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, TopicTable]:
    """Two topics with records, some of which no parser understands."""
    run = uuid.uuid4().hex[:8]
    names = [f"{name}-{run}" for name in TOPICS]
    listed = ", ".join(f"{{name: {name}}}" for name in names)
    (tmp_path / "topics.yaml").write_text(f"topics: [{listed}]")
    monkeypatch.setenv("FAULTLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("FAULTLINE_ARCHIVE_URL", f"{hdfs.url}/{run}")
    monkeypatch.setenv("FAULTLINE_TOPICS_FILE", str(tmp_path / "topics.yaml"))
    monkeypatch.setenv("FAULTLINE_ARCHIVE_GROUP_PARTITIONS", "1")
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 2_000_000})
    for name in names:
        for value in [*AWKWARD, *(b'{"message": "hello %d"}' % number for number in range(100))]:
            producer.produce(name, value)
    assert producer.flush(20) == 0
    return dict.fromkeys(names, f"{hdfs.url}/{run}")


def rows(topics: Mapping[str, str]) -> list[int]:
    tables = [TopicTable.open(url, topic) for topic, url in topics.items()]
    return [table.query("SELECT count(*) AS n FROM logs")["n"][0].as_py() for table in tables]


def run(**conf: Any) -> Any:
    from archive_logs import archive_logs_dag

    # dag.test leaves a run's conf in the DAG's params, so each run names them all.
    form = {"topics": [], "verify": False, "deep": False, "dry_run": False, "settings": {}}
    return archive_logs_dag.test(run_conf=form | conf, logical_date=datetime.now(UTC))


@pytest.mark.usefixtures("airflow_database")
def test_a_run_archives_every_record_and_a_second_one_adds_nothing(topics: dict[str, str]) -> None:
    assert run(dry_run=True).state == "success"
    assert rows(topics) == [0, 0]
    assert run(verify=True).state == "success"
    assert rows(topics) == [104, 104]
    assert run(verify=True, deep=True).state == "success"
    assert rows(topics) == [104, 104]
    for topic, url in topics.items():
        broken = TopicTable.open(url, topic).query("SELECT raw, parse_error FROM logs WHERE parse_error IS NOT NULL")
        assert sorted(broken["raw"].to_pylist()) == sorted(AWKWARD)


@pytest.mark.usefixtures("airflow_database")
def test_what_a_run_has_archived_is_an_event_of_each_group_and_nothing_new_is_none(topics: dict[str, str]) -> None:
    assert [run(dry_run=True).state, run().state, run().state] == ["success"] * 3
    for topic in topics:
        told = events(f"faultline://archive/{topic}")
        assert {each["run_type"] for each in told} == {"manual"}
        assert sum(each["rows"] for each in told) == 104
        offsets = [span for each in told for span in each["offsets"]]
        assert sum(span["end"] - span["start"] for span in offsets) == 104


@pytest.mark.usefixtures("airflow_database")
def test_the_logs_of_a_run_are_reports(topics: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    first = next(iter(topics))
    with caplog.at_level(logging.INFO, "faultline"):
        assert run(topics=[first], verify=True).state == "success"
    said = caplog.messages
    assert "1 of 1 tables proven" in said
    assert [line for line in said if line.startswith("104 offsets to archive, up to ")]
    report = said[said.index("104 records archived") :]
    assert report[1].split("  ")[0].strip() == "Topic"
    assert report[3].split()[:2] == [first, "104"]


@pytest.mark.usefixtures("airflow_database")
def test_a_topic_that_the_form_names_wrongly_fails_the_run_and_archives_nothing(topics: dict[str, str]) -> None:
    assert run(topics=["no-such-topic"]).state == "failed"
    with pytest.raises(Exception, match="there is no table"):
        rows(topics)


@pytest.mark.usefixtures("airflow_database")
def test_a_form_chooses_topics(topics: dict[str, str]) -> None:
    first, second = topics
    assert run(topics=[first]).state == "success"
    assert rows({first: topics[first]}) == [104]
    with pytest.raises(Exception, match="there is no table"):
        rows({second: topics[second]})


@pytest.fixture
def variable() -> Iterator[Callable[[str], None]]:
    """Sets the Variable of settings, as the UI does."""
    from airflow.models import Variable

    yield lambda text: Variable.set("faultline_settings", text)
    Variable.delete("faultline_settings")
    Variable.delete("faultline_settings_last_good")


def groups(topics: Mapping[str, str]) -> int:
    """How many appends wrote to the first topic."""
    topic, url = next(iter(topics.items()))
    return len({commit.version for commit in TopicTable.open(url, topic).commits()})


@pytest.mark.usefixtures("airflow_database")
def test_a_variable_overrides_the_environment_and_a_form_overrides_both(
    topics: dict[str, str], variable: Callable[[str], None]
) -> None:
    first = next(iter(topics))
    assert run(topics=[first], dry_run=True).state == "success"  # two partitions, by the environment one a group
    variable("archive_group_partitions: 8\narchive_batch_rows: 60")
    assert run(topics=[first], settings={"archive_batch_rows": 1000}).state == "success"
    assert groups(topics) == 1


@pytest.mark.usefixtures("airflow_database")
def test_a_faulty_variable_leaves_its_last_good_version_in_force(
    topics: dict[str, str], variable: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = next(iter(topics))
    variable("{archive_group_partitions: 8}")
    assert run(topics=[first], dry_run=True).state == "success"
    variable("{archive_group_partitions: none, archive_batch_row: 5}")
    with caplog.at_level(logging.ERROR):
        assert run(topics=[first]).state == "success"
    assert "Variable faultline_settings:1: archive_group_partitions: Input should be a valid integer" in caplog.text
    assert "unknown field 'archive_batch_row'; did you mean 'archive_batch_rows'?" in caplog.text
    assert groups(topics) == 1


@pytest.mark.usefixtures("airflow_database")
def test_a_faulty_form_fails_the_run(topics: dict[str, str]) -> None:
    assert run(settings={"archive_batch_rows": 0}).state == "failed"


def test_live_runs_cover_whole_intervals_without_catching_up() -> None:
    from archive_logs import archive_logs_dag

    assert archive_logs_dag.catchup is False
    assert archive_logs_dag.max_active_runs == 1
    assert archive_logs_dag.default_args["retry_delay"] == timedelta(seconds=10)
