"""How long nothing is counted, evaluated and told of: when what runs the continuous lane is killed, and at a roll-over.

An Airflow with the settings of ``make up`` on a real Kafka and PostgreSQL. An error a second is logged, each an alert
of its own. A process is killed with SIGKILL; the longest pause is looked for within the next minute.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from dev.jars import fetch, find_tool
from dev.java import find_java
from dev.paths import profile_folder
from dev.ports import free_ports
from faultline.model import utc_now
from tests.end_to_end.lane import DAG, KILLS, Lane, lane, longest_pause
from tests.servers import KafkaServer, PostgresServer, running

ROUNDS = 3
# Long enough that no roll-over comes between a kill and its end unless it must.
BUDGET, SHORT_BUDGET = "5m", "30s"
WATCHED = timedelta(minutes=1)
ROLL_OVERS = 5


def main() -> None:
    """Print the tables."""
    console = Console()
    with console.status("Starting Kafka, PostgreSQL and Airflow ...") as status, _running() as watched:
        kills = _kills(watched, status.update)
        roll_overs = _roll_overs(watched, status.update)
    console.print(kills, roll_overs)


def _kills(watched: Lane, say: Callable[[str], None]) -> Table:
    title = f"Seconds from kill -9 to the end of the longest pause; median and longest of {ROUNDS}"
    table = Table("killed", "counted again", "evaluated again", "told again", title=title)
    for name, kill in KILLS.items():
        rounds = []
        for number in range(ROUNDS):
            say(f"Killing {name}, {number + 1} of {ROUNDS} ...")
            killed = utc_now()
            kill(watched)
            time.sleep(WATCHED.total_seconds())
            rounds.append([_again(times, killed) for times in _kinds(watched)])
        table.add_row(name, *map(_median_and_longest, zip(*rounds, strict=True)))
    return table


def _again(times: list[datetime], killed: datetime) -> float:
    since = max((time for time in times if time < killed), default=killed)
    return (longest_pause(times, since, killed + WATCHED)[1] - killed).total_seconds()


def _roll_overs(watched: Lane, say: Callable[[str], None]) -> Table:
    table = Table("", "counted", "evaluated", "told", title=f"Longest pause in s, budget {SHORT_BUDGET}")
    settings = json.dumps({"task_budget": SHORT_BUDGET})
    watched.workers.spec.run("variables", "set", "faultline_settings", settings)  # from the next run on
    ends: list[datetime] = []
    begun = utc_now()
    while len(ends) < ROLL_OVERS:
        say(f"Watching roll-overs, {len(ends)} of {ROLL_OVERS} ...")
        time.sleep(5)
        ended = (run["end_date"] for run in watched.api.runs(DAG) if run["end_date"])
        ends = sorted(end for end in map(datetime.fromisoformat, ended) if end > begun)
    time.sleep(20)
    around = [(end - timedelta(seconds=10), end + timedelta(seconds=20)) for end in ends]
    within = [(end - timedelta(seconds=20), end - timedelta(seconds=10)) for end in ends]
    for name, spans in (("at a roll-over", around), ("within a run", within)):
        pauses = [[_pause(times, *span) for span in spans] for times in _kinds(watched)]
        table.add_row(f"{name}; median and longest of {len(ends)}", *map(_median_and_longest, pauses))
    return table


def _pause(times: list[datetime], since: datetime, until: datetime) -> float:
    begin, end = longest_pause(times, since, until)
    return (end - begin).total_seconds()


def _kinds(watched: Lane) -> tuple[list[datetime], ...]:
    return watched.seen.counted, watched.seen.evaluated, watched.seen.told


def _median_and_longest(seconds: Iterable[float]) -> str:
    each = sorted(seconds)
    return f"{statistics.median(each):.1f}, {each[-1]:.1f}"


@contextmanager
def _running() -> Iterator[Lane]:
    folder, ports = profile_folder("bench-recovery"), free_ports()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "airflow").mkdir(parents=True)
    try:
        with (
            running(KafkaServer(folder / "kafka", find_java(), fetch("kafka", find_tool()), ports)) as kafka,
            running(PostgresServer(folder / "postgres", ports)) as postgres,
        ):
            urls = [postgres.spec.create_database(name) for name in ("faultline", "airflow")]
            with lane(folder / "airflow", ports, kafka.bootstrap, *urls, BUDGET) as watched:
                yield watched
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
