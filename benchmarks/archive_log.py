"""A table with as many commits as one gathers in months: 10 minutes apart, each with a file of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from deltalake import DeltaTable
from hdfs import InsecureClient
from rich.console import Console
from rich.progress import track

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_notes import append_note
from faultline.archive.table import StagedFile
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.settings import Settings
from faultline.testing.records import raw_table
from faultline.topicfile import TopicConfig

PARTITIONS = 8

# Appends write a checkpoint of the log every hundred commits: in the mean fifty are behind the last one.
_BEHIND = 50
_EVERY = 500
_WRITERS = 16
_FIRST, _APART = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=10)


def long_log(url: str, webhdfs: str, topic: str, commits: int, console: Console) -> None:
    """A commit by ``append`` and, in its form, all that follow: real files, but no lock and no look at the log."""
    table = TopicTable.open_or_create(url, topic)
    table.append(_rows(topic, 1), _covered(topic, 1))
    client, folder = InsecureClient(webhdfs), f"{urlsplit(table.url).path}/_delta_log"
    with client.read(f"{folder}/{_name(1)}") as file:
        first = [json.loads(line) for line in file.read().splitlines()]

    def write(version: int) -> None:
        [staged] = table.stage(_rows(topic, version))
        actions = _actions(first, topic, version, staged)
        client.write(f"{folder}/{_name(version)}", "\n".join(map(json.dumps, actions)))

    # Checkpoints on the way, as appends write them: thousands of commits without one have been seen to hang a reader.
    ends = [*range(_EVERY, commits - _BEHIND, _EVERY), commits - _BEHIND]
    with ThreadPoolExecutor(_WRITERS) as pool:
        for start, end in track(list(pairwise([1, *ends])), "commits", console=console):
            list(pool.map(write, range(start + 1, end + 1)))
            DeltaTable(table.url, version=end).create_checkpoint()
        list(pool.map(write, range(commits - _BEHIND + 1, commits + 1)))


def _rows(topic: str, version: int) -> pa.Table:
    """One record of each partition."""
    at, offset = _FIRST + version * _APART, version - 1
    raw = [raw_table([b"{}"], at=at, topic_id="id", partition=number, start=offset) for number in range(PARTITIONS)]
    return decode(pa.concat_tables(raw), TopicConfig(name=topic), event_time_span=Settings().event_time_span)


def _covered(topic: str, version: int) -> list[OffsetRange]:
    return [OffsetRange(TopicPartition(topic, "id", number), version - 1, version) for number in range(PARTITIONS)]


def _name(version: int) -> str:
    return f"{version:020d}.json"


def _actions(
    first: list[dict[str, dict[str, Any]]], topic: str, version: int, file: StagedFile
) -> Iterator[dict[str, dict[str, Any]]]:
    """Those of the first commit, made into those of a later one."""
    for action in first:
        [(kind, body)] = action.items()
        changed: dict[str, Any] = {}
        if kind == "commitInfo":
            changed = append_note([file], _covered(topic, version), (), ())
        elif kind == "txn":
            changed = {"version": version}
        elif kind == "add":
            folder = {"dt": file.dt, "hr": file.hr}
            changed = {"path": file.path, "partitionValues": folder, "size": file.size, "stats": file.statistics}
        yield {kind: body | changed}
