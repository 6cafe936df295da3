"""# Hourly report of a topic

An example of a DAG of your own that runs when there is something new in the archive: hour by hour, how many records
each service has logged at which level. Copy it into your DAGs folder, put your topic in, make of the frame what you
need.

**What a run takes:** the hours that have got records since the last run, as the events of the Asset say. Each is read
whole: while an hour goes on, and when records of it come late, its report is made again.

**By hand:** *Trigger* takes the last whole hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task

TOPIC = "app-logs"
HOUR = timedelta(hours=1)
COUNTS = "SELECT coalesce(service, '-') AS service, level, count(*) AS records FROM logs GROUP BY 1, 2"


@dag(
    schedule=Asset(f"faultline://archive/{TOPIC}"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30), "retry_exponential_backoff": 2.0},
    tags=["example"],
    doc_md=__doc__,
)
def hourly_report() -> None:
    @task
    def report(triggering_asset_events: Any) -> dict[str, int]:
        """A table for each hour in the log; returns the records of each."""
        import pandas as pd
        from faultline_configuration import settings

        from faultline.adapters.delta_search import query_topics
        from faultline.model import Interval
        from faultline.steps.search import open_topics

        last = pd.Timestamp.now("UTC").floor("h") - HOUR
        events = [event for events in triggering_asset_events.values() for event in events]
        hours = sorted({hour for event in events for hour in event.extra["hours"]}) or [f"{last:%Y-%m-%dT%H}"]
        topics, records = open_topics(settings(), [TOPIC]), {}
        for hour in hours:
            start = pd.Timestamp(hour, tz="UTC")
            _, parts = query_topics(topics, COUNTS, Interval(start, start + HOUR))
            counts = pd.concat([pd.DataFrame(columns=["service", "level", "records"]), *(p.to_pandas() for p in parts)])
            records[hour] = int(counts["records"].sum())
            print(f"{TOPIC}, {hour} UTC: {records[hour]:,} records")
            print(counts.pivot(index="service", columns="level", values="records").fillna(0).astype(int))
        return records

    report()


hourly_report_dag = hourly_report()
