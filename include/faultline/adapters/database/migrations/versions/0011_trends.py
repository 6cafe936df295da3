"""Indexes for the page's view of errors: sums that read an index alone, and all counts of a fingerprint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0007"

_SOME = sa.text("fingerprint IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_counts_sums", "counts", ["bucket_start", "label_set", "fingerprint", "count"])
    op.drop_index("ix_counts_bucket_start", "counts")
    op.create_index(
        "ix_counts_fingerprint", "counts", ["fingerprint", "bucket_start"], sqlite_where=_SOME, postgresql_where=_SOME
    )


def downgrade() -> None:
    op.drop_index("ix_counts_fingerprint", "counts")
    op.create_index("ix_counts_bucket_start", "counts", ["bucket_start"])
    op.drop_index("ix_counts_sums", "counts")
