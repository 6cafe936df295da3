"""# Recount errors from the archive

Counts the hours of an interval once more, from the archive, and compares with the counts made live: each bucket, labels
and fingerprint, tolerance 0. Then replays the rules in force over the archive and shows what they would have sent
beside what was sent.

**What a run takes:** the hours that were closed in its data interval; an hour is closed `FAULTLINE_ARCHIVE_LATENESS`
after its end. It changes no count and no alert, so it may be run again, beside live runs, in any order.

**What it says** is in the logs of its tasks, and what they return:

- `compare` lists each service and bucket that differs: records live and archived, missing live and too many there.
  Records that came too late to be counted live are missing there, and are named as that; so is, as too many and as
  missing elsewhere, what a host whose clock is ahead has logged. Offsets that are not counted live yet are left out and
  said. Counts are compared for as long as they are kept (`FAULTLINE_COUNT_RETENTION`).
- `replay` lists every page that the rules would have sent, with *live*: `sent`, `not seen`, or the state that the alert
  was in, such as `suppressed`.

**It sends nothing**, unless `alerts_mode` is `force`: then the alerts of the interval that nobody was told of are sent.
Of one that is over by now it is the end, which says when it was; of one that goes on it is the page, and its end is
sent by a forced run later. What was sent is not sent again. The messages go out with those of `watch_errors`.

**By hand:** *Trigger* takes the last whole interval, or the hours from `since` up to `until`.

**Backfill:** any interval, any number of times: hours that runs have missed, or a time in which nothing was counted.

**When it fails:**

- *Counted up to …, archived up to …:* `archive_logs` is behind. It is retried for an hour and a half; run it later.
- *HDFS or the database away:* retried.
- *No hour is closed:* what the form asks for is too young, or no time at all.

Schedule: the cron expression in `FAULTLINE_RECOUNT_SCHEDULE`, half past each hour unless set.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from faultline_dags import (
    ARCHIVE_POOL,
    HOW,
    connection_params,
    settings_param,
    span_params,
    task_defaults,
    topics_param,
)

# How long one step may take: reading and counting some files of an hour.
PATIENCE = timedelta(minutes=30)


@dag(
    schedule=CronDataIntervalTimetable(os.environ.get("FAULTLINE_RECOUNT_SCHEDULE", "30 * * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # who begins today has no counts of yesterday
    max_active_runs=1,
    default_args=task_defaults(
        retries=8, first_delay=timedelta(minutes=1), longest_delay=timedelta(minutes=20), pool=ARCHIVE_POOL
    ),
    params={
        "topics": topics_param(),
        **span_params(
            since="Hours from here on, UTC. None: those that were closed in the run's interval.",
            until="Hours that end by then, UTC. None: those that were closed in the run's interval.",
        ),
        "alerts_mode": Param(
            "report",
            type="string",
            enum=["report", "force"],
            title="Alerts",
            description="report: only show what the rules would have sent. force: send what nobody was told of.",
            section=HOW,
        ),
        **connection_params("hdfs", "database"),
        "settings": settings_param(),
    },
    tags=["faultline", "alerts", "archive"],
    doc_md=__doc__,
)
def recount_errors() -> None:
    @task
    def compare(
        params: dict[str, Any],
        data_interval_start: datetime | None = None,
        data_interval_end: datetime | None = None,
    ) -> dict[str, Any]:
        """Count the archive and compare; returns what differs, by topic, service and bucket."""
        from faultline_airflow import decisions, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.recount import recount, recount_interval

        with watchdog(PATIENCE) as step, decisions():
            config, run, now = run_settings(params), (data_interval_start, data_interval_end), utc_now()
            interval = recount_interval(config, params["since"], params["until"], run, now=now)
            if interval is None:
                return {}
            return recount(config, interval, now=now, topics=params["topics"], checkpoint=step).to_summary()

    @task
    def replay(
        params: dict[str, Any],
        data_interval_start: datetime | None = None,
        data_interval_end: datetime | None = None,
    ) -> dict[str, Any]:
        """Replay the rules in force over the archive of every topic; returns what they would have sent."""
        from faultline_airflow import decisions, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.recount import recount_interval
        from faultline.steps.would_fire import would_fire

        with watchdog(PATIENCE) as step, decisions():
            config, run, now = run_settings(params), (data_interval_start, data_interval_end), utc_now()
            interval = recount_interval(config, params["since"], params["until"], run, now=now)
            if interval is None:
                return {}
            return would_fire(config, interval, now=now, force=params["alerts_mode"] == "force", checkpoint=step)

    compare() >> replay()


recount_errors_dag = recount_errors()
