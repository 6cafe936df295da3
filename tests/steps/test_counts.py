"""The counting task: from positions to transactions, with a fake source and with a real one that is killed."""

from __future__ import annotations

import json
import logging
import multiprocessing
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faultline.adapters.database import Database
from faultline.adapters.kafka import KafkaSource
from faultline.alerting.alerts import Evaluation
from faultline.errors import PermanentError
from faultline.model import LateCount, OffsetRange, TopicPartition, utc_now
from faultline.settings import Settings
from faultline.steps.counts import count_topic, count_until, plan_counts
from faultline.testing.kafka import MemorySource
from faultline.topicfile import TopicConfig
from tests.steps.counting_worker import count_and_die

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPIC = TopicConfig(name="app-logs")
AWKWARD = [b"not json", b"", b"\xff\xfe\x00", b'{"message": "' + b"x" * 1_000_000 + b'"}', b"[1, 2", None]


def line(number: int, service: str = "db") -> bytes:
    record = {"message": f"call {number} failed", "level": "ERROR", "service": service, "@timestamp": NOON.isoformat()}
    return json.dumps(record).encode()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path / 'faultline.db'}") as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    memory.create("app-logs", partitions=2)
    return memory


def total(database: Database) -> int:
    return sum(database.totals().values())


@pytest.mark.parametrize(
    ("stored", "low", "high", "planned"),
    [
        (None, 0, 10, (0, 10)),
        (None, 4, 10, (4, 10)),
        (7, 0, 10, (7, 10)),
        (10, 0, 10, (10, 10)),
        (12, 0, 10, (12, 12)),
    ],
    ids=["first time", "first time, after retention", "goes on", "nothing new", "the broker lost its end"],
)
def test_a_plan_goes_from_the_stored_position_to_the_end(
    stored: int | None, low: int, high: int, planned: tuple[int, int]
) -> None:
    partition = TopicPartition("app-logs", "id", 0)
    plan = plan_counts({partition: stored}, {partition: OffsetRange(partition, low, high)})
    assert plan == [OffsetRange(partition, *planned)]


def test_every_record_is_counted_once_however_often_one_asks(source: MemorySource, database: Database) -> None:
    for number in range(100):
        source.produce("app-logs", line(number), partition=number % 2, at=NOON)
    assert count_topic(Settings(count_batch_rows=7), source, database, TOPIC, at=NOON) == 100
    assert count_topic(Settings(), source, database, TOPIC, at=NOON) == 0
    assert total(database) == 100


