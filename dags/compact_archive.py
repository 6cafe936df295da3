"""# Compact the archive

Looks after the tables of the archive, once an hour: merges the small files of hours that are over into files of
128 to 512 MiB, sorted by service and time; marks hours that are complete for jobs that wait for them; deletes hours
older than a topic's `retention`; shortens the tables' logs; deletes files that nobody reads any more.

**Readers and appends go on meanwhile.** A merge is one commit that exchanges files. Before it, the rows written are
read back and compared with the rows read, by number and by a hash of their coordinates; a difference fails the task,
names the hour and changes nothing. Files that were replaced stay for `FAULTLINE_ARCHIVE_GRACE`.

**What a run takes:** every hour that ended `FAULTLINE_ARCHIVE_LATENESS` or longer before the end of its data interval
and has files to merge, late ones of long ago too. A backfill run takes the hours that its own interval closed.

**By hand:** *Trigger* takes all that is closed now. Choose `topics`, or hours from `since` up to `until`; `target_mib`
is the size to aim at; `dry_run` shows in the log of `plan` what would be done.

**Settings:** the Variable `faultline_settings` and `settings` in the form, as for `archive_logs`.

**Marks** are `<archive>/_complete/<topic>/dt=…/hr=…`, a JSON file with rows, files and bytes. Rows that arrive later
than the mark change it: it is written again after the next merge.

**When it fails:** run it again; nothing is half done. *RowsDiffer* names an hour whose files do not have the rows
that the log says: run `faultline verify --deep`.

Schedule: the cron expression in `FAULTLINE_COMPACT_SCHEDULE`, a quarter past each hour unless set.
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
    dry_run_param,
    settings_param,
    span_params,
    task_defaults,
    topics_param,
)

# How long one step may take: the rows of one merge are read, sorted and written between two of them.
PATIENCE = timedelta(hours=2)


@dag(
    schedule=CronDataIntervalTimetable(os.environ.get("FAULTLINE_COMPACT_SCHEDULE", "15 * * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a run takes every closed hour that has something to merge
    max_active_runs=1,
    default_args=task_defaults(
        retries=4, first_delay=timedelta(seconds=30), longest_delay=timedelta(minutes=5), pool=ARCHIVE_POOL
    ),
    params={
        "topics": topics_param(),
        **span_params(
            since="Hours from here on, UTC. None: from the first.",
            until="Hours that end by then, UTC. None: all that are closed.",
        ),
        "dry_run": dry_run_param("Show in the log of plan what would be done and change nothing."),
        "target_mib": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1024,
            title="Target size",
            description="Of a merged file, in MiB. None: the setting compact_target_mib.",
            section=HOW,
        ),
        **connection_params("kafka", "hdfs", "database"),
        "settings": settings_param(),
    },
    tags=["faultline", "archive"],
    doc_md=__doc__,
)
def compact_archive() -> None:
    @task
    def plan(
        params: dict[str, Any],
        dag_run: Any,
        data_interval_start: datetime | None = None,
        data_interval_end: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """The topics that have a table, and the hours to look at; logs what there is to do."""
        from faultline_airflow import decisions, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.compact import compaction_window, plan_compaction

        with watchdog(PATIENCE), decisions():
            config = run_settings(params)
            window = compaction_window(
                config,
                since=params["since"],
                until=params["until"],
                interval=(data_interval_start, data_interval_end),
                run_type=dag_run.run_type,
            )
            plans = plan_compaction(
                config, topics=params["topics"], target_mib=params["target_mib"], now=utc_now(), **window
            )
        return [] if params["dry_run"] else [{"topic": plan.topic, "hours": window} for plan in plans]

    @task(map_index_template="{{ topic }}")
    def compact(work: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Merge the closed hours of one topic and mark those that are complete; returns what was done."""
        from airflow.sdk import get_current_context
        from faultline_airflow import decisions, kafka, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.compact import merge_topic
        from faultline.steps.marks import mark_topic

        get_current_context()["topic"] = topic = work["topic"]
        chosen = {"now": utc_now(), "target_mib": params["target_mib"], **work["hours"]}
        with watchdog(PATIENCE) as step, decisions():
            config = run_settings(params)
            done = merge_topic(config, topic, checkpoint=step, **chosen)
            with kafka(config) as source:
                return done | {"marked": mark_topic(config, source, topic, checkpoint=step, **chosen)}

    @task(map_index_template="{{ topic }}")
    def clean(work: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Expire, shorten the log, vacuum, for one topic; returns what was done."""
        from airflow.sdk import get_current_context
        from faultline_airflow import decisions, watchdog
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.clean import clean_topic

        get_current_context()["topic"] = work["topic"]
        with watchdog(PATIENCE) as step, decisions():
            return clean_topic(run_settings(params), work["topic"], now=utc_now(), checkpoint=step)

    topics = plan()
    compact.expand(work=topics)
    clean.expand(work=topics)


compact_archive_dag = compact_archive()
