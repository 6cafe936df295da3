"""When a term was last seen before it was new: a late record may close the gap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from faultline.adapters.database.tables import UtcDateTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("terms", sa.Column("known_at", UtcDateTime()))


def downgrade() -> None:
    with op.batch_alter_table("terms") as terms:
        terms.drop_column("known_at")
