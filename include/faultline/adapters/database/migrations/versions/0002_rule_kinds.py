"""What rules of other kinds than frequency remember, and a way to read only new counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import LogText, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "watched_rules",
        sa.Column("rule", LogText(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name="pk_watched_rules"),
    )
    op.create_table(
        "terms",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("rule", LogText(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("novel_at", UtcDateTime()),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_terms"),
    )
    op.create_index("ix_counts_batch", "counts", ["batch"])


def downgrade() -> None:
    op.drop_index("ix_counts_batch", "counts")
    op.drop_table("terms")
    op.drop_table("watched_rules")
