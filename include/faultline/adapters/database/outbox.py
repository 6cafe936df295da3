"""The outbox: what is to be sent to whom, lent to one sender at a time, in order per episode and target.

The order is that of the rows' ids. A row is lent only when no earlier one of its episode and target is unfinished, so
a resolve cannot overtake its firing, whatever fails in between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update
from sqlalchemy import literal as const

from faultline.adapters.database.connect import AT_ONCE, batched, insert_or_ignore
from faultline.adapters.database.stored import NOTIFICATION, to_json
from faultline.adapters.database.tables import outbox
from faultline.dispatch.delivery import Leased, OutboxState, Outcome, Sent
from faultline.dispatch.folding import FOLD, FOLDABLE, MOST, episode_of, fold
from faultline.model import Notification, NotificationKind

log = logging.getLogger(__name__)

_NO_END = "the channel is sent no ends (send_resolved)"
_UNFINISHED = (OutboxState.QUEUED, OutboxState.LEASED, OutboxState.RETRY)


def enqueue(
    connection: Connection, notification: Notification, targets: Sequence[str], no_ends: Collection[str] = ()
) -> None:
    """One row per target; a notification that is already there is left as it is. A target in ``no_ends`` is told of no
    end: that is written down, and not sent.
    """
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
        if notification.kind == NotificationKind.RESOLVED and target in no_ends:
            row |= {
                "state": OutboxState.SUPERSEDED,
                "finished_at": notification.created_at,
                "provider_message": _NO_END,
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
        select(outbox.c.id, outbox.c.attempts, outbox.c.state)
        .where(outbox.c.episode == resolve.episode, outbox.c.target == target)
        .with_for_update()
    ).all()
    untold = len(rows) > 1 and not any(row.attempts or row.state == OutboxState.FOLDED for row in rows)
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
            or_(earlier.c.state.in_(_UNFINISHED), _being_told(earlier)),
        )
        .exists()
    )
    rows = connection.execute(
        select(outbox.c.id, outbox.c.target, outbox.c.attempts, outbox.c.body)
        .where(outbox.c.state.in_(_UNFINISHED), outbox.c.due_at <= at, ~blocked, ~_behind_a_fold(), ~busy)
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
    recorded = connection.execute(update(outbox).where(*where).values(values)).rowcount == 1
    if recorded and leased.notification.folded and outcome.state != OutboxState.RETRY:
        _finish_folded(connection, leased, outcome, at)
    return recorded


def _behind_a_fold() -> ColumnElement[bool]:
    """Whether a row tells of many, and an earlier one of its target that does is unfinished.

    The later may have the ends of what the earlier tells the beginnings of.
    """
    earlier = outbox.alias("earlier_fold")
    unfinished = (
        select(const(1))
        .where(
            earlier.c.target == outbox.c.target,
            earlier.c.id < outbox.c.id,
            earlier.c.episode.startswith(FOLD),
            earlier.c.state.in_(_UNFINISHED),
        )
        .exists()
    )
    return and_(outbox.c.episode.startswith(FOLD), unfinished)


def _being_told(row: Any) -> ColumnElement[bool]:
    """Whether a row is folded into a message that is still to be sent."""
    return and_(row.c.state == OutboxState.FOLDED, row.c.finished_at.is_(None))


def _finish_folded(connection: Connection, leased: Leased, outcome: Outcome, at: datetime) -> None:
    """What was told in one message was told when that was; where it was given up, each of them is."""
    values: dict[str, Any] = {"finished_at": at}
    if outcome.state == OutboxState.DEAD:
        said = {"provider_code": outcome.delivery.provider_code, "provider_message": outcome.delivery.provider_message}
        values |= {"state": OutboxState.DEAD, **said}
    for some in batched([each.key for each in leased.notification.folded], AT_ONCE):
        rows = (outbox.c.key.in_(some), outbox.c.target == leased.target, outbox.c.state == OutboxState.FOLDED)
        connection.execute(update(outbox).where(*rows).values(values))


def fold_waiting(
    connection: Connection,
    target: str,
    above: int,
    unsent: Sequence[Leased],
    at: datetime,
    due_at: datetime,
    checkpoint: Callable[[str], None],
) -> bool:
    """Make one message, due at ``due_at``, of those that wait for the target, when they are more than ``above``.

    Everything unfinished of the target is looked at, and the oldest are folded, so that nothing overtakes an earlier
    message of its episode. Nothing is folded while another sender has loans of the target.
    """
    rows = connection.execute(
        select(outbox.c.id, outbox.c.key, outbox.c.state, outbox.c.attempts, outbox.c.due_at, outbox.c.body)
        .where(outbox.c.target == target, outbox.c.state.in_(_UNFINISHED), outbox.c.kind.in_(FOLDABLE))
        .order_by(outbox.c.id)
        .limit(MOST)
        .with_for_update()
    ).all()
    mine = {(each.notification.key, each.attempt) for each in unsent}
    lent = [row for row in rows if row.state == OutboxState.LEASED and row.due_at > at]
    if len(rows) <= above or any((row.key, row.attempts) not in mine for row in lent):
        return False
    waiting = [NOTIFICATION.validate_json(row.body) for row in rows]
    episode = episode_of(waiting)
    before = select(func.count()).where(outbox.c.episode == episode, outbox.c.target == target)
    summary = fold(waiting, at, sequence=connection.execute(before).scalar_one() + 1)
    enqueue(connection, summary, (target,))
    checkpoint("outbox:folding")
    row = (outbox.c.key == summary.key, outbox.c.target == target)
    connection.execute(update(outbox).where(*row).values(due_at=due_at))
    told = {"state": OutboxState.FOLDED, "due_at": due_at, "provider_message": f"told in {summary.key}"}
    connection.execute(update(outbox).where(outbox.c.id.in_([row.id for row in rows])).values(told))
    log.info("%d messages for %s are folded into %s", len(rows), target, summary.key)
    return True


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
    told = (OutboxState.DELIVERED, OutboxState.FOLDED)
    delivered: list[datetime] = [row.finished_at for row in rows if row.state in told and row.finished_at]
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
    # What was told in one message is sent again by itself.
    where = [outbox.c.state == OutboxState.DEAD, ~overtaken, ~outbox.c.episode.startswith(FOLD)]
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
