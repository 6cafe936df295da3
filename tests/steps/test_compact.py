"""Looking after the tables, with settings and topics.yaml as users have them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.delta import TopicTable
from faultline.archive.hours import Hour
from faultline.errors import PermanentError
from faultline.settings import Settings
from faultline.steps.archive import append_group, verify_topics
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.clean import clean_topic
from faultline.steps.compact import compaction_window, merge_topic, plan_compaction
from faultline.steps.marks import MARK_STEPS, mark_topic
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "topics.yaml").write_text("topics: [{name: app, retention: 5h}, {name: new}]")
    return Settings(
        archive_url=str(tmp_path / "archive"), topics_file=tmp_path / "topics.yaml", archive_patience=timedelta(0)
    )


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    memory.create("app")
    memory.create("new")
    return memory


def archive(settings: Settings, source: MemorySource, *hours: int, now: datetime) -> None:
    """One append of one record for each hour, counted from noon."""
    for hour in hours:
        at = NOON + hour * HOUR
        source.produce("app", json.dumps({"@timestamp": at.isoformat()}).encode(), at=at)
        for group in plan_archive_run(settings, source, until=now, topics=["app"], clock=lambda: now):
            append_group(settings, source, group)


def mark(settings: Settings, hour: int) -> Any:
    path = Path(settings.archive_url, "_complete", "app", Hour(NOON + hour * HOUR).folder)
    return json.loads(path.read_bytes()) if path.exists() else None


def test_closed_hours_are_merged_and_marked_and_the_open_one_is_left_alone(
    settings: Settings, source: MemorySource
) -> None:
    now = NOON + 2 * HOUR + timedelta(minutes=30)
    archive(settings, source, 0, 0, 0, 2, 2, now=now)
    [plan] = plan_compaction(settings, now=now)
    assert (plan.to_dict()["hours"], plan.files, plan.small) == (["2026-11-22T12"], 5, 5)
    assert merge_topic(settings, "app", now=now)["files"] == 3
    assert mark_topic(settings, source, "app", now=now) == ["2026-11-22T12", "2026-11-22T13"]
    assert {name: mark(settings, 0)[name] for name in ("dt", "hr", "rows", "files")} == {
        "dt": "2026-11-22", "hr": "12", "rows": 3, "files": 1,
    }  # fmt: skip
    assert mark(settings, 1)["rows"] == 0
    assert mark(settings, 2) is None
    assert mark_topic(settings, source, "app", now=now) == []


@pytest.mark.parametrize("step", MARK_STEPS)
def test_a_run_that_ends_at_any_step_of_marking_is_made_good_by_the_next(
    settings: Settings, source: MemorySource, step: str
) -> None:
    now = NOON + 3 * HOUR
    archive(settings, source, 0, 1, now=now)
    merge_topic(settings, "app", now=now)

    def end(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mark_topic(settings, source, "app", now=now, checkpoint=end)
    mark_topic(settings, source, "app", now=now)
    assert [mark(settings, hour)["rows"] for hour in (0, 1)] == [1, 1]


def test_late_rows_change_the_mark_of_their_hour(settings: Settings, source: MemorySource) -> None:
    now = NOON + 4 * HOUR
    archive(settings, source, 0, 0, 2, now=now)
    merge_topic(settings, "app", now=now)
    mark_topic(settings, source, "app", now=now)
    archive(settings, source, 0, now=now)
    assert mark_topic(settings, source, "app", now=now) == []  # not before the merge
    merge_topic(settings, "app", now=now)
    assert mark_topic(settings, source, "app", now=now) == ["2026-11-22T12"]
    assert mark(settings, 0)["rows"] == 3


def test_an_hour_is_not_marked_while_records_of_it_wait_in_kafka(settings: Settings, source: MemorySource) -> None:
    now = NOON + 4 * HOUR
    archive(settings, source, 0, 1, now=now)
    source.produce("app", b"{}", at=NOON + HOUR + timedelta(minutes=5))
    merge_topic(settings, "app", now=now)
    assert mark_topic(settings, source, "app", now=now) == []


def test_expired_hours_lose_rows_and_mark_and_the_table_stays_proven(settings: Settings, source: MemorySource) -> None:
    now = NOON + 4 * HOUR
    archive(settings, source, 0, 0, 2, now=now)
    merge_topic(settings, "app", now=now)
    mark_topic(settings, source, "app", now=now)
    later = now + 2 * HOUR
    done = clean_topic(settings, "app", now=later)
    assert (done["expired"], done["rows"], mark(settings, 0)) == (["2026-11-22T12"], 2, None)
    assert mark(settings, 2) is not None
    [report] = verify_topics(settings, source, ["app"])
    assert (report.faults, report.rows) == ((), 1)
    assert merge_topic(settings, "app", now=later)["files"] == 0


def test_hours_that_are_about_to_expire_are_not_merged(settings: Settings, source: MemorySource) -> None:
    archive(settings, source, 0, 0, now=NOON + HOUR)
    [plan] = plan_compaction(settings, now=NOON + 8 * HOUR)
    assert (plan.merges, [str(hour) for hour in plan.expired]) == ((), ["2026-11-22T12"])


def test_a_topic_without_a_table_is_left_out_and_an_unknown_one_is_refused(
    settings: Settings, source: MemorySource
) -> None:
    archive(settings, source, 0, now=NOON + HOUR)
    assert [plan.topic for plan in plan_compaction(settings, now=NOON)] == ["app"]
    with pytest.raises(PermanentError, match="no-such"):
        plan_compaction(settings, now=NOON, topics=["no-such"])


def test_a_log_of_more_than_a_week_is_shortened_once_a_day(settings: Settings, source: MemorySource) -> None:
    archive(settings, source, 0, now=NOON + HOUR)
    created = TopicTable.open(settings.archive_url, "app")._table.history()[-1]["timestamp"] / 1000
    made = datetime.fromtimestamp(created, NOON.tzinfo)
    assert not clean_topic(settings, "app", now=made + timedelta(days=8))["log_shortened"]
    assert clean_topic(settings, "app", now=made + timedelta(days=8, minutes=1))["log_shortened"]


START, END = NOON + timedelta(minutes=15), NOON + timedelta(minutes=75)
WINDOWS: dict[str, tuple[dict[str, Any], tuple[datetime | None, datetime | None]]] = {
    "scheduled: all that was closed by its end": ({"run_type": "scheduled"}, (None, NOON + timedelta(minutes=65))),
    "backfill: what was closed in its interval": ({"run_type": "backfill"}, (NOON, NOON + timedelta(minutes=65))),
    "by hand: all that is closed now": ({"run_type": "manual"}, (None, None)),
    "by hand, as the form says": (
        {"run_type": "manual", "since": "2026-11-22T10:00", "until": "2026-11-22T14:00+02:00"},
        (NOON - 2 * HOUR, NOON),
    ),
}


@pytest.mark.parametrize(("chosen", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_the_hours_of_a_run(
    settings: Settings, chosen: dict[str, Any], expected: tuple[datetime | None, datetime | None]
) -> None:
    window = compaction_window(settings, interval=(START, END), **({"since": None, "until": None} | chosen))
    assert (window["since"], window["until"]) == expected


def test_a_time_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(PermanentError, match="ISO 8601"):
        compaction_window(settings, since="noon", until=None, interval=(None, None), run_type="manual")
