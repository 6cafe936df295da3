"""Airflow Assets of what Faultline makes, on which users' own DAGs are scheduled: what their events say, and when.

Which topics there are is configuration that no DAG file reads, so the events come through an alias, and only when there
is something to tell; a task with an Asset among its outlets would tell of each of its runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, AssetAlias

# What our tasks have as outlets.
ARCHIVE, COUNTS = AssetAlias("faultline_archive", group="faultline"), AssetAlias("faultline_counts", group="faultline")

SETTLED = Asset("faultline://counts/settled")


def archive_asset(topic: str) -> Asset:
    """The archived records of a topic."""
    return Asset(f"faultline://archive/{topic}")


def tell_archived(outlet_events: Any, topic: str, archived: Mapping[str, Any], run_type: str) -> None:
    """An event of the topic with what was archived of it; none of no rows."""
    if archived["rows"]:
        outlet_events[ARCHIVE].add(archive_asset(topic), extra={"topic": topic, **archived, "run_type": run_type})


def last_settled(inlet_events: Any) -> datetime | None:
    """Up to when counts are settled by their last event."""
    last = list(inlet_events[COUNTS].ascending(False).limit(1))
    return datetime.fromisoformat(last[0].extra["until"]) if last else None


def tell_settled(outlet_events: Any, settled: Mapping[str, Any] | None, run_type: str) -> None:
    """An event with hours whose counts change no more; none of no hour."""
    if settled is not None:
        outlet_events[COUNTS].add(SETTLED, extra={**settled, "run_type": run_type})