def test_records_that_no_parser_understands_are_counted_and_the_batch_goes_on(
    source: MemorySource, database: Database
) -> None:
    for value in [line(1), *AWKWARD, line(2)]:
        source.produce("app-logs", value, at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    counts = database.counts_between(["app-logs"], NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert sum(each.count for each in counts) == len(AWKWARD) + 2
    assert sum(each.count for each in counts if each.labels.get("parse_error") == "true") == len(AWKWARD) - 1


def test_an_idle_partition_is_complete_up_to_now(source: MemorySource, database: Database) -> None:
    source.produce("app-logs", line(1), partition=0, at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    later = NOON + timedelta(minutes=5)
    count_topic(Settings(), source, database, TOPIC, at=later)
    assert database.watermark(source.partitions("app-logs"), timedelta(seconds=30)) == later - timedelta(seconds=30)


def test_offsets_deleted_before_they_were_counted_are_named_and_counting_goes_on(
    source: MemorySource, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10):
        source.produce("app-logs", line(number), at=NOON)
        if number == 2:
            count_topic(Settings(), source, database, TOPIC, at=NOON)
    source.delete_records("app-logs", 0, before=8)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    assert total(database) == 5
    assert "app-logs/0[3, 8)" in caplog.text


def test_a_topic_created_again_is_counted_from_its_beginning(source: MemorySource, database: Database) -> None:
    for _ in range(2):
        source.create("app-logs")
        source.produce("app-logs", line(1), at=NOON)
        count_topic(Settings(), source, database, TOPIC, at=NOON)
    assert total(database) == 2


def test_errors_of_a_host_whose_clock_is_ahead_are_counted_now(source: MemorySource, database: Database) -> None:
    ahead = NOON + timedelta(minutes=10)
    record = {"message": "failed", "level": "ERROR", "service": "db", "@timestamp": ahead.isoformat()}
    source.produce("app-logs", json.dumps(record).encode(), at=ahead)
    source.produce("app-logs", line(1), at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    counts = database.counts_between(["app-logs"], NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert [(each.bucket_start, each.count) for each in counts] == [(NOON, 1), (NOON, 1)]


def evaluated(database: Database, watermark: datetime) -> None:
    made = Evaluation(watermark, watermark, "0" * 16, (), (), (), ())
    database.record_evaluation(database.acquire_lease("alerts", "test"), made)


def error(at: datetime) -> bytes:
    record = {"message": "failed", "level": "ERROR", "service": "db", "@timestamp": at.isoformat()}
    return json.dumps(record).encode()


def test_records_later_than_allowed_are_not_counted_and_are_counted_as_that(
    source: MemorySource, database: Database
) -> None:
    settings = Settings(allowed_lateness=timedelta(seconds=30))
    count_topic(settings, source, database, TOPIC, at=NOON)
    evaluated(database, NOON - settings.allowed_lateness)
    for seconds in (59, 60, 61, 7200):
        source.produce("app-logs", error(NOON - timedelta(seconds=seconds)), at=NOON)
    assert count_topic(settings, source, database, TOPIC, at=NOON) == 4
    assert total(database) == 2
    hours = (NOON - timedelta(hours=1), NOON - timedelta(hours=2))
    assert database.late_dropped() == [LateCount("app-logs", hour, 1) for hour in hours]


def test_a_clock_that_was_ahead_for_a_while_makes_nothing_late_when_it_is_set_back(
    source: MemorySource, database: Database
) -> None:
    partitions, tomorrow = source.partitions("app-logs"), NOON + timedelta(days=1)
    count_topic(Settings(), source, database, TOPIC, at=tomorrow)
    evaluated(database, tomorrow)
    source.produce("app-logs", error(NOON), at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    assert (total(database), database.late_dropped()) == (1, [])
    assert database.watermark(partitions, timedelta(0)) == NOON


def test_of_what_is_read_for_the_first_time_nothing_is_late(source: MemorySource, database: Database) -> None:
    evaluated(database, NOON)
    source.produce("app-logs", error(NOON - timedelta(hours=5)), partition=1, at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    assert (total(database), database.late_dropped()) == (1, [])


def test_of_what_is_caught_up_with_after_a_stop_nothing_is_late(source: MemorySource, database: Database) -> None:
    source.produce("app-logs", error(NOON), partition=0, at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    later = NOON + timedelta(hours=3)
    for minutes in (1, 100, 170):
        source.produce("app-logs", error(NOON + timedelta(minutes=minutes)), partition=0, at=later)
    evaluated(database, database.watermark(source.partitions("app-logs"), timedelta(seconds=30)))
    count_topic(Settings(count_batch_rows=1), source, database, TOPIC, at=later)
    assert (total(database), database.late_dropped()) == (4, [])


class Rounds:
    """Stops a loop after some rounds; between two of them something happens."""

    def __init__(self, *between: Callable[[], object]) -> None:
        self._between = iter(between)
        self.over = False

    def sleep(self, _seconds: float) -> None:
        action = next(self._between, None)
        self.over = action is None
        if action:
            action()


def test_counting_waits_for_kafka_and_for_topics_that_are_not_there_yet(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    source = MemorySource()
    source.unreachable = True

    def kafka_starts() -> None:
        source.unreachable = False

    def topic_appears() -> None:
        source.create("app-logs")
        source.produce("app-logs", line(1), at=NOON)

    rounds = Rounds(lambda: None, kafka_starts, lambda: None, topic_appears)
    settings = Settings(topics_file=tmp_path / "topics.yaml")
    with caplog.at_level(logging.WARNING):
        records = count_until(lambda: rounds.over, settings, source, database, clock=lambda: NOON, sleep=rounds.sleep)
    assert records == 1
    assert [record.message.count("there is no topic") for record in caplog.records] == [0, 1]


def test_what_will_not_pass_in_one_topic_holds_up_no_other_and_is_raised_at_the_end(
    tmp_path: Path, source: MemorySource, database: Database
) -> None:
    class Forbidden(MemorySource):
        def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
            if topic == "secret":
                raise PermanentError("not allowed")
            return source.partitions(topic)

    forbidden = Forbidden()
    forbidden.watermarks, forbidden.read = source.watermarks, source.read
    (tmp_path / "topics.yaml").write_text("topics: [{name: secret}, {name: app-logs}]")
    source.produce("app-logs", line(1), at=NOON)
    rounds = Rounds(lambda: source.produce("app-logs", line(2), at=NOON))
    settings = Settings(topics_file=tmp_path / "topics.yaml")
    with pytest.raises(PermanentError, match="secret: not allowed"):
        count_until(lambda: rounds.over, settings, forbidden, database, clock=lambda: NOON, sleep=rounds.sleep)
    assert total(database) == 2


def test_a_topic_created_again_while_it_is_read_is_counted_in_the_next_round(
    tmp_path: Path, database: Database
) -> None:
    class CreatedAgain(MemorySource):
        def watermarks(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetRange]:
            held = super().watermarks(partitions)
            if partitions[0].topic_id == "generation-1":
                self.create("app-logs")
                self.produce("app-logs", line(2), at=NOON)
            return held

    source = CreatedAgain()
    source.create("app-logs")
    source.produce("app-logs", line(1), at=NOON)
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    rounds = Rounds(lambda: None)
    settings = Settings(topics_file=tmp_path / "topics.yaml")
    assert count_until(lambda: rounds.over, settings, source, database, clock=lambda: NOON, sleep=rounds.sleep) == 1


def test_a_topic_that_stays_away_does_not_hold_the_watermark_back(
    tmp_path: Path, source: MemorySource, database: Database
) -> None:
    now = [NOON]

    def later(seconds: int) -> None:
        now[0] += timedelta(seconds=seconds)

    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    settings = Settings(topics_file=tmp_path / "topics.yaml")
    partitions = source.partitions("app-logs")
    rounds = Rounds(lambda: source.delete("app-logs"), lambda: later(59), lambda: later(1))
    seen = []

    def stop() -> bool:
        seen.append(database.watermark(partitions, timedelta(0)))
        return rounds.over

    count_until(stop, settings, source, database, clock=lambda: now[0], sleep=rounds.sleep)
    assert seen == [None, NOON, NOON, NOON, NOON + timedelta(seconds=60)]


def test_the_watermark_waits_for_every_partition_of_a_new_topic(source: MemorySource, database: Database) -> None:
    class Stops(Exception):
        pass

    def stop(_step: str) -> None:
        raise Stops

    source.produce("app-logs", line(1), partition=1, at=NOON - timedelta(hours=1))
    with pytest.raises(Stops):
        count_topic(Settings(), source, database, TOPIC, at=NOON, checkpoint=stop)
    assert [each.complete_to for each in database.counted()] == [NOON, None]
    assert database.watermark(source.partitions("app-logs"), timedelta(0)) is None


def test_counts_older_than_their_retention_are_forgotten_when_counting_starts(
    tmp_path: Path, source: MemorySource, database: Database
) -> None:
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    source.produce("app-logs", line(1), at=NOON)
    count_topic(Settings(), source, database, TOPIC, at=NOON)
    settings = Settings(topics_file=tmp_path / "topics.yaml", count_retention=timedelta(days=8))
    for days, left in ((7, 1), (9, 0)):
        count_until(lambda: True, settings, source, database, clock=lambda days=days: NOON + timedelta(days=days))
        assert total(database) == left


@pytest.mark.parametrize("step", ["consumed", "before_commit", "after_commit"])
def test_a_counter_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(
    step: str, kafka: str, database_url: str
) -> None:
    topic = f"counts-{uuid.uuid4().hex[:8]}"
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(3000):
        producer.produce(topic, line(number), key=str(number))
    producer.flush()
    with KafkaSource(kafka) as source, Database(database_url) as database:
        database.migrate()
        worker = multiprocessing.get_context("spawn").Process(
            target=count_and_die, args=(kafka, database_url, topic, step)
        )
        worker.start()
        worker.join(60)
        assert worker.exitcode == -signal.SIGKILL
        assert 0 < total(database) < 3000
        count_topic(Settings(), source, database, TopicConfig(name=topic), at=utc_now())
        assert database.totals() == {topic: 3000}
        ends = source.watermarks(source.partitions(topic))
        assert database.positions(list(ends)) == {each: span.end for each, span in ends.items()}
