"""How each topic's table is, at a glance: from its snapshot and the newest commits, without reading a file of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from faultline.adapters.delta import TableMissing
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.compact import closed_before, small_files
from faultline.archive.hours import Hour
from faultline.archive.table import Loss
from faultline.model import TopicPartition
from faultline.settings import Settings
from faultline.steps.compact import plan_topic
from faultline.steps.topics import archived_topics
from faultline.topicfile import TopicConfig

# A commit takes 0.3 ms to read from HDFS, 1.5 ms on a busy machine, and a person waits.
_COMMITS = 1_000


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic's table: its rows, files and bytes, and what somebody should look at.

    ``small`` counts the files of less than half the target size in hours that are closed, ``to_merge`` the files that
    the next compaction rewrites. ``losses`` are those that commits since version ``looked_since`` say, oldest first.
    ``hours`` has the rows of each hour, ``positions`` the next offset to archive of the partitions that were asked for.
    """

    topic: str
    rows: int
    files: int
    bytes: int
    small: int
    to_merge: int
    losses: tuple[Loss, ...]
    looked_since: int
    hours: Mapping[Hour, int] = field(default_factory=dict)
    positions: Mapping[TopicPartition, int | None] = field(default_factory=dict)


def archive_state(
    settings: Settings,
    *,
    now: datetime,
    commits: int = _COMMITS,
    partitions: Callable[[str], Sequence[TopicPartition]] = lambda topic: (),
) -> Iterator[TopicState]:
    """Of each topic that has a table, with the losses in its newest ``commits``; TransientError, PermanentError.

    ``partitions`` of a topic are those whose positions are wanted.
    """
    for topic in archived_topics(settings):
        try:
            table = TopicUpkeep.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        except TableMissing:
            continue
        positions = table.positions(partitions(topic.name))
        yield replace(_state(settings, table, topic, now, commits), positions=positions)


def _state(settings: Settings, table: TopicUpkeep, topic: TopicConfig, now: datetime, commits: int) -> TopicState:
    files = table.data_files()
    plan = plan_topic(settings, files, topic, now=now)
    closed = closed_before(now, settings.archive_lateness)
    over = [file for file in files if file.hour.end <= closed]
    losses, since = table.recent_losses(commits)
    hours: Counter[Hour] = Counter()
    for file in files:
        hours[file.hour] += file.rows
    return TopicState(
        topic=topic.name,
        rows=sum(file.rows for file in files),
        files=len(files),
        bytes=sum(file.size for file in files),
        small=small_files(over, target=settings.compact_target_mib * 2**20),
        to_merge=sum(len(merge.files) for merge in plan.merges),
        losses=losses,
        looked_since=since,
        hours=hours,
    )
