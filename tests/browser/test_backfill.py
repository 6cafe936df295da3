"""A backfill by Airflow's own form: an hour is recounted, and what was found can be read in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dev.airflow import LOGIN
from dev.browser import log_in
from dev.programs import wait_until
from faultline.adapters.database import Database
from faultline.alerting.counts import count_events
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig
from tests.archive.search.brute import append
from tests.servers import AirflowUi, AirflowWorkers, running

HOUR = timedelta(hours=1)
RULES = """
groups: [{name: shop, rules: [{alert: DbDown, matchers: ['service="db"'], num_events: 5, timeframe: 1m}]}]
route: {receiver: ops}
receivers: [{name: ops, console_configs: [{}]}]
"""


@pytest.fixture
def hour(airflow: AirflowUi, database: Database, tmp_path: Path) -> Iterator[datetime]:
    """A closed hour with thirty errors, of which twenty were counted live; Airflow runs tasks."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    (tmp_path / "rules.yaml").write_text(RULES)
    topic, partition = TopicConfig(name="app-logs"), TopicPartition("app-logs", "generation-1", 0)
    values = [
        {"@timestamp": (start + timedelta(seconds=second)).isoformat(), "service": "db", "level": "ERROR"}
        for second in range(30)
    ]
    raw = raw_table([json.dumps(value).encode() for value in values], at=start)
    append(str(tmp_path / "archive"), raw, topic.name)
    events = decode(raw.slice(0, 20), topic, event_time_span=HOUR)
    counts = count_events(events, topic, bucket=timedelta(seconds=10))
    database.record_counts([OffsetRange(partition, 0, 30)], counts)
    own = {"FAULTLINE_ARCHIVE_URL": str(tmp_path / "archive"), "FAULTLINE_RULES_FILE": str(tmp_path / "rules.yaml")}
    with running(AirflowWorkers(replace(airflow.spec, environment={**airflow.spec.environment, **own}))):
        yield start


def choose(page: Page, number: int, time: datetime) -> None:
    """Fill in one of the form's two times."""
    page.get_by_test_id("datetime-input").nth(number).click()
    page.get_by_placeholder("YYYY/MM/DD").locator("visible=true").fill(f"{time:%Y/%m/%d}")
    page.get_by_placeholder("HH:mm").locator("visible=true").fill(f"{time:%H:%M}")
    page.get_by_text("Date Range").click()
    # The calendar fades out: the next one must not be looked for meanwhile.
    expect(page.get_by_placeholder("YYYY/MM/DD").locator("visible=true")).to_have_count(0)


def test_an_hour_is_recounted(page: Page, airflow: AirflowUi, hour: datetime) -> None:
    page.goto("/dags/recount_errors")
    log_in(page, *LOGIN)
    page.get_by_role("button", name="Trigger").click()
    page.get_by_text("Run this Dag for a range of dates").click()
    for number in range(2):
        choose(page, number, hour + HOUR / 2)
    page.get_by_role("button", name="Run Backfill").click()
    expect(page.get_by_text("Backfill generated")).to_be_visible()
    with airflow.spec.api() as api:
        [run] = api.runs_between("recount_errors", hour, hour + HOUR)
        wait_until(
            lambda: api.run("recount_errors", run["dag_run_id"])["state"] in ("success", "failed"),
            "the recount",
            airflow.spec.log("scheduler"),
            lambda: True,
            seconds=240,
        )
    for task, found in (
        ("compare", "30 records archived, 20 counted live; 10 missing there, 0 too many"),
        ("replay", "The rules in force would have sent 1 pages; not sent live: 1"),
    ):
        page.goto(f"/dags/recount_errors/runs/{run['dag_run_id']}/tasks/{task}")
        expect(page.get_by_text(found)).to_be_visible()
        expect(page.get_by_text("Success").first).to_be_visible()
