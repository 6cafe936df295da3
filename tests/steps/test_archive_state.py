"""What a glance at the tables says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.expire import shorten_log
from faultline.archive.losses import DELETED, record_losses
from faultline.model import OffsetRange
from faultline.settings import Settings
from faultline.steps.archive_state import TopicState, archive_state
from faultline.steps.compact import merge_topic
from faultline.testing.records import NOON
from tests.archive.upkeep import PART, put

NOW = NOON + timedelta(hours=2, minutes=30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "topics.yaml").write_text("topics: [{name: app}, {name: new}]")
    return Settings(archive_url=str(tmp_path / "archive"), topics_file=tmp_path / "topics.yaml")


@pytest.fixture
def table(settings: Settings) -> TopicTable:
    """Three files in each of two hours of which the first is closed; then ten offsets that are lost."""
    table = TopicTable.open_or_create(settings.archive_url, "app")
    for number in range(6):
        put(table, number * 10, number * 10 + 10, hour=0 if number < 3 else 2)
    record_losses(table, [OffsetRange(PART, 60, 70)], reason=DELETED, at=NOON)
    return table


def only(settings: Settings) -> TopicState:
    [state] = archive_state(settings, now=NOW)
    return state


def test_small_files_are_those_of_closed_hours_and_none_is_left_to_merge_after_a_merge(
    settings: Settings, table: TopicTable
) -> None:
    before = only(settings)
    assert (before.rows, before.files, before.small, before.to_merge) == (60, 6, 3, 3)
    merge_topic(settings, "app", now=NOW)
    after = only(settings)
    assert (after.rows, after.files, after.small, after.to_merge) == (60, 4, 1, 0)


def test_losses_are_those_that_the_commits_say(settings: Settings, table: TopicTable) -> None:
    state = only(settings)
    assert [(loss.range, loss.reason) for loss in state.losses] == [(OffsetRange(PART, 60, 70), DELETED)]
    assert state.looked_since == 0


@pytest.mark.parametrize(("commits", "seen", "since"), [(4, 1, 7), (8, 1, 3), (50, 1, 0), (2, 0, 9)])
def test_no_more_than_the_newest_commits_are_read_and_it_is_said_from_where(
    table: TopicTable, commits: int, seen: int, since: int
) -> None:
    for number in range(3):
        put(table, 70 + number, 71 + number)
    losses, looked_since = table.recent_losses(commits)
    assert (table.version, len(losses), looked_since) == (10, seen, since)


def test_a_commit_that_sums_up_says_everything_before_it(settings: Settings, table: TopicTable) -> None:
    shorten_log(TopicUpkeep.open(settings.archive_url, "app"))
    table.refresh()
    losses, looked_since = table.recent_losses(1)
    assert ([loss.range for loss in losses], looked_since) == ([OffsetRange(PART, 60, 70)], 0)


def test_a_person_waits_for_so_many_commits_only(settings: Settings, table: TopicTable) -> None:
    put(table, 70, 71)
    [state] = archive_state(settings, now=NOW, commits=1)
    assert (state.losses, state.looked_since) == ((), 8)
