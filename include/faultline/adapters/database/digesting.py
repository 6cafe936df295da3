"""What the database knows of an interval, for its digest."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, or_, select

from faultline.adapters.database.counting import labels_of
from faultline.adapters.database.stored import SUPPRESSION
from faultline.adapters.database.tables import (
    alerts,
    counts,
    fingerprints,
    flooded,
    label_sets,
    late_dropped,
    outbox,
    suppressions,
    transitions,
)
from faultline.alerting.alerts import Suppression
from faultline.digest import Uncounted, Undelivered
from faultline.dispatch.delivery import OutboxState, provider_answer
from faultline.dispatch.digest import PARTS, ErrorSum, Facts, bounds
from faultline.model import AlertState, Interval


def facts(connection: Connection, interval: Interval) -> Facts:
    """Everything there is to know of the interval."""
    return Facts(
        errors=_errors(connection, interval),
        known=set(connection.scalars(select(fingerprints.c.fingerprint).where(_before(interval)))),
        known_since=connection.scalar(select(func.min(counts.c.bucket_start))),
        ledger=_ledger(connection, interval),
        fired=_fired(connection, interval),
        undelivered=_undelivered(connection, interval),
        uncounted=uncounted(connection, interval),
    )


def samples(
    connection: Connection, interval: Interval, kinds: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The text of the earliest record of each (topic, fingerprint) in the interval."""
    group = (counts.c.topic, counts.c.fingerprint)
    order = (counts.c.first_ts, counts.c.sample_partition, counts.c.sample_offset)
    ranked = (
        select(*group, counts.c.sample, func.row_number().over(partition_by=group, order_by=order).label("rank"))
        .where(
            *_in(counts.c.bucket_start, interval),
            counts.c.topic.in_({topic for topic, _ in kinds}),
            counts.c.fingerprint.in_({fingerprint for _, fingerprint in kinds}),
        )
        .subquery()
    )
    rows = connection.execute(select(ranked).where(ranked.c.rank == 1))
    return {(row.topic, row.fingerprint): row.sample or "" for row in rows}


def _errors(connection: Connection, interval: Interval) -> list[ErrorSum]:
    edges = bounds(interval)
    numbered = ((counts.c.bucket_start < end, number - PARTS) for number, end in enumerate(edges[1:]))
    part = case(*numbered).label("part")
    rows = connection.execute(
        select(
            label_sets.c.labels,
            counts.c.fingerprint,
            part,
            func.sum(counts.c.count).label("total"),
            func.min(counts.c.first_ts).label("first_ts"),
            func.max(counts.c.last_ts).label("last_ts"),
        )
        .join(label_sets, label_sets.c.id == counts.c.label_set)
        .where(
            counts.c.bucket_start >= edges[0],
            counts.c.bucket_start < edges[-1],
            counts.c.fingerprint.is_not(None),
            or_(_has("level", "ERROR"), _has("level", "CRITICAL")),
        )
        .group_by(label_sets.c.labels, counts.c.fingerprint, part)
    )
    return [
        ErrorSum(labels_of(row.labels), row.fingerprint, row.part, int(row.total), row.first_ts, row.last_ts)
        for row in rows
    ]


def _has(label: str, value: str) -> ColumnElement[bool]:
    """Whether a set of labels, which is stored as JSON without spaces, has this one; quotes in others are escaped."""
    return label_sets.c.labels.contains(f"{json.dumps(label)}:{json.dumps(value)}", autoescape=True)


def _before(interval: Interval) -> ColumnElement[bool]:
    return fingerprints.c.first_bucket < interval.start


def _in(column: ColumnElement[datetime], interval: Interval) -> tuple[ColumnElement[bool], ...]:
    return column >= interval.start, column < interval.end


def _ledger(connection: Connection, interval: Interval) -> list[Suppression]:
    """The suppressions that were in force at some time of the interval."""
    ended = suppressions.c.ends_at
    lasted = or_(ended.is_(None), ended > interval.start)
    bodies = connection.scalars(select(suppressions.c.body).where(suppressions.c.starts_at < interval.end, lasted))
    return [SUPPRESSION.validate_json(body) for body in bodies]


def _fired(connection: Connection, interval: Interval) -> dict[str, int]:
    rows = connection.execute(
        select(alerts.c.rule, func.count(transitions.c.episode.distinct()))
        .join(alerts, alerts.c.episode == transitions.c.episode)
        .where(transitions.c.target == AlertState.FIRING, *_in(transitions.c.at, interval))
        .group_by(alerts.c.rule)
    )
    return {row[0]: row[1] for row in rows}


def _undelivered(connection: Connection, interval: Interval) -> list[Undelivered]:
    """Dead letters, by target; the last one's answer for all of them."""
    dead = (
        select(outbox.c.target, outbox.c.provider_code, outbox.c.provider_message)
        .where(outbox.c.state == OutboxState.DEAD, *_in(outbox.c.finished_at, interval))
        .order_by(outbox.c.id)
    )
    found: dict[str, Undelivered] = {}
    for target, code, message in connection.execute(dead):
        before = found[target].messages if target in found else 0
        found[target] = Undelivered(target, before + 1, provider_answer(code, message))
    return list(found.values())


def uncounted(connection: Connection, interval: Interval) -> list[Uncounted]:
    """By topic. What came too late, and what was kept back, is known by the hour."""
    unparsable = _by_topic(
        connection,
        select(counts.c.topic, func.sum(counts.c.count))
        .join(label_sets, label_sets.c.id == counts.c.label_set)
        .where(*_in(counts.c.bucket_start, interval), _has("parse_error", "true"))
        .group_by(counts.c.topic),
    )
    late, floods = (
        _by_topic(
            connection,
            select(table.c.topic, func.sum(table.c.count)).where(*_in(table.c.hour, interval)).group_by(table.c.topic),
        )
        for table in (late_dropped, flooded)
    )
    topics = sorted(unparsable.keys() | late.keys() | floods.keys())
    return [Uncounted(each, unparsable.get(each, 0), late.get(each, 0), floods.get(each, 0)) for each in topics]


def _by_topic(connection: Connection, totals: Select[Any]) -> dict[str, int]:
    return {topic: int(total) for topic, total in connection.execute(totals)}
