"""Alerts as a list shows them: outlines of many, the whole of a few, and who was told of these."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from faultline.adapters.database.stored import ALERT
from faultline.adapters.database.tables import alerts, outbox
from faultline.alerting.alerts import Alert
from faultline.dispatch.delivery import OutboxState
from faultline.model import AlertState, NotificationKind

_OUTLINE = [
    alerts.c[name] for name in ("episode", "rule", "state", "starts_at", "root", "severity", "labels", "records")
]


@dataclass(frozen=True, slots=True)
class Outline:
    """An episode without its samples, messages and reasons; ``root`` is the episode of its first cause."""

    episode: str
    rule: str
    state: AlertState
    starts_at: datetime
    root: str | None
    severity: str
    labels: dict[str, str]
    records: int


@dataclass(frozen=True, slots=True)
class Message:
    """What became of one message at one target."""

    episode: str
    target: str
    kind: NotificationKind
    state: OutboxState
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    answer: str


def live_outlines(connection: Connection, limit: int) -> list[Outline]:
    """What the last recorded evaluation remembered, also what has ended; the newest of it where it is too much."""
    return _outlines(connection, alerts.c.live, limit)


def outlines_since(connection: Connection, since: datetime, limit: int) -> list[Outline]:
    """Episodes that began since then or are remembered, newest first."""
    return _outlines(connection, or_(alerts.c.live, alerts.c.starts_at >= since), limit)


def alerts_of(connection: Connection, episodes: Collection[str]) -> dict[str, Alert]:
    """The whole of these episodes, as many of them as there are."""
    rows = connection.execute(select(alerts.c.episode, alerts.c.body).where(alerts.c.episode.in_(episodes)))
    return {episode: ALERT.validate_json(body) for episode, body in rows}


def messages_of(connection: Connection, episodes: Collection[str], limit: int) -> list[Message]:
    """The latest messages about these episodes, newest first, without their texts."""
    columns = [column for column in outbox.c if column.name != "body"]
    rows = connection.execute(
        select(*columns).where(outbox.c.episode.in_(episodes)).order_by(outbox.c.id.desc()).limit(limit)
    )
    return [_message(row) for row in rows]


def _outlines(connection: Connection, which: ColumnElement[bool], limit: int) -> list[Outline]:
    order: Sequence[Any] = (alerts.c.starts_at.desc(), alerts.c.episode)
    rows = connection.execute(select(*_OUTLINE).where(which).order_by(*order).limit(limit))
    return [
        Outline(
            row.episode,
            row.rule,
            AlertState(row.state),
            row.starts_at,
            row.root,
            row.severity,
            json.loads(row.labels),
            row.records,
        )
        for row in rows
    ]


def _message(row: Any) -> Message:
    return Message(
        row.episode,
        row.target,
        NotificationKind(row.kind),
        OutboxState(row.state),
        row.attempts,
        row.created_at,
        row.finished_at,
        " ".join(part for part in (row.provider_code, row.provider_message) if part),
    )
