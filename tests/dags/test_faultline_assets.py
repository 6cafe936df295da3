"""Events of our Assets: what they carry, and when there are none."""

from __future__ import annotations

from typing import Any

import pytest

NEW = {"offsets": [{"partition": 0, "start": 3, "end": 9}], "rows": 6, "hours": ["2026-11-22T05"]}


@pytest.fixture
def outlet_events() -> Any:
    """Airflow's own, as a task has them."""
    from airflow.sdk.execution_time.context import OutletEventAccessors

    return OutletEventAccessors()


def test_an_event_says_what_was_archived_and_by_what_run(outlet_events: Any) -> None:
    from faultline_assets import ARCHIVE, tell_archived

    tell_archived(outlet_events, "app-logs", NEW, "backfill")
    [event] = outlet_events[ARCHIVE].asset_alias_events
    assert (event.dest_asset_key.name, event.dest_asset_key.uri) == ("faultline://archive/app-logs",) * 2
    assert event.extra == {"topic": "app-logs", **NEW, "run_type": "backfill"}


def test_nothing_is_told_of_no_rows_and_of_no_hour(outlet_events: Any) -> None:
    from faultline_assets import ARCHIVE, COUNTS, tell_archived, tell_settled

    tell_archived(outlet_events, "app-logs", {"offsets": [], "rows": 0, "hours": []}, "scheduled")
    tell_settled(outlet_events, None, "scheduled")
    assert [outlet_events[alias].asset_alias_events for alias in (ARCHIVE, COUNTS)] == [[], []]
