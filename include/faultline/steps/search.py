"""Searching the archive: open the tables, ask, follow what is archived meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from faultline.adapters.delta import TableMissing, TopicTable
from faultline.adapters.delta_search import SearchedTopic
from faultline.archive.search.query import FIELDS, And, Compare, Or, Query
from faultline.archive.search.scan import Search, search
from faultline.archive.table import CommittedRange
from faultline.settings import Settings
from faultline.steps.topics import archived_topics


def open_topics(settings: Settings, names: Sequence[str] = ()) -> list[SearchedTopic]:
    """Snapshots of the tables of the topics named, or of all that have one; TableMissing when there is none."""
    found: list[SearchedTopic] = []
    for topic in archived_topics(settings, names):
        try:
            table = TopicTable.open(settings.archive_url, topic.name, timeout=settings.archive_timeout)
        except TableMissing:
            if topic.name in names:
                raise
        else:
            found.append(SearchedTopic(topic, table))
    if not found:
        raise TableMissing(f"nothing is archived yet at {settings.archive_url}")
    return found


def follow(
    topics: Sequence[SearchedTopic], query: Query, columns: Sequence[str], wait: Callable[[], object]
) -> Iterator[pa.Table]:
    """What is archived after the snapshots and matches, without end, each record once; oldest first in each round.

    Calls ``wait`` before each look. Files merged meanwhile do not matter: a record is new by its offset.
    """
    while True:
        wait()
        new = {topic.topic.name: _refresh(topic) for topic in topics}
        for topic in topics:
            if ranges := new[topic.topic.name]:
                asked = And((_in_ranges(ranges), query))
                yield from search([topic], Search(asked, columns=tuple(columns), newest_first=False))


def _refresh(topic: SearchedTopic) -> list[CommittedRange]:
    version = topic.table.version
    topic.table.refresh()
    return topic.table.commits_since(version)


def _in_ranges(ranges: Sequence[CommittedRange]) -> Query:
    topic_id, partition, offset = (FIELDS[f"kafka_{name}"] for name in ("topic_id", "partition", "offset"))
    return Or(
        tuple(
            And(
                (
                    Compare(topic_id, "=", span.partition.topic_id),
                    Compare(partition, "=", span.partition.partition),
                    Compare(offset, ">=", span.start),
                    Compare(offset, "<", span.end),
                )
            )
            for span in (each.range for each in ranges)
        )
    )
