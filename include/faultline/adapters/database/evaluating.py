"""Leases, and what an evaluation leaves behind: episodes, transitions, the ledger and the outbox, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from faultline.adapters.database import outbox
from faultline.adapters.database.connect import upsert
from faultline.adapters.database.stored import ALERT, SUPPRESSION, TRANSITION, to_json
from faultline.adapters.database.tables import alerts, leases, suppressions, transitions
from faultline.alerting.alerts import Alert, Evaluation, Suppression
from faultline.errors import Superseded
from faultline.model import Transition


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do ``name`` until someone else takes it; ``token`` is greater than every earlier one."""

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How far alerts have been evaluated: when last, up to which watermark, by which version of the rules."""

    at: datetime
    watermark: datetime | None
    rules_hash: str


def acquire_lease(connection: Connection, name: str, holder: str) -> Lease:
    """Take the lease over, whoever has it."""
    statement = upsert(connection, leases).values(name=name, holder=holder, token=1)
    statement = statement.on_conflict_do_update(
        index_elements=[leases.c.name], set_={"holder": holder, "token": leases.c.token + 1}
    )
    return Lease(name, holder, connection.execute(statement.returning(leases.c.token)).scalar_one())


def evaluated(connection: Connection, name: str) -> Evaluated | None:
    """What the last evaluation under this lease's name recorded."""
    row = connection.execute(select(leases).where(leases.c.name == name)).first()
    return Evaluated(row.evaluated_at, row.watermark, row.rules_hash) if row and row.evaluated_at else None


def live_alerts(connection: Connection) -> list[Alert]:
    """Exactly the alerts of the last recorded evaluation."""
    bodies = connection.scalars(select(alerts.c.body).where(alerts.c.live).order_by(alerts.c.episode))
    return [ALERT.validate_json(body) for body in bodies]


def record_evaluation(
    connection: Connection,
    lease: Lease,
    evaluation: Evaluation,
    targets: Mapping[str, Sequence[str]],
    checkpoint: Callable[[str], None],
) -> None:
    """Write an evaluation; Superseded when the lease has been taken over."""
    _hold(connection, lease, evaluation)
    checkpoint("evaluation:lease")
    _replace_alerts(connection, evaluation.alerts)
    checkpoint("evaluation:alerts")
    if evaluation.transitions:
        connection.execute(insert(transitions), [_transition_row(step) for step in evaluation.transitions])
    checkpoint("evaluation:transitions")
    for suppression in evaluation.suppressions:
        _put(connection, suppressions, _suppression_row(suppression))
    checkpoint("evaluation:suppressions")
    for notification in evaluation.notifications:
        outbox.enqueue(connection, notification, targets.get(notification.receiver, (notification.receiver,)))
        checkpoint("evaluation:outbox")


def _hold(connection: Connection, lease: Lease, evaluation: Evaluation) -> None:
    """Lock the lease's row until the transaction ends; it is ours only while the token is."""
    kept = connection.execute(
        update(leases)
        .where(leases.c.name == lease.name, leases.c.token == lease.token)
        .values(evaluated_at=evaluation.at, watermark=evaluation.watermark, rules_hash=evaluation.rules_hash)
    )
    if not kept.rowcount:
        raise Superseded(
            f"{lease.holder} no longer holds {lease.name!r}: someone took it over after token {lease.token}"
        )


def _replace_alerts(connection: Connection, remembered: Sequence[Alert]) -> None:
    rows = connection.execute(select(alerts.c.episode, alerts.c.body).where(alerts.c.live))
    stored = {row.episode: row.body for row in rows}
    for alert in remembered:
        row = _alert_row(alert)
        if stored.pop(row["episode"], None) != row["body"]:
            _put(connection, alerts, row)
    if stored:
        connection.execute(update(alerts).where(alerts.c.episode.in_(stored)).values(live=False))


def _put(connection: Connection, table: Any, row: Mapping[str, Any]) -> None:
    """Insert the row, or replace the one with its primary key."""
    keys = [column.name for column in table.primary_key]
    statement = upsert(connection, table).values(row)
    changes = {name: statement.excluded[name] for name in row if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


def _alert_row(alert: Alert) -> dict[str, Any]:
    return {
        "episode": alert.episode,
        "alert_id": alert.key.id,
        "rule": alert.key.rule,
        "state": alert.state.value,
        "live": True,
        "starts_at": alert.starts_at,
        "body": to_json(ALERT, alert),
    }


def _transition_row(step: Transition) -> dict[str, Any]:
    return {
        "episode": step.episode,
        "at": step.at,
        "source": step.source.value,
        "target": step.target.value,
        "reason": step.reason,
        "body": to_json(TRANSITION, step),
    }


def _suppression_row(suppression: Suppression) -> dict[str, Any]:
    return {
        "episode": suppression.episode,
        "sequence": suppression.sequence,
        "starts_at": suppression.starts_at,
        "ends_at": suppression.ends_at,
        "outcome": suppression.outcome.value if suppression.outcome else None,
        "body": to_json(SUPPRESSION, suppression),
    }
