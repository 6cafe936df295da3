"""A DAG whose one task calls what a test tells it to: only tasks reach all of Airflow's Variables and Connections."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import dag, task

calls: list[Callable[[], None]] = []


@dag(schedule=None)
def probe() -> None:
    @task
    def call() -> None:
        calls.pop()()

    call()


probe_dag = probe()
