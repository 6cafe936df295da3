"""What the page's view of the past asks by: when an episode was over, its rule, when a message was made."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import UtcDateTime

revision = "0012"
down_revision = "0011"

_AT_ONCE = 500
_OVER = ("inactive", "resolved", "expired")
_INDEXES = (
    ("ix_alerts_over_at", "alerts", ["over_at"]),
    ("ix_alerts_rule_starts_at", "alerts", ["rule", "starts_at"]),
    ("ix_suppressions_ends_at", "suppressions", ["ends_at"]),
    ("ix_outbox_created_at", "outbox", ["created_at"]),
)


def upgrade() -> None:
    with op.batch_alter_table("alerts") as batch:
        batch.add_column(sa.Column("over_at", UtcDateTime()))
    _fill(op.get_bind())
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
    with op.batch_alter_table("alerts") as batch:
        batch.drop_column("over_at")


def _fill(connection: sa.Connection) -> None:
    """Take it out of the bodies there are."""
    columns = (sa.column("episode", sa.Text()), sa.column("state", sa.Text()), sa.column("body", sa.Text()))
    alerts = sa.table("alerts", *columns, sa.column("over_at", UtcDateTime()))
    last = ""
    while True:
        chosen = sa.select(alerts.c.episode, alerts.c.body).where(alerts.c.episode > last, alerts.c.state.in_(_OVER))
        rows = connection.execute(chosen.order_by(alerts.c.episode).limit(_AT_ONCE)).all()
        if not rows:
            return
        for episode, body in rows:
            row = alerts.c.episode == episode
            connection.execute(sa.update(alerts).where(row).values(over_at=_over_at(json.loads(body))))
        last = rows[-1].episode


def _over_at(alert: dict[str, str | None]) -> datetime:
    known = (alert.get(name) for name in ("ends_at", "cleared_at", "last_seen", "starts_at"))
    return datetime.fromisoformat(next(text for text in known if text))
