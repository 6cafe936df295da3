"""What people say while Faultline runs: silences and acknowledgements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import LogText, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", LogText(), nullable=False),
        sa.Column("comment", LogText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"])
    op.create_table(
        "acks",
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("created_by", LogText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("comment", LogText(), nullable=False),
        sa.PrimaryKeyConstraint("episode", name="pk_acks"),
    )


def downgrade() -> None:
    op.drop_table("acks")
    op.drop_table("silences")
