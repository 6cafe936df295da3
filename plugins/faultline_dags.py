"""What the DAGs have in common: defaults of their tasks, and the fields that several of their forms have.

Imported whenever a DAG file is parsed, so nothing heavy is. A Param belongs to one DAG, so each call makes a new one.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Param
from faultline_airflow import tell_failure
from faultline_connections import default_conn_id

# Tasks of the archive wait for slots of their own where there is such a pool, so that no backfill delays an alert.
ARCHIVE_POOL = os.environ.get("FAULTLINE_ARCHIVE_POOL", "default_pool")

# Sections of the forms, in the order of their fields.
WHAT, HOW, CONNECTIONS, THIS_RUN = "What", "How", "Connections", "For this run only"

_NEEDED = {"kafka": "Kafka", "hdfs": "HDFS", "database": "Alert database"}


def task_defaults(*, retries: int, first_delay: timedelta, longest_delay: timedelta, **more: Any) -> dict[str, Any]:
    """``default_args``: pauses between retries double, and who gives up says so through our own dispatcher."""
    return {
        "owner": "faultline",
        "retries": retries,
        "retry_delay": first_delay,
        "retry_exponential_backoff": 2.0,  # the factor; True would be 1, and no backoff
        "max_retry_delay": longest_delay,
        "on_failure_callback": tell_failure,
        **more,
    }


def topics_param() -> Param:
    """Which topics."""
    return Param(
        [],
        type="array",
        items={"type": "string", "minLength": 1, "maxLength": 249},
        uniqueItems=True,
        title="Topics",
        description="One a line, as in topics.yaml. None: all that are archived.",
        section=WHAT,
    )


def span_params(since: str, until: str) -> dict[str, Param]:
    """From when to when; what the two mean in this DAG, and what is taken where nothing is given."""
    return {
        name: Param(
            None,
            type=["null", "string"],
            format="date-time",
            title=name.capitalize(),
            description=description,
            section=WHAT,
        )
        for name, description in (("since", since), ("until", until))
    }


def dry_run_param(description: str) -> Param:
    """Whether to show only what would be done."""
    return Param(False, type="boolean", title="Dry run", description=description, section=HOW)


def connection_params(*kinds: str) -> dict[str, Param]:
    """Which Connections of Airflow say where the parts are that the DAG needs."""
    return {
        f"{kind}_conn_id": Param(
            default_conn_id(kind),
            type="string",
            minLength=1,
            maxLength=200,
            title=_NEEDED[kind],
            description="A Connection. The usual one need not be there: then the settings say where it is.",
            section=CONNECTIONS,
        )
        for kind in kinds
    }


def settings_param() -> Param:
    """Settings that hold for the run."""
    return Param(
        {},
        type="object",
        title="Settings",
        description='Over the Variable faultline_settings and the environment, such as {"archive_batch_rows": 50000}.',
        section=THIS_RUN,
    )
