"""A table with many small files, and a process that looks after it and dies at a named step."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta

import orjson

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.compact import plan_merges
from faultline.archive.expire import expire_hour, shorten_log, vacuum
from faultline.archive.hours import Hour
from faultline.archive.rewrite import Merged, merge_files
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

TOPIC = TopicConfig(name="app")
PART = TopicPartition("app", "generation-1", 0)
HOUR = timedelta(hours=1)
TARGET, MEMORY = 128 * 2**20, 2**20


def put(table: TopicTable, start: int, end: int, *, hour: int = 0) -> int:
    """Append offsets whose records fall into an hour, counted from noon; services and times are mixed."""
    values = [
        orjson.dumps(
            {"appName": f"s{n % 3}", "@timestamp": (NOON + hour * HOUR + timedelta(seconds=n * 37 % 3600)).isoformat()}
        )
        for n in range(start, end)
    ]
    raw = raw_table(values, start=start, at=NOON + hour * HOUR)
    return table.append(decode(raw, TOPIC, event_time_span=timedelta(days=7)), [OffsetRange(PART, start, end)])


def fill(table: TopicTable, *, hours: int = 2, files: int = 5) -> int:
    """Ten records a file; the offset behind them."""
    for number in range(hours * files):
        put(table, number * 10, number * 10 + 10, hour=number // files)
    return hours * files * 10


def merge_all(
    table: TopicUpkeep, *, memory: int = MEMORY, checkpoint: Callable[[str], None] = lambda step: None
) -> list[Merged]:
    """Every merge there is to do, of hours that are over."""
    table.refresh()
    merges = plan_merges(table.data_files(), target=TARGET, until=NOON + 100 * HOUR)
    done = [merge_files(table, merge, memory=memory, checkpoint=checkpoint) for merge in merges]
    return [merged for merged in done if merged is not None]


def look_after(archive: str, what: str, checkpoint: Callable[[str], None] = lambda step: None) -> None:
    """One round of what compact_archive does: merge, expire the first hour, or clean."""
    table = TopicUpkeep.open(archive, "app")
    if what == "merge":
        merge_all(table, checkpoint=checkpoint)
    elif what == "expire":
        expire_hour(table, Hour(NOON), checkpoint=checkpoint)
    else:
        shorten_log(table, checkpoint=checkpoint)
        vacuum(table, timedelta(0), checkpoint=checkpoint)


if __name__ == "__main__":
    archive, what, dies_at = sys.argv[1:]

    def die(step: str) -> None:
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    look_after(archive, what, die)
