"""The view Pipeline: on real Kafka, HDFS and a database, and when one of them hangs or is gone."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from faultline.adapters.database import Database
from faultline.adapters.delta import TopicTable
from faultline.alerting.alerts import LEASE
from faultline.archive.losses import DELETED, record_losses
from faultline.dispatch.delivery import Delivery, DeliveryStatus, OutboxState, Outcome
from faultline.errors import Fault, TransientError
from faultline.model import LateCount, OffsetRange, TopicPartition, utc_now
from faultline.page import probes
from faultline.page.app import build_app
from faultline.settings import Settings
from faultline.steps.archive import append_group, verify_topics
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.compact import merge_topic
from faultline.steps.marks import mark_topic
from faultline.testing.kafka import MemorySource
from tests.contracts.brokers import RealBroker
from tests.contracts.values import count, evaluation, notification
from tests.page.conftest import ACCESS
from tests.page.test_injection import CORPUS, assert_harmless
from tests.page.test_now import words
from tests.servers import HdfsServer, KafkaServer

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# Lately: a broker deletes old records. Half past: which hours are over does not depend on when the test runs.
NOW = (utc_now() - HOUR).replace(minute=30, second=0, microsecond=0)
NOWHERE = "127.0.0.1:1"
PART = TopicPartition("app-logs", "generation-1", 0)


def answered(page: str) -> bool:
    return "has been asked" not in page


@dataclass
class Pipeline:
    """Settings whose archive has one topic, and the page of them as somebody who may read sees it."""

    settings: Settings
    database: Database
    topic: str

    def __post_init__(self) -> None:
        self.settings.topics_file.write_text(f"topics: [{{name: {self.topic}}}]")
        outer = FastAPI()
        outer.mount("/faultline", build_app(ACCESS, lambda: self.settings, lambda: NOW))
        headers = {"x-user": "reader"}
        self.client = TestClient(outer, base_url="http://airflow.test/faultline", headers=headers)

    def page(self, ready: Callable[[str], bool] = answered, path: str = "/pipeline") -> str:
        """The page once every source has said something, or once it is ready otherwise."""
        end = time.monotonic() + 40
        while not ready(page := self.client.get(path).text):
            assert time.monotonic() < end, words(page)
            time.sleep(0.1)
        return page

    def evaluate(self, ago: timedelta = timedelta(0)) -> None:
        lease = self.database.acquire_lease(LEASE, "test")
        self.database.record_evaluation(lease, replace(evaluation(at=NOW - ago), notifications=()))


@pytest.fixture
def local(config: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """An archive in a folder, and a Kafka in memory that has no topic."""
    memory = MemorySource()
    monkeypatch.setattr("faultline.page.sources.KafkaSource", lambda *_: nullcontext(memory))
    return Pipeline(config.model_copy(update={"archive_url": str(tmp_path / "archive")}), database, "app-logs")


@pytest.fixture
def broker(kafka: str) -> Iterator[RealBroker]:
    made = RealBroker(kafka)
    with made.source:
        yield made


@pytest.fixture
def pipeline(hdfs: HdfsServer, broker: RealBroker, kafka: str, config: Settings, database: Database) -> Pipeline:
    """Kafka, HDFS and a database, and a topic of two partitions."""
    return on_hdfs(hdfs, broker, kafka, config, database)


def on_hdfs(hdfs: HdfsServer, broker: RealBroker, kafka: str, config: Settings, database: Database) -> Pipeline:
    changed = {
        "kafka_bootstrap_servers": kafka,
        "archive_url": f"{hdfs.url}/{uuid.uuid4().hex[:12]}",
        "webhdfs_url": hdfs.webhdfs,
        "archive_patience": timedelta(0),
    }
    made = Pipeline(config.model_copy(update=changed), database, f"app-{uuid.uuid4().hex[:8]}")
    broker.create(made.topic, 2)
    return made


def produce(pipeline: Pipeline, broker: RealBroker, ages: Sequence[timedelta], partition: int = 0) -> None:
    for age in ages:
        at = NOW - age
        broker.produce(pipeline.topic, [json.dumps({"@timestamp": at.isoformat()}).encode()], partition, at)


def archive(pipeline: Pipeline, broker: RealBroker) -> None:
    for group in plan_archive_run(pipeline.settings, broker.source, until=NOW, clock=lambda: NOW):
        append_group(pipeline.settings, broker.source, group)


def section(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]*(?:id|aria-labelledby)="{name}".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def said(page: str) -> list[str]:
    """What needs somebody."""
    return [words(each) for each in re.findall(r"<li>(.*?)</li>", section(page, "concerns"), re.DOTALL)]


def rows(page: str, name: str) -> list[list[str]]:
    """The rows of a section's tables, cell by cell."""
    found = re.findall(r"<tr.*?</tr>", section(page, name), re.DOTALL)
    return [[words(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in found[1:]]


def test_both_lanes_are_behind_by_what_kafka_has_and_they_have_not(pipeline: Pipeline, broker: RealBroker) -> None:
    produce(pipeline, broker, [3 * HOUR, 2 * HOUR, 90 * MINUTE])
    archive(pipeline, broker)
    produce(pipeline, broker, [90 * MINUTE, SECOND])
    produce(pipeline, broker, [20 * SECOND], partition=1)
    parts = broker.source.partitions(pipeline.topic)
    ranges = [OffsetRange(parts[0], 0, 5), OffsetRange(parts[1], 0, 0)]
    pipeline.database.record_counts(ranges, [], dict.fromkeys(parts, NOW))
    page = pipeline.page()
    whole, first, second = rows(page, "lag")
    assert whole == [pipeline.topic, whole[1], "", "1", "as it should be: 20s", "3", whole[6]]
    assert first[2:] == ["5", "0", "as it should be: 0s", "2", first[6]]
    assert first[6].startswith("to be looked at: 1h")
    assert second[2:] == ["1", "1", "as it should be: 20s", "1", "as it should be: 20s"]
    assert f"{pipeline.topic}: the archive is 1h" in " ".join(said(page))


def test_hours_are_complete_once_they_are_marked_and_lead_to_their_records(
    pipeline: Pipeline, broker: RealBroker
) -> None:
    produce(pipeline, broker, [6 * HOUR, 5 * HOUR, 4 * HOUR, 4 * HOUR, MINUTE])
    archive(pipeline, broker)
    before = pipeline.page()
    assert f"{pipeline.topic}: 4 hours that should be complete are not" in " ".join(said(before))
    merge_topic(pipeline.settings, pipeline.topic, now=NOW)
    mark_topic(pipeline.settings, broker.source, pipeline.topic, now=NOW)
    after = Pipeline(pipeline.settings, pipeline.database, pipeline.topic).page()
    assert "should be complete" not in " ".join(said(after))
    hour = (NOW - 4 * HOUR).replace(minute=0)
    title = f"{hour:%Y-%m-%d %H:%M} UTC: complete, 2 records"
    [cell] = re.findall(rf'<td class="([^"]*)"><a href="([^"]*)"[^>]* title="{title}">([^<]*)', after)
    assert (cell[0], cell[2]) == ("hour hour-complete heat-4", "2")
    found = pipeline.client.get(cell[1].replace("&amp;", "&").removeprefix("/faultline"))
    assert "2 records" in words(found.text)


def test_the_last_proof_and_losses_are_told(pipeline: Pipeline, broker: RealBroker) -> None:
    produce(pipeline, broker, [5 * HOUR, 4 * HOUR])
    archive(pipeline, broker)
    never = rows(pipeline.page(), "tables")
    assert never[0][-1].startswith("Never.")
    verify_topics(pipeline.settings, broker.source, deep=True, clock=lambda: NOW)
    table = TopicTable.open(pipeline.settings.archive_url, pipeline.topic)
    part = broker.source.partitions(pipeline.topic)[0]
    record_losses(table, [OffsetRange(part, 2, 9)], reason=DELETED, at=NOW)
    page = Pipeline(pipeline.settings, pipeline.database, pipeline.topic).page()
    [row] = rows(page, "tables")
    assert row[1:4:2] == ["2", "2"]
    assert row[6] == "to be looked at: 7"
    assert row[7] == f"as it should be: proven {NOW:%Y-%m-%d %H:%M:%S} UTC every row read"
    assert f"{pipeline.topic}: 7 records were deleted by Kafka before they were archived." in said(page)[-1]


def test_hdfs_says_how_it_is(pipeline: Pipeline, broker: RealBroker) -> None:
    produce(pipeline, broker, [HOUR])
    archive(pipeline, broker)
    told = words(section(pipeline.page(), "storage"))
    assert "Writing as it should be: takes files" in told
    assert "3 live, 0 dead normal: none dead" in told
    assert re.search(r"The archive \d+ files, ", told)


def test_safe_mode_needs_somebody(
    hdfs_server: HdfsServer, broker: RealBroker, kafka: str, config: Settings, database: Database
) -> None:
    made = on_hdfs(hdfs_server, broker, kafka, config, database)
    hdfs_server.safe_mode(True)
    page = made.page()
    assert "wrong: HDFS is in safe mode and takes no changes, so nothing is archived." in said(page)
    assert "wrong: in safe mode" in words(section(page, "storage"))


@contextmanager
def shorter_silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What hangs is said to be silent after three seconds."""
    with monkeypatch.context() as changed:
        changed.setattr(probes, "SILENCE", 3 * SECOND)
        yield


def took(pipeline: Pipeline) -> float:
    began = time.monotonic()
    assert pipeline.client.get("/pipeline").status_code == 200
    return time.monotonic() - began


def test_while_hdfs_hangs_the_page_answers_says_so_and_shows_what_was_known(
    hdfs_server: HdfsServer,
    broker: RealBroker,
    kafka: str,
    config: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = on_hdfs(hdfs_server, broker, kafka, config, database)
    produce(made, broker, [4 * HOUR, HOUR])
    archive(made, broker)
    monkeypatch.setattr("faultline.page.sources._SECOND", timedelta(0))
    monkeypatch.setattr(probes, "IDLE", 0)
    made = Pipeline(made.settings, database, made.topic)
    assert rows(made.page(), "tables")[0][1] == "2"
    hdfs_server.namenode.suspend()
    try:
        with shorter_silence(monkeypatch):
            page = made.page(lambda page: "tables do not answer. Is HDFS up?" in page and "HDFS does not" in page)
            assert "Kafka answered 0s ago" in words(section(page, "sources"))
            assert rows(page, "tables")[0][1] == "2"
            assert "what is shown is of" in words(section(page, "sources"))
            assert max(took(made) for _ in range(5)) < probes.SILENCE.total_seconds()
            gathering = [each.name for each in threading.enumerate() if each.name.startswith("page-")]
            assert len(gathering) == len(set(gathering))
    finally:
        hdfs_server.namenode.resume()
    assert said(made.page(lambda page: "Archive tables answered" in words(page) and "fails since" not in page))


def test_without_kafka_and_hdfs_the_page_says_why_and_shows_the_rest(
    config: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {
        "kafka_bootstrap_servers": NOWHERE,
        "archive_url": "hdfs://127.0.0.1:1/archive",
        "webhdfs_url": "http://127.0.0.1:1",
    }
    made = Pipeline(config.model_copy(update=changed), database, "app-logs")
    made.evaluate()
    page = made.page(lambda page: page.count("fails since") == 3)
    sources = words(section(page, "sources"))
    assert "the NameNode at http://127.0.0.1:1 does not answer" in sources
    assert "Kafka cannot be asked how far behind we are:" in " ".join(said(page))
    assert "Last evaluated as it should be: 0s ago" in words(section(page, "rules"))


def test_a_broker_that_dies_leaves_what_it_said_and_since_when_it_is_gone(
    kafka_server: KafkaServer,
    hdfs: HdfsServer,
    config: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = RealBroker(kafka_server.bootstrap)
    monkeypatch.setattr("faultline.page.sources._SECOND", timedelta(0))
    monkeypatch.setattr(probes, "IDLE", 0)
    with broker.source:
        made = on_hdfs(hdfs, broker, kafka_server.bootstrap, config, database)
        produce(made, broker, [HOUR])
        assert rows(made.page(), "lag")[1][2] == "1"
    kafka_server.kill()
    page = made.page(lambda page: "Kafka cannot be asked" in page)
    assert "what is shown is of" in words(section(page, "sources"))
    assert rows(page, "lag")[1][2] == "1"


def test_a_database_that_is_away_takes_nothing_else_with_it(local: Pipeline, database: Database) -> None:
    TopicTable.open_or_create(local.settings.archive_url, "app-logs")
    away = local.settings.model_copy(update={"database_url": "postgresql://user:hidden@127.0.0.1:1/name"})
    page = Pipeline(away, database, "app-logs").page()
    assert any("The database cannot be read. Nothing is counted or alerted" in each for each in said(page))
    assert rows(page, "tables")[0][1] == "0"
    assert "hidden" not in page


def test_late_unparsable_and_unsent_are_counted(local: Pipeline, database: Database) -> None:
    bucket = NOW - MINUTE
    broken = replace(count(7, parse_error="true"), bucket_start=bucket, first_ts=bucket, last_ts=bucket)
    spans = [OffsetRange(PART, 0, 9)]
    database.record_counts(spans, [broken], late=[LateCount("app-logs", NOW - 30 * MINUTE, 12)])
    for episode in ("e1", "e2"):
        database.enqueue(replace(notification(episode=episode), created_at=NOW - HOUR), ["ops"])
    [first] = database.lease_due(NOW, MINUTE, 1)
    database.record_delivery(first, Outcome(OutboxState.DEAD, Delivery(DeliveryStatus.PERMANENT, "404", "gone")), NOW)
    page = local.page()
    assert rows(page, "uncounted") == [["app-logs", "to be looked at: 12", "to be looked at: 7", "0"]]
    told = words(section(page, "outbox"))
    assert "given up to be looked at: 1 normal: 0" in told
    assert "Oldest that waits to be looked at: 1h normal: ≤ 5m" in told
    assert [each for each in said(page) if "app-logs: " in each and "last day" in each] == [
        "to be looked at: app-logs: 12 records of the last day came too late to be counted.",
        "to be looked at: app-logs: 7 records of the last day were understood by no parser; see faultline try-format.",
    ]


def test_a_faulty_rules_file_is_named_with_its_line(local: Pipeline, database: Database) -> None:
    database.record_rules("rules.yaml", "groups: [", "", [Fault("rules.yaml", 3, "not a duration: 'soon'")], NOW)
    page = local.page()
    assert "wrong: A fault in the rules or topics" in " ".join(said(page))
    rules = words(section(page, "rules"))
    assert "rules.yaml:3: not a duration" in rules
    assert "The rules and topics wrong: one fault; the last good version is in force normal: valid" in rules


@pytest.mark.parametrize(
    ("ago", "level"),
    [(SECOND, "as it should be"), (MINUTE, "to be looked at"), (HOUR, "wrong")],
    ids=str,
)
def test_an_evaluation_is_as_good_as_it_is_recent(local: Pipeline, ago: timedelta, level: str) -> None:
    local.evaluate(ago)
    assert f"Last evaluated {level}: " in words(section(local.page(), "rules"))


def test_a_faulty_topics_file_is_said_and_the_rest_is_shown(local: Pipeline) -> None:
    local.settings.topics_file.write_text("topics: [{name: 7up!}]")
    page = local.page()
    assert "topics.yaml is faulty:" in words(page)
    assert "topics.yaml:1: topics.0.name: not a topic" in words(page).replace("&#39;", "'")


def test_topics_come_in_pages_and_one_may_be_looked_at_alone(local: Pipeline) -> None:
    names = [f"topic-{number}" for number in range(7)]
    local.settings.topics_file.write_text(f"topics: [{', '.join(f'{{name: {name}}}' for name in names)}]")
    local.page()

    def shown(path: str) -> list[str]:
        return [row[0] for row in rows(local.page(path=path), "tables")]

    assert shown("/pipeline") == names[:5]
    assert shown("/pipeline?page=2") == shown("/pipeline?page=99") == names[5:]
    assert shown("/pipeline?topic=topic-3") == ["topic-3"]


def test_an_archive_without_marks_says_so(config: Settings, database: Database) -> None:
    changed = {"archive_url": "hdfs://127.0.0.1:1/archive", "kafka_bootstrap_servers": NOWHERE}
    page = Pipeline(config.model_copy(update=changed), database, "app-logs").page()
    assert "No hour is marked: FAULTLINE_WEBHDFS_URL is not set." in words(section(page, "hours"))
    assert "Not known: FAULTLINE_WEBHDFS_URL is not set." in words(section(page, "storage"))


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_nothing_that_is_said_becomes_markup(local: Pipeline, database: Database, text: str) -> None:
    database.record_rules(text, text, "", [Fault(text, 3, text)], NOW)
    database.record_counts([OffsetRange(PART, 0, 1)], [], late=[LateCount(text, NOW - HOUR, 1)])
    table = TopicTable.open_or_create(local.settings.archive_url, "app-logs")
    record_losses(table, [OffsetRange(PART, 0, 9)], reason=text, at=NOW)
    page = local.page()
    assert_harmless(page)
    for name in ("topic", "page", "lang"):
        assert_harmless(local.client.get("/pipeline", params={name: text}).text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_no_fault_of_a_source_becomes_markup(local: Pipeline, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TransientError(text)

    for gather in ("kafka_state", "archive_state", "hdfs_state", "counting_state"):
        monkeypatch.setattr(f"faultline.page.sources.{gather}", fail)
    assert_harmless(local.page())


def test_it_speaks_chinese(local: Pipeline) -> None:
    page = local.page(lambda page: "等待答复" not in page, "/pipeline?lang=zh")
    assert "规则从未评估过" in words(section(page, "concerns"))
