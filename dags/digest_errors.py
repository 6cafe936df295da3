"""# Summarise errors and alerts

Filter and summarise: one message for an interval instead of many. It says how many errors there were and how that
developed, the most frequent kinds, those never seen before, which alerts fired, what was kept quiet and by what,
outages that nobody was told of because their root was silenced, messages that were given up, and records that could
not be parsed.

It is made from the counts, the ledger and the outbox in the database; neither Kafka nor HDFS is asked. The message
goes into the outbox, and `watch_errors` sends it like any other: retried, within the limits of its channel.

**Who gets it:** the receiver in `FAULTLINE_DIGEST_RECEIVER`, otherwise that of the root route. Chats get text, mail
gets HTML with a picture; PagerDuty gets none, a digest is no incident. With `FAULTLINE_DIGEST_FOLDER` each digest is
also written there as one HTML file.

**What a run takes:** its data interval. The digest of an interval is one message for each receiver: a retry, a second
run or *Trigger* within the same interval sends nothing twice.

**By hand:** *Trigger* takes the last whole interval, or from `since` up to `until`. `dry_run` shows the digest in the
log and neither sends nor writes it. `faultline digest` shows one in a terminal.

**Backfill:** any interval whose counts are still kept (`FAULTLINE_COUNT_RETENTION`). A backfill sends nothing; it logs
the digest and, with a folder, writes it again.

**When it fails:** with the database away it is retried; a receiver that the rules do not name fails the run and says
which there are.

Schedule: the cron expression in `FAULTLINE_DIGEST_SCHEDULE`, at six each morning unless set; `0 * * * *` is hourly.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from faultline_dags import HOW, WHAT, connection_params, dry_run_param, settings_param, span_params, task_defaults


@dag(
    schedule=CronDataIntervalTimetable(os.environ.get("FAULTLINE_DIGEST_SCHEDULE", "0 6 * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a digest of long ago is nobody's news
    max_active_runs=1,
    default_args=task_defaults(retries=6, first_delay=timedelta(seconds=30), longest_delay=timedelta(minutes=5)),
    params={
        **span_params(
            since="Its start, UTC. None: that of the run's interval.",
            until="Its end, UTC. None: that of the run's interval.",
        ),
        "top": Param(
            10,
            type="integer",
            minimum=1,
            maximum=20,
            title="Errors shown",
            description="So many of the most frequent errors, and of the new ones.",
            section=WHAT,
        ),
        "receiver": Param(
            None,
            type=["null", "string"],
            minLength=1,
            title="Receiver",
            description="Of the rules file. None: the setting digest_receiver, or the receiver of the root route.",
            section=HOW,
        ),
        "dry_run": dry_run_param("Show the digest in the log, send and write nothing."),
        **connection_params("database"),
        "settings": settings_param(),
    },
    tags=["faultline", "alerts"],
    doc_md=__doc__,
)
def digest_errors() -> None:
    @task
    def digest(
        params: dict[str, Any],
        dag_run: Any,
        data_interval_start: datetime | None = None,
        data_interval_end: datetime | None = None,
    ) -> dict[str, Any]:
        """Make the digest, and put it into the outbox unless this is a backfill; returns its title and targets."""
        from faultline_airflow import decisions
        from faultline_configuration import run_settings

        from faultline.model import utc_now
        from faultline.steps.digest import digest_interval, publish_digest

        with decisions():
            run = (data_interval_start, data_interval_end)
            return publish_digest(
                run_settings(params),
                digest_interval(params["since"], params["until"], run),
                at=utc_now(),
                receiver=params["receiver"],
                top=params["top"],
                send=not params["dry_run"] and dag_run.run_type != "backfill",
                write=not params["dry_run"],
            ).to_summary()

    digest()


digest_errors_dag = digest_errors()
