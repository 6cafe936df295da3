"""Hours to mark or to expire, and a process that does so and dies at a named step."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from faultline.settings import Settings
from faultline.steps.archive import append_group
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.clean import clean_topic
from faultline.steps.compact import merge_topic
from faultline.steps.marks import mark_topic
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON

HOUR = timedelta(hours=1)
NOW = NOON + 3 * HOUR
EXPIRED = NOON + 9 * HOUR  # the first hour's rows have had their time


def settings_of(archive: str, webhdfs: str, topics: str) -> Settings:
    """Of a topic whose retention is eight hours."""
    Path(topics).write_text("topics: [{name: app, retention: 8h}]")
    return Settings(archive_url=archive, webhdfs_url=webhdfs, topics_file=Path(topics), archive_patience=timedelta(0))


def source_of(hours: tuple[int, ...]) -> MemorySource:
    """One record for each hour, counted from noon; the same in every process."""
    memory = MemorySource()
    memory.create("app")
    for hour in hours:
        at = NOON + hour * HOUR
        memory.produce("app", json.dumps({"@timestamp": at.isoformat()}).encode(), at=at)
    return memory


def archive_and_merge(settings: Settings, source: MemorySource, now: datetime = NOW) -> None:
    """All there is."""
    for group in plan_archive_run(settings, source, until=now, topics=["app"], clock=lambda: now):
        append_group(settings, source, group)
    merge_topic(settings, "app", now=now)


def work(what: str, settings: Settings, source: MemorySource, checkpoint: Callable[[str], None]) -> None:
    """Mark the hours, or expire the first one and its mark."""
    if what == "mark":
        mark_topic(settings, source, "app", now=NOW, checkpoint=checkpoint)
    else:
        clean_topic(settings, "app", now=EXPIRED, checkpoint=checkpoint)


if __name__ == "__main__":
    archive, webhdfs, topics, what, dies_at, *hours = sys.argv[1:]

    def die(step: str) -> None:
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    work(what, settings_of(archive, webhdfs, topics), source_of(tuple(map(int, hours))), die)
