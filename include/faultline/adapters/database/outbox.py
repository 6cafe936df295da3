"""The outbox: what is to be sent to whom, lent to one sender at a time, in order per episode and target.

The order is that of the rows' ids. A row is lent only when no earlier one of its episode and target is unfinished, so
a resolve cannot overtake its firing, whatever fails in between.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy import literal as const

from faultline.adapters.database.connect import AT_ONCE, batched, insert_or_ignore
from faultline.adapters.database.stored import NOTIFICATION, to_json
from faultline.adapters.database.tables import outbox
from faultline.dispatch.delivery import Leased, OutboxState, Outcome, Sent
from faultline.model import Notification, NotificationKind

log = logging.getLogger(__name__)

_UNFINISHED = (OutboxState.QUEUED, OutboxState.LEASED, OutboxState.RETRY)


def enqueue(connection: Connection, notification: Notification, targets: Sequence[str]) -> None:
    """One row per target; a notification that is already there is left as it is."""
    for target in targets:
        row = {
            "key": notification.key,
            "target": target,
            "episode": notification.episode,
            "kind": notification.kind.value,
            "state": OutboxState.QUEUED,
            "attempts": 0,
            "created_at": notification.created_at,
            "due_at": notification.created_at,
            "body": to_json(NOTIFICATION, notification),
        }
        added = connection.execute(insert_or_ignore(connection, outbox).values(row)).rowcount
        if added and notification.kind == NotificationKind.RESOLVED:
            _drop_untold(connection, notification, target)


def is_known(connection: Connection, notification: Notification) -> bool:
    """Whether it was enqueued before.

    Asked first where the connection has changed other rows already: PostgreSQL lets an insert that would find its row
    there wait for whoever is just changing that row, and two channels that are told of each other's end would wait for
    each other.
    """
    found = connection.execute(select(outbox.c.id).where(outbox.c.key == notification.key).limit(1))
    return found.first() is not None


def _drop_untold(connection: Connection, resolve: Notification, target: str) -> None:
    """A target that no one has tried to tell of the episode need not hear of it now that it is over.

    After an attempt, even a failed one (a timeout may have arrived), everything is sent, in order.
    """
    rows = connection.execute(
        select(outbox.c.id, outbox.c.attempts)
        .where(outbox.c.episode == resolve.episode, outbox.c.target == target)
        .with_for_update()
    ).all()
    untold = len(rows) > 1 and not any(row.attempts for row in rows)
    if untold:
        log.info("%s began and ended before %s was told: neither is sent", resolve.episode, target)
        connection.execute(
            update(outbox)
            .where(outbox.c.id.in_([row.id for row in rows]))
            .values(state=OutboxState.SUPERSEDED, finished_at=resolve.created_at)
        )


def lease_due(connection: Connection, at: datetime, lease_for: timedelta, limit: int) -> list[Leased]:
    """Lend out what is due, oldest first. Rows another sender is just leasing are passed over, not waited for.

    A target has one sender at a time: one that hangs, however much waits for it, keeps no further sender from others.
    """
    earlier, lent = outbox.alias("earlier"), outbox.alias("lent")
    busy = (
        select(const(1))
        .where(lent.c.target == outbox.c.target, lent.c.state == OutboxState.LEASED, lent.c.due_at > at)
        .exists()
    )
    blocked = (
        select(const(1))
        .where(
            earlier.c.episode == outbox.c.episode,
            earlier.c.target == outbox.c.target,
            earlier.c.id < outbox.c.id,
            earlier.c.state.in_(_UNFINISHED),
        )
        .exists()
    )
    rows = connection.execute(
        select(outbox.c.id, outbox.c.target, outbox.c.attempts, outbox.c.body)
        .where(outbox.c.state.in_(_UNFINISHED), outbox.c.due_at <= at, ~blocked, ~busy)
        .order_by(outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    ).all()
    connection.execute(
        update(outbox)
        .where(outbox.c.id.in_([row.id for row in rows]))
        .values(state=OutboxState.LEASED, attempts=outbox.c.attempts + 1, due_at=at + lease_for)
    )
    return [_leased(row) for row in rows]


def record_delivery(connection: Connection, leased: Leased, outcome: Outcome, at: datetime) -> bool:
    """Note what became of an attempt; False when the loan had ended and its outcome no longer counts.

    That something was delivered is noted even then: it is true, and it stops a further copy.
    """
    where = [outbox.c.key == leased.notification.key, outbox.c.target == leased.target]
    if outcome.state == OutboxState.DELIVERED:
        where.append(outbox.c.state != OutboxState.DELIVERED)
    else:
        where += [outbox.c.state == OutboxState.LEASED, outbox.c.attempts == leased.attempt]
    values: dict[str, Any] = {
        "state": outcome.state,
        "provider_code": outcome.delivery.provider_code,
        "provider_message": outcome.delivery.provider_message,
    }
    values |= {"due_at": outcome.not_before} if outcome.not_before else {"finished_at": at}
    return connection.execute(update(outbox).where(*where).values(values)).rowcount == 1


def deliveries(connection: Connection, keys: Collection[str], at: datetime) -> dict[str, datetime]:
    """When each of the messages was first delivered, or given up for the last target; ``at`` without any target."""
    found: dict[str, list[Any]] = {key: [] for key in keys}
    for some in batched(list(keys), AT_ONCE):
        columns = (outbox.c.key, outbox.c.state, outbox.c.finished_at)
        for row in connection.execute(select(*columns).where(outbox.c.key.in_(some))):
            found.setdefault(row.key, []).append(row)
    times = {key: _delivered_at(rows, at) for key, rows in found.items()}
    return {key: time for key, time in times.items() if time is not None}


def _delivered_at(rows: Sequence[Any], at: datetime) -> datetime | None:
    delivered: list[datetime] = [row.finished_at for row in rows if row.state == OutboxState.DELIVERED]
    if delivered:
        return min(delivered)
    if any(row.finished_at is None for row in rows):
        return None
    given_up: list[datetime] = [row.finished_at for row in rows]
    return max(given_up, default=at)


def give_back(connection: Connection, unsent: Sequence[Leased], at: datetime) -> None:
    """Undo loans that were not used: due again now, as if they had not been lent."""
    for leased in unsent:
        loan = (
            outbox.c.key == leased.notification.key,
            outbox.c.target == leased.target,
            outbox.c.state == OutboxState.LEASED,
            outbox.c.attempts == leased.attempt,
        )
        state = OutboxState.QUEUED if leased.attempt == 1 else OutboxState.RETRY
        connection.execute(update(outbox).where(*loan).values(state=state, attempts=leased.attempt - 1, due_at=at))


def requeue_dead(connection: Connection, at: datetime, keys: Sequence[str], target: str | None) -> int:
    """Make dead rows due again, those of ``keys`` (all when empty) and of the target; how many.

    A target that has since been delivered something later of the same episode is not told the earlier any more.
    """
    later = outbox.alias("later")
    overtaken = (
        select(const(1))
        .where(
            later.c.episode == outbox.c.episode,
            later.c.target == outbox.c.target,
            later.c.id > outbox.c.id,
            later.c.state == OutboxState.DELIVERED,
        )
        .exists()
    )
    where = [outbox.c.state == OutboxState.DEAD, ~overtaken]
    where += [outbox.c.key.in_(keys)] if keys else []
    where += [outbox.c.target == target] if target else []
    # One attempt stays counted: something may have arrived, so a resolve is still owed.
    values = {"state": OutboxState.RETRY, "attempts": 1, "due_at": at, "finished_at": None}
    return connection.execute(update(outbox).where(*where).values(values)).rowcount


def _leased(row: Any) -> Leased:
    return Leased(NOTIFICATION.validate_json(row.body), row.target, row.attempts + 1)


def sent(row: Any) -> Sent:
    """A whole row of the table as a value."""
    return Sent(
        notification=NOTIFICATION.validate_json(row.body),
        target=row.target,
        state=OutboxState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        finished_at=row.finished_at,
        provider_code=row.provider_code,
        provider_message=row.provider_message,
    )
