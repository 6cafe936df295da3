"""Leases, and what an evaluation leaves behind: episodes, transitions, the ledger and the outbox, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from faultline.adapters.database import interventions, outbox
from faultline.adapters.database.connect import AT_ONCE, batched, upsert
from faultline.adapters.database.counting import BatchMark
from faultline.adapters.database.stored import ALERT, SUPPRESSION, TRANSITION, to_json
from faultline.adapters.database.tables import (
    alerts,
    leases,
    suppressions,
    terms,
    transitions,
    watched_rules,
)
from faultline.alerting.alerts import Alert, Evaluation, Suppression, Term
from faultline.errors import Superseded
from faultline.model import AlertKey, AlertState, Labels, Transition


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do ``name`` until someone else takes it; ``token`` is greater than every earlier one."""

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How far alerts have been evaluated: when last, up to which watermark, by which version of the rules, and which
    counts were known then.
    """

    at: datetime
    watermark: datetime | None
    rules_hash: str
    mark: BatchMark | None = None


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
    if row is None or row.evaluated_at is None:
        return None
    mark = BatchMark.from_text(row.batches) if row.batches else None
    return Evaluated(row.evaluated_at, row.watermark, row.rules_hash, mark)


def live_alerts(connection: Connection, over_since: datetime | None) -> list[Alert]:
    """Exactly the alerts that the last recorded evaluation remembered, and those that were resolved since."""
    chosen: ColumnElement[bool] = alerts.c.live
    if over_since is not None:
        resolved = and_(alerts.c.over_at >= over_since, alerts.c.state == AlertState.RESOLVED.value)
        chosen = or_(chosen, resolved)
    bodies = connection.scalars(select(alerts.c.body).where(chosen).order_by(alerts.c.episode))
    return [ALERT.validate_json(body) for body in bodies]


def watched(connection: Connection) -> dict[str, datetime]:
    """Since when each rule is evaluated."""
    return {row.rule: row.since for row in connection.execute(select(watched_rules))}


def known_terms(connection: Connection, rules: Collection[str]) -> list[Term]:
    """What rules of these names have seen."""
    rows = connection.execute(select(terms).where(terms.c.rule.in_(rules)))
    return [
        Term(AlertKey(row.rule, Labels(json.loads(row.labels))), row.novel_at, row.seen_at, row.known_at)
        for row in rows
    ]


def record_evaluation(
    connection: Connection,
    lease: Lease,
    evaluation: Evaluation,
    targets: Mapping[str, Sequence[str]],
    mark: BatchMark | None,
    checkpoint: Callable[[str], None],
    no_ends: Collection[str] = (),
) -> None:
    """Write an evaluation; Superseded when the lease has been taken over."""
    _hold(connection, lease, evaluation, mark)
    checkpoint("evaluation:lease")
    _put(connection, alerts, [_alert_row(alert) for alert in evaluation.changed])
    for some in batched(evaluation.forgotten, AT_ONCE):
        connection.execute(update(alerts).where(alerts.c.episode.in_(some)).values(live=False))
    checkpoint("evaluation:alerts")
    _put(connection, terms, [_term_row(term) for term in evaluation.terms])
    _put(connection, watched_rules, [{"rule": rule, "since": evaluation.at} for rule in evaluation.watched])
    checkpoint("evaluation:terms")
    if evaluation.transitions:
        connection.execute(insert(transitions), [_transition_row(step) for step in evaluation.transitions])
    checkpoint("evaluation:transitions")
    _put(connection, suppressions, [_suppression_row(suppression) for suppression in evaluation.suppressions])
    checkpoint("evaluation:suppressions")
    interventions.forget_acks(connection, evaluation.acks)
    checkpoint("evaluation:acks")
    for notification in evaluation.notifications:
        told = targets.get(notification.receiver, (notification.receiver,))
        outbox.enqueue(connection, notification, told, no_ends)
        checkpoint("evaluation:outbox")


def _hold(connection: Connection, lease: Lease, evaluation: Evaluation, mark: BatchMark | None) -> None:
    """Lock the lease's row until the transaction ends; it is ours only while the token is."""
    kept = connection.execute(
        update(leases)
        .where(leases.c.name == lease.name, leases.c.token == lease.token)
        .values(
            evaluated_at=evaluation.at,
            watermark=evaluation.watermark,
            rules_hash=evaluation.rules_hash,
            batches=mark.to_text() if mark else None,
        )
    )
    if not kept.rowcount:
        raise Superseded(
            f"{lease.holder} no longer holds {lease.name!r}: someone took it over after token {lease.token}"
        )


def _put(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, or replace those with their primary keys."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = upsert(connection, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def _alert_row(alert: Alert) -> dict[str, Any]:
    return {
        "episode": alert.episode,
        "alert_id": alert.key.id,
        "rule": alert.key.rule,
        "state": alert.state.value,
        "live": True,
        "starts_at": alert.starts_at,
        "body": to_json(ALERT, alert),
        "root": alert.causes[0].episode if alert.causes else None,
        "severity": alert.shown.get("severity", ""),
        "labels": json.dumps(dict(alert.labels)),
        "records": alert.count,
        "over_at": alert.over_at,
    }


def _term_row(term: Term) -> dict[str, Any]:
    return {
        "alert_id": term.alert.id,
        "rule": term.alert.rule,
        "labels": json.dumps(dict(term.alert.labels)),
        "novel_at": term.novel_at,
        "seen_at": term.seen_at,
        "known_at": term.known_at,
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
