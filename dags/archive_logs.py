"""# Archive logs from Kafka to HDFS

Appends every record of the configured topics to one Delta table per topic, partitioned by `dt` and `hr` (event time,
UTC). Rows and progress are one atomic commit, so each record is archived exactly once, whatever is killed or run twice.

**What a run takes:** per topic partition, everything from the position stored in the table up to the broker's offset
at the end of the run's data interval. A retry, a late run or a run after a pause picks up where the last commit ended.

**By hand:** *Trigger* archives up to now. Choose `topics` to narrow it, `verify` to prove the tables afterwards,
`dry_run` to see the plan in the log of `plan` and append nothing.

**Settings:** the Variable `faultline_settings`, an object such as `{archive_group_partitions: 4}`, overrides the
environment, and `settings` in the form overrides both for one run. A faulty Variable leaves its last good version in
force and says so in the log and to the operators; a faulty form fails the run.

**Backfill:** any interval, any number of times, beside live runs. What is archived already is not appended again; a
backfill run proves the tables instead.

**Assets:** rows that were appended to a topic are an event of the Asset `faultline://archive/<topic>`, with offsets,
rows, hours and the run's type, so that your own DAGs run when there is something new.

**Beside it**, the task `check_alerts` raises the alarm when `watch_errors` has evaluated no rule for
`FAULTLINE_STALLED_AFTER`; it needs neither Kafka nor HDFS.

**When it fails:**

- *HDFS in safe mode, Kafka away:* retried with backoff; the next run catches up, nothing is lost while Kafka keeps it.
- *HDFS that neither answers nor refuses:* a task without progress for ten minutes ends itself and is retried.
- *Offsets no longer in Kafka, or no such topic:* one `append`, named after the topic, fails at once and says why, with
  the exact lost range. Nothing of the topic is skipped; the other topics are archived. With `lost_records: record_gap`
  in `topics.yaml` the range is written down as lost instead, and the archive goes on behind it.
- *Superseded:* another run wrote the same range first. The retry finds nothing left to do.

Schedule: the cron expression in `FAULTLINE_ARCHIVE_SCHEDULE`, every ten minutes unless set.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from faultline_assets import ARCHIVE, tell_archived
from faultline_dags import (
    ARCHIVE_POOL,
    HOW,
    connection_params,
    dry_run_param,
    settings_param,
    task_defaults,
    topics_param,
)

# How long a plan, or one step of an append, may take; a proof reads every row's offset.
PATIENCE, PATIENCE_OF_A_PROOF = timedelta(minutes=10), timedelta(hours=3)


@dag(
    schedule=CronDataIntervalTimetable(os.environ.get("FAULTLINE_ARCHIVE_SCHEDULE", "*/10 * * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a run starts at the stored position, so the next one covers what was missed
    max_active_runs=1,
    default_args=task_defaults(
        retries=6, first_delay=timedelta(seconds=10), longest_delay=timedelta(minutes=2), pool=ARCHIVE_POOL
    ),
    params={
        "topics": topics_param(),
        "dry_run": dry_run_param("Show the plan in the log of plan and append nothing."),
        "verify": Param(
            False,
            type="boolean",
            title="Verify afterwards",
            description="Prove each table once appended. A backfill always does.",
            section=HOW,
        ),
        "deep": Param(
            False,
            type="boolean",
            title="Deep proof",
            description="When verifying, read every row and compare every byte with Kafka's.",
            section=HOW,
        ),
        **connection_params("kafka", "hdfs", "database"),
        "settings": settings_param(),
    },
    tags=["faultline", "archive"],
    doc_md=__doc__,
)
def archive_logs() -> None:
    @task
    def plan(params: dict[str, Any], dag_run: Any, data_interval_end: datetime | None = None) -> list[dict[str, Any]]:
        """The offset ranges to append, in groups; creates the tables, so that no two appends race to."""
        from faultline_airflow import decisions, kafka, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.archive_plan import plan_archive_run

        by_hand = dag_run.run_type == "manual" or data_interval_end is None
        with watchdog(PATIENCE), decisions(), kafka(config := run_settings(params)) as source:
            return plan_archive_run(
                config,
                source,
                until=utc_now() if by_hand else data_interval_end,
                topics=params["topics"],
                dry_run=params["dry_run"],
            )

    @task(map_index_template="{{ group_name }}", outlets=[ARCHIVE])
    def append(group: dict[str, Any], params: dict[str, Any], dag_run: Any, outlet_events: Any) -> dict[str, Any]:
        """Append one group's ranges; returns what was written, and tells of it as an event of the topic's Asset."""
        from airflow.sdk import get_current_context
        from faultline_airflow import decisions, kafka, watchdog
        from faultline_configuration import run_settings

        from faultline.steps.archive import append_group

        get_current_context()["group_name"] = group["name"]  # the UI names the mapped task by it
        with watchdog(PATIENCE) as step, decisions(), kafka(config := run_settings(params)) as source:
            done = append_group(config, source, group, checkpoint=step)
        tell_archived(outlet_events, group["topic"], done["archived"], dag_run.run_type)
        return done

    @task(trigger_rule="none_failed")
    def verify(params: dict[str, Any], dag_run: Any) -> list[dict[str, Any]]:
        """Prove the tables, when asked to and in backfills; fails with the exact ranges when it cannot."""
        from faultline_airflow import decisions, kafka, watchdog
        from faultline_configuration import run_settings

        from faultline.steps.archive import require_proof, verify_topics

        if params["dry_run"] or not (params["verify"] or dag_run.run_type == "backfill"):
            return []
        with watchdog(PATIENCE_OF_A_PROOF), decisions(), kafka(config := run_settings(params)) as source:
            reports = verify_topics(config, source, params["topics"], deep=params["deep"])
            return [report.to_summary() for report in require_proof(reports)]

    @task(trigger_rule="all_done")
    def report(groups: Sequence[dict[str, Any]]) -> None:
        """What the run has archived, topic by topic, also when some of it failed."""
        from faultline.steps.archive import report_appends

        report_appends(groups[:])  # a slice is one request, an iteration one for each

    @task
    def check_alerts(params: dict[str, Any], dag_run: Any) -> bool:
        """Raise the alarm when watch_errors evaluates no more, which it cannot do itself; asks only the database."""
        from faultline_airflow import connection, decisions, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.stalled import tell_of_stall

        if params["dry_run"] or dag_run.run_type == "backfill":
            return False
        with watchdog(PATIENCE), decisions():
            return tell_of_stall(run_settings(params, ["database"]), at=utc_now(), connections=connection)

    check_alerts()
    appended = append.expand(group=plan())
    report(appended)
    appended >> verify()


archive_logs_dag = archive_logs()
