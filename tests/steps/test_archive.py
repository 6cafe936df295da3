"""A run of the archive lane over several topics, in memory and in a local folder."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.delta import TopicTable
from faultline.errors import PermanentError, TransientError
from faultline.settings import Settings
from faultline.steps.archive import append_group, verify_topics
from faultline.steps.archive_plan import archived_until, plan_archive_run
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON

NOW = NOON + timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "topics.yaml").write_text("topics: [{name: one}, {name: two}]")
    return Settings(
        archive_url=str(tmp_path / "archive"), topics_file=tmp_path / "topics.yaml", archive_patience=timedelta(0)
    )


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    for topic in ("one", "two"):
        memory.create(topic)
        for _ in range(5):
            memory.produce(topic, b"{}")
    return memory


def plan(settings: Settings, source: MemorySource, **more: Any) -> list[dict[str, Any]]:
    return plan_archive_run(settings, source, **{"until": NOW, "clock": lambda: NOW, **more})


def archive(settings: Settings, source: MemorySource, **more: Any) -> tuple[int, list[str]]:
    """Rows archived, and the faults of the appends that failed."""
    rows, faults = 0, []
    for group in plan(settings, source, **more):
        try:
            rows += append_group(settings, source, group)["rows"]
        except PermanentError as error:
            faults.append(str(error))
    return rows, faults


def test_a_topic_that_is_not_there_fails_alone(settings: Settings, source: MemorySource) -> None:
    source.delete("one")
    assert archive(settings, source) == (5, ["there is no topic 'one'"])


def test_a_topic_that_kafka_has_lost_records_of_fails_alone(settings: Settings, source: MemorySource) -> None:
    archive(settings, source)
    for topic in ("one", "two"):
        for _ in range(5):
            source.produce(topic, b"{}")
    source.delete_records("one", 0, 8)
    rows, [fault] = archive(settings, source)
    assert rows == 5
    assert "one/0[5, 8) (3 offsets)" in fault


def test_a_broker_that_is_away_fails_the_plan(settings: Settings, source: MemorySource) -> None:
    source.unreachable = True
    with pytest.raises(TransientError):
        plan(settings, source)


def test_a_dry_run_appends_nothing_but_fails_where_a_run_would(settings: Settings, source: MemorySource) -> None:
    assert plan(settings, source, dry_run=True) == []
    source.delete("one")
    assert archive(settings, source, dry_run=True) == (0, ["there is no topic 'one'"])


def test_what_an_attempt_that_was_killed_has_archived_is_told_of_by_the_next(
    settings: Settings, source: MemorySource
) -> None:
    def die(step: str) -> None:
        if step == "after_commit":
            raise KeyboardInterrupt

    group = plan(settings, source, topics=["one"])[0]
    with pytest.raises(KeyboardInterrupt):
        append_group(settings, source, group, checkpoint=die)
    done = append_group(settings, source, group)
    assert done["rows"] == 0
    assert done["archived"] == {"offsets": group["ranges"], "rows": 5, "hours": ["2026-11-22T12"]}


def test_a_run_stops_at_the_end_of_its_interval(settings: Settings, source: MemorySource) -> None:
    source.produce("one", b"{}", at=NOON + timedelta(minutes=30))
    assert archive(settings, source, until=NOON + timedelta(minutes=10)) == (10, [])
    assert archive(settings, source) == (1, [])


def test_a_record_from_the_future_holds_up_none_behind_it(settings: Settings, source: MemorySource) -> None:
    source.produce("one", b"{}", at=NOON + timedelta(days=365))
    source.produce("one", b"{}")
    assert archive(settings, source) == (12, [])
    source.produce("one", b"{}")
    assert archive(settings, source) == (1, [])
    assert all(report.ok for report in verify_topics(settings, source))


def test_a_topic_that_is_not_there_gets_no_table(settings: Settings, source: MemorySource) -> None:
    source.delete("one")
    plan(settings, source)
    with pytest.raises(PermanentError, match="there is no table"):
        TopicTable.open(settings.archive_url, "one")


HOURS = [NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)]


def until(settings: Settings, source: MemorySource) -> datetime | None:
    return archived_until(settings, source, "one", times=HOURS, now=NOW + timedelta(minutes=30))


def test_what_is_archived_wholly_is_complete_until_now_and_stays_so_while_idle(
    settings: Settings, source: MemorySource
) -> None:
    archive(settings, source)
    assert until(settings, source) == NOW + timedelta(minutes=30)


def test_an_hour_is_complete_when_all_that_was_received_before_its_end_is_archived(
    settings: Settings, source: MemorySource
) -> None:
    archive(settings, source)
    source.produce("one", b"{}", at=NOON + timedelta(minutes=59))
    assert until(settings, source) == NOON
    archive(settings, source)
    source.produce("one", b"{}", at=NOON + timedelta(minutes=61))
    assert until(settings, source) == NOON + timedelta(hours=1)


def test_behind_a_record_from_the_future_nothing_is_complete_before_it_is_archived(
    settings: Settings, source: MemorySource
) -> None:
    archive(settings, source)
    source.produce("one", b"{}", at=NOON + timedelta(days=365))
    assert until(settings, source) is None
