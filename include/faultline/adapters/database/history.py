"""What was: the episodes of an alert, and what was decided, kept back and sent in each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, select, true

from faultline.adapters.database.outbox import sent
from faultline.adapters.database.stored import ALERT, SUPPRESSION, TRANSITION
from faultline.adapters.database.tables import alerts, outbox, suppressions, transitions
from faultline.alerting.alerts import Alert
from faultline.dispatch.story import History, ran_at
from faultline.model import AlertSummary, Notification


def rules_with_alerts(connection: Connection) -> list[str]:
    """The names of every rule that ever had an episode, sorted."""
    return sorted(connection.scalars(select(alerts.c.rule).distinct()))


def episodes(
    connection: Connection, rule: str, labels: Mapping[str, str], at: datetime | None, limit: int
) -> list[Alert]:
    """Episodes of alerts of the rule that have these labels, newest first; with ``at`` those that ran then."""
    begun = true() if at is None else alerts.c.starts_at <= at
    found = _newest_first(connection, alerts.c.rule == rule, begun)
    wanted = (alert for alert in found if labels.items() <= alert.key.labels.items())
    return list(islice((alert for alert in wanted if at is None or ran_at(alert, at)), limit))


def episodes_by_id(connection: Connection, start: str, limit: int) -> list[Alert]:
    """Episodes whose id starts so, newest first."""
    return list(islice(_newest_first(connection, alerts.c.episode.startswith(start, autoescape=True)), limit))


def history(connection: Connection, alert: Alert) -> History:
    """Everything recorded of the episode but its counts."""
    name = alert.episode
    steps = select(transitions.c.body).where(transitions.c.episode == name).order_by(transitions.c.id)
    ledger = select(suppressions.c.body).where(suppressions.c.episode == name).order_by(suppressions.c.sequence)
    rows = tuple(SUPPRESSION.validate_json(body) for body in connection.scalars(ledger))
    causes = {cause.episode for row in rows for cause in row.causes} | {cause.episode for cause in alert.causes}
    groups = {known.group for each in [alert, *_stored(connection, causes)] for known in each.told if known.group}
    told = select(outbox).where(outbox.c.episode.in_([name, *causes, *groups])).order_by(outbox.c.id)
    messages = [sent(row) for row in connection.execute(told)]
    return History(
        alert,
        tuple(TRANSITION.validate_json(body) for body in connection.scalars(steps)),
        rows,
        tuple(each for each in messages if name in (each.notification.episode, *_members(each.notification))),
        tuple(each for each in messages if _names(each.notification.suppressed, alert)),
    )


def _members(notification: Notification) -> Iterator[str]:
    return (each.episode for each in notification.alerts)


def _stored(connection: Connection, episodes: Collection[str]) -> Iterator[Alert]:
    return map(ALERT.validate_json, connection.scalars(select(alerts.c.body).where(alerts.c.episode.in_(episodes))))


def _names(effects: tuple[AlertSummary, ...], alert: Alert) -> bool:
    return any((effect.alert, effect.starts_at) == (alert.key, alert.starts_at) for effect in effects)


def _newest_first(connection: Connection, *where: ColumnElement[bool]) -> Iterator[Alert]:
    order = (alerts.c.starts_at.desc(), alerts.c.episode)
    return map(ALERT.validate_json, connection.scalars(select(alerts.c.body).where(*where).order_by(*order)))
