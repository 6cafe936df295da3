"""# Count errors and page for their cause

Runs all the time, in runs of a few minutes, each followed at once by the next. Two tasks beside each other:

- **count_errors** reads what is new in the configured topics about once a second and counts it per bucket and labels.
  Counts and offsets are one database transaction, so nothing is counted twice, whatever is killed.
- **alert_sensor** evaluates `rules.yaml` about once a second: thresholds, then chains (A causes B causes C: only A
  pages, with B and C folded in), and sends what is due to the receivers. An episode and its messages are one database
  transaction, so nothing is lost between deciding and sending.

Neither needs HDFS.

**Assets:** once nothing that happened in an hour is counted any more, the end of the run is an event of the Asset
`faultline://counts/settled`, with the hours, the records counted in them and the offsets.

**Changing rules:** edit the rules file, or the Variable `faultline_rules`, which replaces it; the next evaluation uses
it. The same goes for topics. A version with a fault is refused: the last good one stays in force, the log of
`alert_sensor` and `faultline status` show the fault with its line, and the operators are told.

**By hand:** a triggered run waits for the one that goes on. `settings` in its form holds for that run only, such as
`{"task_budget": "1m"}`; rules are rehearsed with `faultline test` and `faultline backtest`, not here.

**When it fails:** with Kafka or the database away, both tasks wait and go on where they were. A killed task is retried
within seconds; what was in flight is counted by its successor. Pausing the DAG stops alerts after the current run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task
from faultline_airflow import AlertSensor
from faultline_assets import COUNTS, last_settled, tell_settled
from faultline_dags import connection_params, settings_param, task_defaults


@dag(
    schedule="@continuous",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(
        retries=10,
        first_delay=timedelta(seconds=1),
        longest_delay=timedelta(seconds=5),  # so that half a minute is enough however often one is killed
        priority_weight=1000,  # before whatever else waits for a slot
        weight_rule="absolute",
    ),
    params={**connection_params("kafka", "database"), "settings": settings_param()},
    tags=["faultline", "alerts"],
    doc_md=__doc__,
)
def watch_errors() -> None:
    @task(inlets=[COUNTS], outlets=[COUNTS])
    def count_errors(params: dict[str, Any], dag_run: Any, inlet_events: Any, outlet_events: Any) -> int:
        """Count for one budget; returns the records counted, and tells of hours that are settled by then."""
        from faultline_airflow import decisions, kafka, until_restart
        from faultline_configuration import LiveVariables, run_settings

        from faultline.adapters.database import Database
        from faultline.model import utc_now
        from faultline.steps.counts import count_until
        from faultline.steps.settled import settled_counts

        with decisions():
            config = run_settings(params)
            with (
                LiveVariables(config, params["settings"]) as variables,
                kafka(config) as source,
                Database(config.database_url) as database,
            ):
                records = count_until(until_restart(config.task_budget, variables), config, source, database)
                settled = settled_counts(config, database, last_settled(inlet_events), at=utc_now())
        tell_settled(outlet_events, settled, dag_run.run_type)
        return records

    count_errors()
    AlertSensor(task_id="alert_sensor", poke_interval=1, doc_md="Evaluate rules and chains, send what is due.")


watch_errors_dag = watch_errors()
