"""When each fingerprint was first counted, instead of an index by it, which made counting slow on SQLite."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import UtcDateTime

revision = "0016"
down_revision = "0015"

_SOME = sa.text("fingerprint IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "fingerprints",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("first_bucket", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_fingerprints"),
    )
    op.execute(
        "INSERT INTO fingerprints (fingerprint, first_bucket)"
        " SELECT fingerprint, min(bucket_start) FROM counts WHERE fingerprint IS NOT NULL GROUP BY fingerprint"
    )
    op.drop_index("ix_counts_fingerprint", "counts")


def downgrade() -> None:
    op.create_index(
        "ix_counts_fingerprint", "counts", ["fingerprint", "bucket_start"], sqlite_where=_SOME, postgresql_where=_SOME
    )
    op.drop_table("fingerprints")
