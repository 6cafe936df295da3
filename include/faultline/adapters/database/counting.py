"""Positions and counts: written together, fenced by the stored next offset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
    update,
)

from faultline.adapters.database.connect import AT_ONCE, batched, insert_or_ignore, upsert
from faultline.adapters.database.tables import (
    UtcDateTime,
    count_batches,
    counts,
    fingerprints,
    flooded,
    label_sets,
    late_dropped,
    positions,
)
from faultline.alerting.contexts import LabelSum
from faultline.errors import Superseded
from faultline.model import ErrorCount, FloodCount, Interval, Labels, LateCount, OffsetRange, TopicPartition

# So many batches may be committed before one that began before them.
_OVERTAKING = 500

_PARTITION = (positions.c.topic, positions.c.topic_id, positions.c.partition)


def next_offsets(connection: Connection, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
    """The next offset to count of each partition; None where counting has not begun."""
    stored = {partition: row.next_offset for partition, row in _stored(connection, partitions).items()}
    return {partition: stored.get(partition) for partition in partitions}


def complete_times(
    connection: Connection, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, datetime | None]:
    """The event time up to which each partition is counted; None where nothing is known."""
    stored = {partition: row.complete_to for partition, row in _stored(connection, partitions).items()}
    return {partition: stored.get(partition) for partition in partitions}


def record_counts(
    connection: Connection,
    ranges: Sequence[OffsetRange],
    errors: Sequence[ErrorCount],
    complete_to: Mapping[TopicPartition, datetime],
    late: Sequence[LateCount],
    floods: Sequence[FloodCount],
    at: datetime | None,
    checkpoint: Callable[[str], None],
) -> None:
    """Advance the positions and add the counts; Superseded when a position is not where its range starts."""
    if unknown := set(complete_to) - {span.partition for span in ranges}:
        raise ValueError(f"complete_to of partitions that are not in the batch: {sorted(unknown)}")
    if (errors or late or floods) and not any(ranges):
        raise ValueError("counts of no offset range")
    # In one order for everyone, so that two writers cannot each wait for the other's row.
    for span in sorted(ranges):
        _advance(connection, span, complete_to.get(span.partition), at)
        checkpoint("counts:position")
    if late:
        _add_by_hour(connection, late_dropped, late)
        checkpoint("counts:late")
    if floods:
        _add_by_hour(connection, flooded, floods)
        checkpoint("counts:floods")
    if errors:
        _add(connection, ranges, errors, checkpoint)


@dataclass(frozen=True, slots=True)
class BatchMark:
    """Which batches have been read: those up to ``floor``, and ``above`` it these.

    Batches are numbered when they begin and seen when they are committed, so there may be gaps that fill later.
    """

    floor: int = 0
    above: frozenset[int] = frozenset()

    def to_text(self) -> str:
        """In few words: there are hardly any gaps."""
        last = max(self.above, default=self.floor)
        missing = sorted(set(range(self.floor + 1, last)) - self.above)
        return json.dumps([self.floor, last, missing], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> BatchMark:
        """What ``to_text`` has written."""
        floor, last, missing = json.loads(text)
        return cls(floor, frozenset(range(floor + 1, last + 1)) - frozenset(missing))


def batch_mark(connection: Connection) -> BatchMark:
    """Every batch there is now."""
    last = connection.scalar(select(func.max(count_batches.c.id))) or 0
    floor = max(0, last - _OVERTAKING)
    return BatchMark(floor, frozenset(connection.scalars(select(count_batches.c.id).where(count_batches.c.id > floor))))


def new_counts(connection: Connection, topics: Collection[str], mark: BatchMark) -> tuple[list[ErrorCount], BatchMark]:
    """The counts of the batches that the mark does not know, each row as it was recorded, and the mark after them."""
    present = frozenset(connection.scalars(select(count_batches.c.id).where(count_batches.c.id > mark.floor)))
    fresh = present - mark.above
    if not fresh:
        return [], mark
    rows: list[ErrorCount] = []
    ordered = sorted(fresh)
    for some in batched(ordered, AT_ONCE):
        chosen = (
            select(counts, counts.c.count.label("total"), label_sets.c.labels)
            .join(label_sets, label_sets.c.id == counts.c.label_set)
            .where(counts.c.batch.in_(some), counts.c.topic.in_(topics))
            .order_by(counts.c.id)
        )
        rows += [_error_count(row) for row in connection.execute(chosen)]
    floor = max(mark.floor, max(present) - _OVERTAKING)
    return rows, BatchMark(floor, frozenset(each for each in present if each > floor))


def counts_between(
    connection: Connection,
    topics: Collection[str],
    start: datetime,
    end: datetime | None,
    mark: BatchMark | None = None,
    after: BatchMark | None = None,
) -> list[ErrorCount]:
    """Counts of the buckets that start in ``[start, end)``, summed over batches, each with its earliest sample.

    With ``mark`` only those of the batches that it knows, with ``after`` only those of batches that this does not.
    """
    known = true() if mark is None else _knows(mark)
    if after is not None:
        known = and_(known, not_(_knows(after)))
    if end is not None:
        known = and_(known, counts.c.bucket_start < end)
    group = [counts.c.bucket_start, counts.c.label_set, counts.c.fingerprint]
    ranked = (
        select(
            counts.c.bucket_start,
            counts.c.label_set,
            counts.c.fingerprint,
            func.sum(counts.c.count).over(partition_by=group).label("total"),
            counts.c.first_ts,
            func.max(counts.c.last_ts).over(partition_by=group).label("last_ts"),
            counts.c.sample,
            counts.c.sample_partition,
            counts.c.sample_offset,
            func.row_number()
            .over(partition_by=group, order_by=[counts.c.first_ts, counts.c.sample_partition, counts.c.sample_offset])
            .label("rank"),
        )
        .where(counts.c.topic.in_(topics), counts.c.bucket_start >= start, known)
        .subquery()
    )
    rows = connection.execute(
        select(ranked, label_sets.c.labels)
        .join(label_sets, label_sets.c.id == ranked.c.label_set)
        .where(ranked.c.rank == 1)
        .order_by(ranked.c.bucket_start, label_sets.c.labels, ranked.c.fingerprint)
    )
    return [_error_count(row) for row in rows]


def _knows(mark: BatchMark) -> ColumnElement[bool]:
    return or_(counts.c.batch <= mark.floor, counts.c.batch.in_(mark.above))


def label_sums(connection: Connection, interval: Interval) -> list[LabelSum]:
    """The counts of the interval, summed by labels and fingerprint."""
    rows = connection.execute(
        select(label_sets.c.labels, counts.c.fingerprint, func.sum(counts.c.count), func.min(counts.c.sample))
        .join(label_sets, label_sets.c.id == counts.c.label_set)
        .where(counts.c.bucket_start >= interval.start, counts.c.bucket_start < interval.end)
        .group_by(label_sets.c.labels, counts.c.fingerprint)
    )
    return [
        LabelSum(labels_of(labels), fingerprint, int(total), sample or "")
        for labels, fingerprint, total, sample in rows
    ]


def reach_back_to(connection: Connection, at: datetime) -> bool:
    """Whether there are counts of that time, or earlier ones."""
    return connection.execute(select(counts.c.id).where(counts.c.bucket_start <= at).limit(1)).first() is not None


def prune_counts(connection: Connection, before: datetime) -> int:
    """Forget the counts of buckets that start before ``before``; label sets stay, they are few."""
    connection.execute(delete(count_batches).where(count_batches.c.last_bucket < before))
    for table in (late_dropped, flooded):
        connection.execute(delete(table).where(table.c.hour < before))
    forgotten = connection.execute(delete(counts).where(counts.c.bucket_start < before)).rowcount
    if forgotten:
        left = select(counts.c.fingerprint).where(counts.c.fingerprint.is_not(None)).distinct()
        connection.execute(delete(fingerprints).where(fingerprints.c.fingerprint.not_in(left)))
    return forgotten


def _stored(connection: Connection, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
    keys = [(partition.topic, partition.topic_id, partition.partition) for partition in partitions]
    rows = connection.execute(select(positions).where(tuple_(*_PARTITION).in_(keys)))
    return {TopicPartition(row.topic, row.topic_id, row.partition): row for row in rows}


def _advance(connection: Connection, span: OffsetRange, complete_to: datetime | None, at: datetime | None) -> None:
    """Compare and set; the database decides, so it holds against a writer that reads at the same moment."""
    key = {"topic": span.partition.topic, "topic_id": span.partition.topic_id, "partition": span.partition.partition}
    values: dict[str, Any] = {"next_offset": span.end}
    if complete_to is not None:
        known = positions.c.complete_to
        later = known > complete_to if at is None else and_(known > complete_to, known <= at)
        values["complete_to"] = case((later, known), else_=literal(complete_to, UtcDateTime()))
    where = [positions.c[name] == value for name, value in key.items()]
    moved = connection.execute(update(positions).where(*where, positions.c.next_offset == span.start).values(values))
    if moved.rowcount:
        return
    first = insert_or_ignore(connection, positions).values(**key, next_offset=span.end, complete_to=complete_to)
    if not connection.execute(first).rowcount:
        raise Superseded(f"{span} was counted by another writer")


def _add_by_hour(connection: Connection, table: Table, numbers: Sequence[LateCount | FloodCount]) -> None:
    statement = upsert(connection, table)
    more = table.c.count + statement.excluded.count
    statement = statement.on_conflict_do_update(index_elements=["topic", "hour"], set_={"count": more})
    # In one order for everyone, so that two writers cannot each wait for the other's row.
    ordered = sorted(numbers, key=lambda each: (each.topic, each.hour))
    connection.execute(statement, [{"topic": each.topic, "hour": each.hour, "count": each.count} for each in ordered])


def _add(
    connection: Connection,
    ranges: Sequence[OffsetRange],
    errors: Sequence[ErrorCount],
    checkpoint: Callable[[str], None],
) -> None:
    batch = connection.execute(
        insert(count_batches)
        .values(ranges=_ranges_text(ranges), last_bucket=max(error.bucket_start for error in errors))
        .returning(count_batches.c.id)
    ).scalar_one()
    checkpoint("counts:batch")
    _add_label_sets(connection, {error.labels for error in errors})
    checkpoint("counts:labels")
    _add_fingerprints(connection, errors)
    checkpoint("counts:fingerprints")
    connection.execute(insert(counts), [_row(error, batch) for error in errors])
    checkpoint("counts:rows")


def _add_label_sets(connection: Connection, found: Collection[Labels]) -> None:
    """Those that are not there yet; mostly all are."""
    rows = {_label_set(labels): labels for labels in found}
    for ids in batched(list(rows), AT_ONCE):
        for known in connection.scalars(select(label_sets.c.id).where(label_sets.c.id.in_(ids))):
            del rows[known]
    if rows:
        connection.execute(
            insert_or_ignore(connection, label_sets),
            # In one order for everyone: on PostgreSQL the second to insert a row waits for the first.
            [
                {"id": id, "topic": labels["topic"], "labels": _labels_text(labels)}
                for id, labels in sorted(rows.items(), key=itemgetter(0))
            ],
        )


def _add_fingerprints(connection: Connection, errors: Sequence[ErrorCount]) -> None:
    """Those that are not there yet, or not since so early; mostly all are."""
    found = [(error.fingerprint, error.bucket_start) for error in errors if error.fingerprint is not None]
    if not found:
        return
    since = min(bucket for _, bucket in found)
    unknown = set(connection.scalars(_not_known(connection, {name for name, _ in found}, since)))
    first: dict[str, datetime] = {}
    for name, bucket in found:
        if name in unknown:
            first[name] = min(first.get(name, bucket), bucket)
    if first:
        statement = upsert(connection, fingerprints)
        earlier = statement.excluded.first_bucket
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["fingerprint"],
                set_={"first_bucket": earlier},
                where=earlier < fingerprints.c.first_bucket,
            ),
            # In one order for everyone, as with label sets.
            [{"fingerprint": name, "first_bucket": bucket} for name, bucket in sorted(first.items())],
        )


def _not_known(connection: Connection, names: Collection[str], since: datetime) -> Select[Any]:
    """Those of the fingerprints that are not known since then.

    As one parameter: hundreds of them take five times as long.
    """
    texts = literal(json.dumps(sorted(names)))
    if connection.dialect.name == "sqlite":
        name = func.json_each(texts).table_valued("value").c.value
    else:
        name = func.json_array_elements_text(cast(texts, JSON)).table_valued("value").c.value
    known = exists().where(fingerprints.c.fingerprint == name, fingerprints.c.first_bucket <= since)
    return select(name).where(~known)


def _row(error: ErrorCount, batch: int) -> dict[str, Any]:
    return {
        "topic": error.labels["topic"],
        "bucket_start": error.bucket_start,
        "label_set": _label_set(error.labels),
        "fingerprint": error.fingerprint,
        "count": error.count,
        "first_ts": error.first_ts,
        "last_ts": error.last_ts,
        "sample": error.sample,
        "sample_partition": error.sample_partition,
        "sample_offset": error.sample_offset,
        "batch": batch,
    }


def _error_count(row: Any) -> ErrorCount:
    return ErrorCount(
        bucket_start=row.bucket_start,
        labels=labels_of(row.labels),
        count=int(row.total),
        first_ts=row.first_ts,
        last_ts=row.last_ts,
        fingerprint=row.fingerprint,
        sample=row.sample,
        sample_partition=row.sample_partition,
        sample_offset=row.sample_offset,
    )


@lru_cache(maxsize=65_536)
def _label_set(labels: Labels) -> str:
    return hashlib.sha256(_labels_text(labels).encode()).hexdigest()[:32]


def _labels_text(labels: Labels) -> str:
    return json.dumps(dict(labels), separators=(",", ":"))


@lru_cache(maxsize=65_536)
def labels_of(text: str) -> Labels:
    return Labels(json.loads(text))


def _ranges_text(ranges: Sequence[OffsetRange]) -> str:
    return json.dumps(
        [
            [span.partition.topic, span.partition.topic_id, span.partition.partition, span.start, span.end]
            for span in sorted(ranges)
        ],
        separators=(",", ":"),
    )
