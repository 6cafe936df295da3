"""Clocks that are wrong: ours, which jumps while the alerting task runs or restarts, and those that date records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faultline.adapters.database import Database
from faultline.alerting.alerts import Evaluation
from faultline.model import AlertState, LateCount, NotificationKind
from faultline.settings import Settings
from faultline.steps.alerts import AlertWatch
from faultline.steps.counts import count_topic
from faultline.testing.kafka import MemorySource
from faultline.topicfile import TopicConfig
from tests.steps.test_alerts import RULES, START, TOPICS, Clock

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LONG_AGO, FAR_AHEAD = datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
Told = list[NotificationKind]


class Run:
    """The counting and the alerting task on one clock, batches of two records, and a process that may be restarted."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.clock = Clock()
        self._settings, self._database = settings, database
        self._source = MemorySource()
        self._source.create("app-logs", partitions=2)
        self._watch = self._begin()

    def _begin(self) -> AlertWatch:
        return AlertWatch(self._settings, self._database, "test", clock=self.clock)

    def restart(self) -> None:
        """The next evaluation is another process's."""
        self.end()
        self._watch = self._begin()

    def end(self) -> None:
        self._watch.__exit__(None, None, None)

    def log(self, number: int, at: datetime, partition: int = 0) -> None:
        """So many errors, by a host and a producer whose clocks both say that it is ``at``."""
        record = {"message": "refused", "level": "ERROR", "service": "db", "@timestamp": at.isoformat()}
        for _ in range(number):
            self._source.produce("app-logs", json.dumps(record).encode(), partition=partition, at=at)

    def count(self) -> None:
        topic = TopicConfig(name="app-logs")
        count_topic(self._settings, self._source, self._database, topic, at=self.clock.now)

    def evaluate(self) -> Evaluation:
        evaluation = self._watch.evaluate()
        assert evaluation is not None
        return evaluation

    def told(self) -> Told:
        """Count, evaluate, and say what was sent."""
        self.count()
        return [sent.kind for sent in self.evaluate().notifications]

    def after(self, wait: timedelta) -> Told:
        """The same when time has gone on."""
        self.clock.now += wait
        return self.told()


@contextmanager
def running(settings: Settings) -> Iterator[Run]:
    with Database(settings.database_url) as database:
        run = Run(settings, database)
        yield run
        run.end()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "topics.yaml").write_text(TOPICS)
    url = f"sqlite:///{tmp_path / 'faultline.db'}"
    with Database(url) as opened:
        opened.migrate()
    return Settings(
        database_url=url,
        rules_file=tmp_path / "rules.yaml",
        topics_file=tmp_path / "topics.yaml",
        count_batch_rows=2,
    )


RESTARTS = pytest.mark.parametrize(
    "restarts",
    [(), ("there",), ("back",), ("there", "back")],
    ids=["no restart", "restart after the jump", "restart when it is set back", "both"],
)


@RESTARTS
@pytest.mark.parametrize(
    "jump", [DAY, HOUR, -HOUR, -DAY], ids=["a day ahead", "an hour ahead", "an hour back", "a day"]
)
def test_a_clock_that_jumps_and_is_set_right_loses_no_alert_that_begins_meanwhile(
    settings: Settings, restarts: tuple[str, ...], jump: timedelta
) -> None:
    with running(settings) as run:
        run.log(1, START)
        assert run.told() == []
        run.clock.now += jump
        if "there" in restarts:
            run.restart()
        assert run.told() == []
        run.clock.now = START + SECOND
        if "back" in restarts:
            run.restart()
        run.log(4, run.clock.now)
        assert run.told() == [NotificationKind.FIRING]
        assert run.told() == []
        assert run.after(5 * 60 * SECOND) == [NotificationKind.RESOLVED]
        assert run.after(SECOND) == []


@RESTARTS
@pytest.mark.parametrize("jump", [HOUR, -HOUR, -DAY], ids=["+1h", "-1h", "-1d"])
def test_a_page_that_is_out_when_the_clock_jumps_is_sent_once_and_has_one_end(
    settings: Settings, restarts: tuple[str, ...], jump: timedelta
) -> None:
    with running(settings) as run:
        run.log(5, START)
        assert run.told() == [NotificationKind.FIRING]
        run.clock.now += jump
        if "there" in restarts:
            run.restart()
        told = run.told()
        run.clock.now = START + SECOND
        if "back" in restarts:
            run.restart()
        for wait in (SECOND, 10 * SECOND, 5 * 60 * SECOND, SECOND):
            told += run.after(wait)
        assert told == [NotificationKind.RESOLVED]


@pytest.mark.parametrize("odd", [LONG_AGO, FAR_AHEAD], ids=["1970", "2099"])
@pytest.mark.parametrize("before", [True, False], ids=["in a topic that is counted", "as the first that is counted"])
def test_records_of_an_absurd_time_close_nothing_and_keep_no_alert_from_being_sent(
    settings: Settings, odd: datetime, before: bool
) -> None:
    with running(settings) as run:
        if before:
            run.log(4, START)
            assert run.told() == []
        run.log(3, odd, partition=1)
        run.count()
        firing = before and odd == FAR_AHEAD  # those count as of now
        assert [step.target for step in run.evaluate().transitions] == ([AlertState.FIRING] if firing else [])
        run.log(5, run.clock.now + 10 * SECOND)
        assert run.after(10 * SECOND) == ([] if firing else [NotificationKind.FIRING])
        run.log(1, odd, partition=1)
        assert run.after(30 * SECOND) == []
        assert run.after(5 * 60 * SECOND) == [NotificationKind.RESOLVED]


def test_a_record_of_2099_counts_when_it_comes_and_one_of_1970_is_shown_as_too_late(settings: Settings) -> None:
    with running(settings) as run, Database(settings.database_url) as database:
        run.log(2, FAR_AHEAD)
        run.log(3, LONG_AGO, partition=1)
        run.count()
        counts = database.counts_between(["app-logs"], LONG_AGO, None)
        assert [(each.bucket_start, each.count) for each in counts] == [(START, 2)]
        assert database.late_dropped() == [LateCount("app-logs", LONG_AGO, 3)]


def test_while_an_old_backlog_is_read_evaluations_cost_what_is_new(settings: Settings) -> None:
    """From a week ago on there are sixty thousand buckets; only those with records are looked at."""
    with running(settings) as run:
        run.log(2, START - 7 * DAY)
        run.log(5, START, partition=1)
        run.count()
        assert [sent.kind for sent in run.evaluate().notifications] == [NotificationKind.FIRING]
