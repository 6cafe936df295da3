"""A table whose log has as many commits as one gathers in months; the files that they name are never opened."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from urllib.parse import urlsplit

from deltalake import DeltaTable
from hdfs import InsecureClient
from rich.console import Console
from rich.progress import track

from faultline.adapters.delta import TopicTable
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.settings import Settings
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig

# Appends write a checkpoint of the log every hundred commits: in the mean fifty are behind the last one.
_BEHIND = 50
_EVERY = 500
_WRITERS = 16


def long_log(url: str, webhdfs: str, topic: str, commits: int, console: Console) -> None:
    """One real commit of eight partitions, and copies of it that go on where it ends."""
    table = TopicTable.open_or_create(url, topic)
    parts = [TopicPartition(topic, "id", number) for number in range(8)]
    rows = decode(raw_table([b"{}"] * 8), TopicConfig(name=topic), event_time_span=Settings().event_time_span)
    table.append(rows, [OffsetRange(part, 0, 1) for part in parts])
    client, folder = InsecureClient(webhdfs), f"{urlsplit(table.url).path}/_delta_log"
    with client.read(f"{folder}/{_name(1)}") as file:
        first = [json.loads(line) for line in file.read().splitlines()]

    def write(version: int) -> None:
        client.write(f"{folder}/{_name(version)}", "\n".join(json.dumps(_moved(action, version)) for action in first))

    # Checkpoints on the way, as appends write them: thousands of commits without one have been seen to hang a reader.
    ends = [*range(_EVERY, commits - _BEHIND, _EVERY), commits - _BEHIND]
    with ThreadPoolExecutor(_WRITERS) as pool:
        for start, end in track(list(pairwise([1, *ends])), "commits", console=console):
            list(pool.map(write, range(start + 1, end + 1)))
            DeltaTable(table.url, version=end).create_checkpoint()
        list(pool.map(write, range(commits - _BEHIND + 1, commits + 1)))


def _name(version: int) -> str:
    return f"{version:020d}.json"


def _moved(action: dict[str, dict[str, object]], version: int) -> dict[str, dict[str, object]]:
    [(kind, body)] = action.items()
    if kind == "txn":
        return {kind: body | {"version": version}}
    if kind == "add":
        hours = timedelta(minutes=10 * version) // timedelta(hours=1)
        return {kind: body | {"path": f"dt=2026-01-01/hr={hours % 24:02d}/part-{uuid.uuid4()}.zstd.parquet"}}
    return action
