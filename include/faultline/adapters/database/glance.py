"""Alerts as a list shows them: outlines of many, the whole of a few, who was told of these, and what was kept back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, or_, select

from faultline.adapters.database.stored import ALERT, NOTIFICATION, SUPPRESSION
from faultline.adapters.database.tables import alerts, outbox, suppressions
from faultline.alerting.alerts import Alert, MuteReason, Suppression
from faultline.dispatch.delivery import OutboxState, provider_answer
from faultline.model import AlertState, Notification, NotificationKind

_OUTLINE = [
    alerts.c[name]
    for name in ("episode", "rule", "state", "starts_at", "root", "severity", "labels", "records", "over_at")
]
# What ``read_message`` reads.
MESSAGE = [column for column in outbox.c if column.name != "body"]
_STATES = {state.value: state for state in AlertState}


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
    over_at: datetime | None = None


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


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch of time in which an episode was kept from receivers, and the labels of its alert."""

    labels: dict[str, str]
    suppression: Suppression


def live_outlines(connection: Connection, limit: int) -> list[Outline]:
    """What the last recorded evaluation remembered, also what has ended; the newest of it where it is too much."""
    return outlines(connection, alerts.c.live, limit)


def live_of(connection: Connection, rules: Collection[str], limit: int) -> list[Outline]:
    """Of that the alerts of these rules."""
    return outlines(connection, alerts.c.live & alerts.c.rule.in_(rules), limit)


def live_states(connection: Connection) -> dict[str, dict[AlertState, int]]:
    """How many of the alerts that the last evaluation remembered are in each state, by their rule."""
    rows = connection.execute(
        select(alerts.c.rule, alerts.c.state, func.count()).where(alerts.c.live).group_by(alerts.c.rule, alerts.c.state)
    )
    found: dict[str, dict[AlertState, int]] = {}
    for rule, state, number in rows:
        found.setdefault(rule, {})[_STATES[state]] = number
    return found


def outlines_since(connection: Connection, since: datetime, limit: int) -> list[Outline]:
    """Episodes that began since then or are remembered, newest first."""
    return outlines(connection, or_(alerts.c.live, alerts.c.starts_at >= since), limit)


def alerts_of(connection: Connection, episodes: Collection[str]) -> dict[str, Alert]:
    """The whole of these episodes, as many of them as there are."""
    rows = connection.execute(select(alerts.c.episode, alerts.c.body).where(alerts.c.episode.in_(episodes)))
    return {episode: ALERT.validate_json(body) for episode, body in rows}


def messages_of(connection: Connection, episodes: Collection[str], limit: int) -> list[Message]:
    """The latest messages about these episodes, newest first, without their texts."""
    rows = connection.execute(
        select(*MESSAGE).where(outbox.c.episode.in_(episodes)).order_by(outbox.c.id.desc()).limit(limit)
    )
    return [read_message(row) for row in rows]


def last_notifications(connection: Connection, episodes: Collection[str]) -> dict[str, Notification]:
    """The latest message about each of these episodes, to whomever."""
    newest = select(func.max(outbox.c.id)).where(outbox.c.episode.in_(episodes)).group_by(outbox.c.episode)
    rows = connection.execute(select(outbox.c.episode, outbox.c.body).where(outbox.c.id.in_(newest)))
    return {episode: NOTIFICATION.validate_json(body) for episode, body in rows}


def silenced_since(connection: Connection, since: datetime, limit: int) -> list[Kept]:
    """What was silenced since then, or still is: the latest of it, newest first."""
    rows = connection.execute(
        select(alerts.c.labels, suppressions.c.body)
        .join(alerts, alerts.c.episode == suppressions.c.episode)
        .where(or_(suppressions.c.starts_at >= since, suppressions.c.ends_at.is_(None)), _silenced)
        .order_by(suppressions.c.starts_at.desc(), suppressions.c.episode, suppressions.c.sequence.desc())
        .limit(limit)
    )
    return [Kept(orjson.loads(labels), SUPPRESSION.validate_json(body)) for labels, body in rows]


# The body is compact JSON; whatever a sample in it says has its quotation marks escaped.
_silenced = suppressions.c.body.contains(f'"reason":"{MuteReason.SILENCE}"', autoescape=True)


def outlines(connection: Connection, which: ColumnElement[bool], limit: int) -> list[Outline]:
    """The episodes that are like this, newest first."""
    order: Sequence[Any] = (alerts.c.starts_at.desc(), alerts.c.episode)
    rows = connection.execute(select(*_OUTLINE).where(which).order_by(*order).limit(limit))
    return [
        Outline(episode, rule, _STATES[state], starts_at, root, severity, orjson.loads(labels), *more)
        for episode, rule, state, starts_at, root, severity, labels, *more in rows
    ]


def read_message(row: Any) -> Message:
    """A row of the outbox without its text."""
    return Message(
        row.episode,
        row.target,
        NotificationKind(row.kind),
        OutboxState(row.state),
        row.attempts,
        row.created_at,
        row.finished_at,
        provider_answer(row.provider_code, row.provider_message),
    )
