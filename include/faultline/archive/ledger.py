"""The ledger of a table in few words, so that its log can be shortened. Pure.

Neighbours become one range, while holes and overlaps stay as they are: a proof over the folded ledger finds every fault
it would have found before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from faultline.archive.ranges import to_ranges, union
from faultline.archive.table import CommittedRange, Ledger
from faultline.model import OffsetRange, TopicPartition


def fold(ledger: Ledger) -> Ledger:
    """The same, in as few ranges as there can be."""
    return Ledger(tuple(_fold_commits(ledger.commits)), union(ledger.expired))


def offsets_of(topic: str, portions: Iterable[pa.Table]) -> tuple[OffsetRange, ...]:
    """The offsets of rows with (kafka_topic_id, kafka_partition, kafka_offset), in any order, as ranges."""
    found: list[OffsetRange] = []
    for portion in portions:
        keys = portion.group_by(["kafka_topic_id", "kafka_partition"]).aggregate([("kafka_offset", "list")])
        for key in keys.to_batches(max_chunksize=1):
            topic_id, number = key["kafka_topic_id"][0].as_py(), key["kafka_partition"][0].as_py()
            offsets = pc.unique(key["kafka_offset_list"][0].values).sort()
            found += to_ranges(TopicPartition(topic, topic_id, number), offsets.to_numpy())
    return union(found)


def _fold_commits(commits: Sequence[CommittedRange]) -> Iterator[CommittedRange]:
    """In the order of each one's newest commit, so that the last one is still the newest."""
    folded: list[CommittedRange] = []
    for each in sorted(commits, key=lambda commit: (commit.range, commit.version)):
        last = folded[-1] if folded else None
        if last is not None and last.range.partition == each.range.partition and last.range.end == each.range.start:
            folded[-1] = _together(last, each)
        else:
            folded.append(each)
    yield from sorted(folded, key=lambda commit: commit.version)


def _together(first: CommittedRange, second: CommittedRange) -> CommittedRange:
    return CommittedRange(
        max(first.version, second.version),
        OffsetRange(first.range.partition, first.range.start, second.range.end),
        first.rows + second.rows,
        union((*first.explained, *second.explained)),
        (*first.lost, *second.lost),
        at=max(first.at, second.at),
    )
