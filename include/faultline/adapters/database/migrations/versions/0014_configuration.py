"""What people configured, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import LogText, UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "configuration_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("text", LogText(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", LogText(), nullable=True),
        sa.Column("previous", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configuration_changes"),
    )
    op.create_index(
        "uq_configuration_changes_kind_previous", "configuration_changes", ["kind", "previous"], unique=True
    )


def downgrade() -> None:
    op.drop_table("configuration_changes")
