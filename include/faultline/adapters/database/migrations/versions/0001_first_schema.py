"""The first schema: positions and counts, leases and alerts, the ledger, the outbox, rule files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Moment = sa.DateTime(timezone=True)
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("episode", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_alert_id"), "alerts", ["alert_id"], unique=False)
    op.create_index(op.f("ix_alerts_live"), "alerts", ["live"], unique=False)
    op.create_table(
        "count_batches",
        sa.Column("id", RowId, nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("last_bucket", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_count_batches")),
    )
    op.create_index(op.f("ix_count_batches_last_bucket"), "count_batches", ["last_bucket"], unique=False)
    op.create_table(
        "label_sets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_sets")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("evaluated_at", Moment, nullable=True),
        sa.Column("watermark", Moment, nullable=True),
        sa.Column("rules_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", RowId, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("finished_at", Moment, nullable=True),
        sa.Column("provider_code", sa.Text(), nullable=True),
        sa.Column("provider_message", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_episode_target"), "outbox", ["episode", "target"], unique=False)
    op.create_index(op.f("ix_outbox_state_due_at"), "outbox", ["state", "due_at"], unique=False)
    op.create_index("uq_outbox_key_target", "outbox", ["key", "target"], unique=True)
    op.create_table(
        "positions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("complete_to", Moment, nullable=True),
        sa.PrimaryKeyConstraint("topic", "topic_id", "partition", name=op.f("pk_positions")),
    )
    op.create_table(
        "rule_faults",
        sa.Column("id", RowId, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("fault_file", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_faults")),
    )
    op.create_table(
        "rule_files",
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("accepted_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("file", "hash", name=op.f("pk_rule_files")),
    )
    op.create_table(
        "suppressions",
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("ends_at", Moment, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("episode", "sequence", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_starts_at"), "suppressions", ["starts_at"], unique=False)
    op.create_table(
        "transitions",
        sa.Column("id", RowId, nullable=False),
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_at"), "transitions", ["at"], unique=False)
    op.create_index(op.f("ix_transitions_episode"), "transitions", ["episode"], unique=False)
    op.create_table(
        "counts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("bucket_start", Moment, nullable=False),
        sa.Column("label_set", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_ts", Moment, nullable=False),
        sa.Column("last_ts", Moment, nullable=False),
        sa.Column("sample", sa.Text(), nullable=True),
        sa.Column("sample_partition", sa.Integer(), nullable=True),
        sa.Column("sample_offset", sa.BigInteger(), nullable=True),
        sa.Column("batch", RowId, nullable=False),
        sa.ForeignKeyConstraint(["label_set"], ["label_sets.id"], name=op.f("fk_counts_label_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counts")),
    )
    op.create_index(op.f("ix_counts_bucket_start"), "counts", ["bucket_start"], unique=False)
    op.create_index(op.f("ix_counts_topic_bucket_start"), "counts", ["topic", "bucket_start"], unique=False)


def downgrade() -> None:
    for table in (
        "counts",
        "transitions",
        "suppressions",
        "rule_files",
        "rule_faults",
        "positions",
        "outbox",
        "leases",
        "label_sets",
        "count_batches",
        "alerts",
    ):
        op.drop_table(table)
