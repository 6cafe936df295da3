"""What came too late to be counted, and which counts the last evaluation knew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "late_dropped",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "hour", name="pk_late_dropped"),
    )
    op.add_column("leases", sa.Column("batches", sa.Text()))


def downgrade() -> None:
    with op.batch_alter_table("leases") as leases:
        leases.drop_column("batches")
    op.drop_table("late_dropped")
