"""What the tables say at a glance: for `faultline status`, the page and the demo."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from faultline.adapters.database.outbox import sent
from faultline.adapters.database.tables import counts, late_dropped, outbox, positions
from faultline.dispatch.delivery import OutboxState, Sent
from faultline.model import Interval, LateCount, TopicPartition


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a partition is counted."""

    partition: TopicPartition
    next_offset: int
    complete_to: datetime | None


def counted(connection: Connection) -> list[Counted]:
    """How far every partition is counted, by topic and number."""
    rows = connection.execute(select(positions).order_by(positions.c.topic, positions.c.partition))
    return [
        Counted(TopicPartition(row.topic, row.topic_id, row.partition), row.next_offset, row.complete_to)
        for row in rows
    ]


def totals(connection: Connection, interval: Interval | None) -> dict[str, int]:
    """Records in the stored counts of each topic (those not pruned yet), of the interval if there is one."""
    chosen = select(counts.c.topic, func.sum(counts.c.count)).group_by(counts.c.topic)
    if interval is not None:
        chosen = chosen.where(counts.c.bucket_start >= interval.start, counts.c.bucket_start < interval.end)
    rows = connection.execute(chosen)
    return {topic: int(total) for topic, total in rows}


def late_counts(connection: Connection) -> list[LateCount]:
    """What came too late to be counted, newest hour first."""
    columns = (late_dropped.c.topic, late_dropped.c.hour, late_dropped.c.count)
    rows = connection.execute(select(*columns).order_by(late_dropped.c.hour.desc(), late_dropped.c.topic))
    return [LateCount(topic, hour, number) for topic, hour, number in rows]


def outbox_summary(connection: Connection) -> dict[OutboxState, int]:
    """Outbox rows per state; a state without rows is 0."""
    rows = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state))
    return dict.fromkeys(OutboxState, 0) | {OutboxState(state): number for state, number in rows}


def waiting_since(connection: Connection) -> datetime | None:
    """When the oldest of the messages was made that are to be sent still; None when none is."""
    waits = (OutboxState.QUEUED, OutboxState.LEASED, OutboxState.RETRY)
    oldest: datetime | None = connection.scalar(select(func.min(outbox.c.created_at)).where(outbox.c.state.in_(waits)))
    return oldest


def recent_notifications(
    connection: Connection, limit: int, states: Collection[OutboxState], target: str | None
) -> list[Sent]:
    """The latest rows of the outbox, newest first; of these states and this target only, where given."""
    where: list[ColumnElement[bool]] = [outbox.c.state.in_(states)] if states else []
    where += [outbox.c.target == target] if target else []
    rows = connection.execute(select(outbox).where(*where).order_by(outbox.c.id.desc()).limit(limit))
    return [sent(row) for row in rows]
