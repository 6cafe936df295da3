"""Counts as charts and lists of errors show them: summed over steps of time, and by fingerprint. Bounded reads.

A chart asks for more counts than anyone waits for, so every sum is of an interval that ``reach`` has cut.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    case,
    cast,
    exists,
    extract,
    func,
    literal_column,
    null,
    select,
    true,
)

from faultline.adapters.database.counting import labels_of
from faultline.adapters.database.tables import counts, fingerprints, label_sets
from faultline.model import Interval, Labels


@dataclass(frozen=True, slots=True)
class Sum:
    """How many records of a label set, or of a fingerprint of it, there were in the step that begins at ``start``."""

    start: datetime
    label_set: str
    fingerprint: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A fingerprint in an interval: its records, the first and the last bucket, the newest count with a sample."""

    fingerprint: str
    count: int
    first: datetime
    last: datetime
    labels: Labels
    sample: str


def known_labels(connection: Connection, limit: int) -> dict[str, Labels]:
    """The label sets there ever were, by id; at most ``limit``."""
    rows = connection.execute(select(label_sets.c.id, label_sets.c.labels).order_by(label_sets.c.id).limit(limit))
    return {id: labels_of(text) for id, text in rows}


def reach(connection: Connection, interval: Interval, most: int) -> Interval:
    """The newest part of the interval with about ``most`` rows of counts; all of it where it has no more."""
    bucket = counts.c.bucket_start
    newest = select(bucket).where(_within(interval)).order_by(bucket.desc())
    start = connection.scalar(newest.offset(most).limit(1))
    return interval if start is None else Interval(start, interval.end)


def sums(
    connection: Connection,
    interval: Interval,
    width: timedelta,
    sets: Collection[str] | None,
    *,
    fingerprint: str = "",
    apart: Collection[str] | bool = False,
) -> list[Sum]:
    """Records per step of ``width`` (whole seconds, aligned to the epoch) and label set, by time.

    ``sets`` None are all. With ``apart`` also by fingerprint, where they are some, of these and all others together.
    """
    step = _step(connection, width).label("step")
    which: ColumnElement[Any] = null()
    if apart is True:
        which = counts.c.fingerprint
    elif apart:
        which = case((counts.c.fingerprint.in_(apart), counts.c.fingerprint))
    chosen = (
        select(step, counts.c.label_set, which.label("apart"), func.sum(counts.c.count))
        .where(_within(interval), _among(sets), _only(fingerprint))
        .group_by(step, counts.c.label_set, *([literal_column("apart")] if apart else []))
    )
    seconds = _seconds(width)
    # Sorted here: asked to, PostgreSQL sorts all rows before it sums them.
    found = [
        Sum(datetime.fromtimestamp(number * seconds, UTC), label_set, name, int(total))
        for number, label_set, name, total in connection.execute(chosen)
    ]
    return sorted(found, key=attrgetter("start"))


def seen(
    connection: Connection, interval: Interval, sets: Collection[str] | None, limit: int, *, fingerprint: str = ""
) -> tuple[list[Seen], list[Seen]]:
    """The most frequent fingerprints of the interval, and those that no count before it has, latest first.

    None is new where there is nothing before it to tell.
    """
    found = (
        select(
            counts.c.fingerprint,
            func.sum(counts.c.count).label("total"),
            func.min(counts.c.bucket_start).label("first"),
            func.max(counts.c.bucket_start).label("last"),
        )
        .where(_within(interval), _among(sets), _only(fingerprint))
        .group_by(counts.c.fingerprint)
        .cte("found")
    )
    earlier = (fingerprints.c.fingerprint == found.c.fingerprint) & (fingerprints.c.first_bucket < interval.start)
    known = exists().where(earlier)
    order = (found.c.total.desc(), found.c.fingerprint)
    # In one pass: what is summed is most of the work.
    placed = (
        select(
            found,
            known.label("known"),
            func.row_number().over(order_by=order).label("place"),
            func.row_number().over(partition_by=known, order_by=(found.c.first.desc(), *order)).label("newest"),
        )
        .where(found.c.fingerprint.is_not(None))
        .subquery()
    )
    top, new = placed.c.place <= limit, ~placed.c.known & (placed.c.newest <= limit)
    rows = connection.execute(select(placed).where(top | new)).all()
    any_before = connection.scalar(select(counts.c.id).where(counts.c.bucket_start < interval.start).limit(1))
    shown = {row.fingerprint: _with_sample(connection, sets, row) for row in rows}
    frequent = sorted((row for row in rows if row.place <= limit), key=attrgetter("place"))
    recent = sorted((row for row in rows if not row.known and row.newest <= limit), key=attrgetter("newest"))
    return (
        [shown[row.fingerprint] for row in frequent],
        [shown[row.fingerprint] for row in recent] if any_before is not None else [],
    )


def _with_sample(connection: Connection, sets: Collection[str] | None, row: Row[Any]) -> Seen:
    """With what the last bucket of it says."""
    newest = connection.execute(
        select(counts.c.sample, label_sets.c.labels)
        .join(label_sets, label_sets.c.id == counts.c.label_set)
        .where(counts.c.bucket_start == row.last, counts.c.fingerprint == row.fingerprint, _among(sets))
        .limit(1)
    ).one()
    labels = labels_of(newest.labels)
    return Seen(row.fingerprint, int(row.total), row.first, row.last, labels, newest.sample or "")


def _within(interval: Interval) -> ColumnElement[bool]:
    return (counts.c.bucket_start >= interval.start) & (counts.c.bucket_start < interval.end)


def _among(sets: Collection[str] | None) -> ColumnElement[bool]:
    return true() if sets is None else counts.c.label_set.in_(sets)


def _only(fingerprint: str) -> ColumnElement[bool]:
    return counts.c.fingerprint == fingerprint if fingerprint else true()


def _seconds(width: timedelta) -> int:
    return int(width.total_seconds())


def _step(connection: Connection, width: timedelta) -> ColumnElement[int]:
    """The number of the step a count's bucket is in, from the epoch on."""
    if connection.dialect.name == "sqlite":
        epoch = cast(func.strftime("%s", counts.c.bucket_start), BigInteger)
    else:
        epoch = cast(func.floor(extract("epoch", counts.c.bucket_start)), BigInteger)
    # In the text of the statement, or PostgreSQL takes the expression to group by for another one.
    return epoch // literal_column(str(_seconds(width)), BigInteger)
