"""What a list of alerts needs of each, in columns: ten thousand bodies are too long to read for it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import LogText

revision = "0007"
down_revision = "0005"

_AT_ONCE = 500
_NEW = (
    ("root", sa.Text(), None),
    ("severity", LogText(), ""),
    ("labels", sa.Text(), "{}"),
    ("records", sa.BigInteger(), "0"),
)


def upgrade() -> None:
    with op.batch_alter_table("alerts") as batch:
        for name, kind, default in _NEW:
            batch.add_column(sa.Column(name, kind, nullable=default is None, server_default=default))
    _fill(op.get_bind())
    with op.batch_alter_table("alerts") as batch:
        for name, _, default in _NEW:
            if default is not None:
                batch.alter_column(name, server_default=None)
    op.create_index("ix_alerts_starts_at", "alerts", ["starts_at"])


def downgrade() -> None:
    op.drop_index("ix_alerts_starts_at", "alerts")
    with op.batch_alter_table("alerts") as batch:
        for name, _, _ in _NEW:
            batch.drop_column(name)


def _fill(connection: sa.Connection) -> None:
    """Take them out of the bodies there are."""
    alerts = sa.table("alerts", *(sa.column(name) for name in ("episode", "body", *(name for name, _, _ in _NEW))))
    last = ""
    while True:
        chosen = sa.select(alerts.c.episode, alerts.c.body).where(alerts.c.episode > last)
        rows = connection.execute(chosen.order_by(alerts.c.episode).limit(_AT_ONCE)).all()
        if not rows:
            return
        for episode, body in rows:
            row = alerts.c.episode == episode
            connection.execute(sa.update(alerts).where(row).values(_outline(json.loads(body))))
        last = rows[-1].episode


def _outline(alert: dict[str, object]) -> dict[str, object]:
    labels, causes = alert.get("labels"), alert.get("causes")
    assert isinstance(labels, dict)
    severity = alert.get("severity") or labels.get("severity", "")
    return {
        "root": causes[0]["episode"] if isinstance(causes, list) and causes else None,
        "severity": severity,
        "labels": json.dumps(labels),
        "records": alert.get("count", 0),
    }
