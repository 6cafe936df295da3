"""What was, a page at a time: the episodes of a span, what was kept back in it, and what became of its messages."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from faultline.adapters.database.glance import MESSAGE, Message, Outline, outlines, read_message
from faultline.adapters.database.stored import SUPPRESSION
from faultline.adapters.database.tables import alerts, outbox, suppressions
from faultline.alerting.alerts import Suppression
from faultline.dispatch.delivery import OutboxState
from faultline.model import Interval


@dataclass(frozen=True, slots=True)
class Ledger:
    """A row of the ledger with what the list of them shows of its alert."""

    suppression: Suppression
    severity: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of a message, and of which alert it spoke."""

    message: Message
    rule: str
    severity: str
    labels: dict[str, str]
    known: bool  # whether the alert is; some messages are of Faultline itself


def outlines_between(connection: Connection, span: Interval, limit: int) -> list[Outline]:
    """Episodes that went on in the span, newest first."""
    return outlines(connection, and_(alerts.c.starts_at < span.end, _not_over(alerts.c.over_at, span)), limit)


def ledger_between(connection: Connection, span: Interval, text: str, rule: str, page: range) -> list[Ledger]:
    """What was kept back in the span, newest first: of this rule and with this in its labels, where given."""
    rows = connection.execute(
        select(suppressions.c.body, alerts.c.severity, alerts.c.labels)
        .join(alerts, alerts.c.episode == suppressions.c.episode)
        .where(suppressions.c.starts_at < span.end, _not_over(suppressions.c.ends_at, span), _about(text, rule))
        .order_by(suppressions.c.starts_at.desc(), suppressions.c.episode, suppressions.c.sequence.desc())
        .offset(page.start)
        .limit(len(page))
    )
    return [Ledger(SUPPRESSION.validate_json(body), severity, orjson.loads(labels)) for body, severity, labels in rows]


def messages_between(
    connection: Connection, span: Interval, text: str, rule: str, states: Collection[OutboxState], page: range
) -> list[Sending]:
    """Messages that were made in the span, newest first: of these states, this rule and this text, where given."""
    about = _about(text, rule, outbox.c.target, outbox.c.provider_message)
    rows = connection.execute(
        select(*MESSAGE, alerts.c.rule, alerts.c.severity, alerts.c.labels)
        .join(alerts, alerts.c.episode == outbox.c.episode, isouter=True)
        .where(outbox.c.created_at >= span.start, outbox.c.created_at < span.end, about)
        .where(outbox.c.state.in_([state.value for state in states]) if states else true())
        .order_by(outbox.c.created_at.desc(), outbox.c.id.desc())
        .offset(page.start)
        .limit(len(page))
    )
    return [_sending(row) for row in rows]


def _not_over(end: ColumnElement[Any], span: Interval) -> ColumnElement[bool]:
    return or_(end.is_(None), end >= span.start)


def _about(text: str, rule: str, *more: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the alert is one of the rule's, and has the text in its name, its labels or these columns."""
    chosen: list[ColumnElement[bool]] = [alerts.c.rule == rule] if rule else []
    if text:
        written = json.dumps(text)[1:-1]  # as it is in the labels
        found = [alerts.c.labels.icontains(written, autoescape=True)]
        found += [column.icontains(text, autoescape=True) for column in (alerts.c.rule, *more)]
        chosen.append(or_(*found))
    return and_(true(), *chosen)


def _sending(row: Any) -> Sending:
    known = row.rule is not None
    labels = orjson.loads(row.labels) if known else {}
    return Sending(read_message(row), row.rule or "", row.severity or "", labels, known)
