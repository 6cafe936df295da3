"""The tables: what is counted, what alerts are doing, what was sent. One MetaData for SQLite and PostgreSQL.

Values that only Faultline reads as a whole (an alert, a notification) are JSON in ``body``; what SQL decides by has a
column of its own. The migrations beside this file create exactly these tables; a test compares them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Stored in UTC and read back with its zone, which SQLite would lose; a naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class LogText(TypeDecorator[str]):
    """Text out of a log or a network: NUL, which PostgreSQL cannot store, and half characters are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite numbers rows by itself only in a column of exactly this type.
_RowId = BigInteger().with_variant(Integer(), "sqlite")


def _partition_columns() -> tuple[Column[Any], ...]:
    return (
        Column("topic", Text, primary_key=True),
        Column("topic_id", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
    )


def _where(condition: TextClause) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


# The truth of what is counted: the next offset, and the event time up to which counts are complete.
positions = Table(
    "positions",
    metadata,
    *_partition_columns(),
    Column("next_offset", BigInteger, nullable=False),
    Column("complete_to", UtcDateTime),
)

# One row per micro-batch that counted something: the offset ranges that its rows of `counts` came from.
count_batches = Table(
    "count_batches",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("ranges", Text, nullable=False),
    Column("last_bucket", UtcDateTime, nullable=False),
    Index(None, "last_bucket"),
)

# Label sets are few and long, counts are many: a count carries the set's id, which is the hash of its text.
label_sets = Table(
    "label_sets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("labels", Text, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("bucket_start", UtcDateTime, nullable=False),
    Column("label_set", Text, ForeignKey("label_sets.id"), nullable=False),
    Column("fingerprint", Text),
    Column("count", BigInteger, nullable=False),
    Column("first_ts", UtcDateTime, nullable=False),
    Column("last_ts", UtcDateTime, nullable=False),
    Column("sample", LogText),
    Column("sample_partition", Integer),
    Column("sample_offset", BigInteger),
    Column("batch", _RowId, nullable=False),
    Index(None, "topic", "bucket_start"),
    # With all that a chart sums: it reads the index alone.
    Index("ix_counts_sums", "bucket_start", "label_set", "fingerprint", "count"),
    Index(None, "batch"),
)

# The earliest bucket with a count of each, also where that has been forgotten; those of no count any more are gone.
fingerprints = Table(
    "fingerprints",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("first_bucket", UtcDateTime, nullable=False),
)

# Records that came too late to be counted, by the hour of their event time. They are in the archive.
late_dropped = Table(
    "late_dropped",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Records that logging handlers kept back, by the hour of the summaries that say how many.
flooded = Table(
    "flooded",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Who may evaluate. The token only grows; whoever holds an older one has been superseded. `batches` are those of
# `count_batches` that the last evaluation knew.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("evaluated_at", UtcDateTime),
    Column("watermark", UtcDateTime),
    Column("rules_hash", Text),
    Column("batches", Text),
)

# Every episode there ever was; `live` ones are what the last evaluation remembers. What lists of many show of each has
# columns: the episode of its first cause, the severity it is shown with, its labels, how many records it has.
alerts = Table(
    "alerts",
    metadata,
    Column("episode", Text, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("rule", LogText, nullable=False),
    Column("state", Text, nullable=False),
    Column("live", Boolean(create_constraint=False), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
    Column("root", Text),
    Column("severity", LogText, nullable=False),
    Column("labels", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("over_at", UtcDateTime),
    Index(None, "live"),
    Index(None, "alert_id"),
    Index(None, "starts_at"),
    Index(None, "over_at"),
    Index(None, "rule", "starts_at"),
)

# Since when each rule is evaluated: what a new_term rule finds before that is known, not new.
watched_rules = Table(
    "watched_rules",
    metadata,
    Column("rule", LogText, primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

# What new_term rules have seen, and about when last.
terms = Table(
    "terms",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("rule", LogText, nullable=False),
    Column("labels", Text, nullable=False),
    Column("novel_at", UtcDateTime),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("known_at", UtcDateTime),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("episode", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", LogText, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "episode"),
    Index(None, "at"),
)

# One row per suppression interval of an episode: what was kept from a person, by what, and how it ended.
suppressions = Table(
    "suppressions",
    metadata,
    Column("episode", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("outcome", Text),
    Column("body", Text, nullable=False),
    Index(None, "starts_at"),
    Index(None, "ends_at"),
)

# One row per notification and target (a receiver has one target per channel it is configured with).
outbox = Table(
    "outbox",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("key", LogText, nullable=False),
    Column("target", LogText, nullable=False),
    Column("episode", LogText, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # leased: when the lease runs out
    Column("finished_at", UtcDateTime),
    Column("provider_code", LogText),
    Column("provider_message", LogText),
    Column("body", Text, nullable=False),
    Index("uq_outbox_key_target", "key", "target", unique=True),
    Index(None, "state", "due_at"),
    Index(None, "episode", "target"),
    Index(None, "created_at"),
)

# Silences that were set while Faultline runs. None is ever deleted: a number means one silence for ever.
silences = Table(
    "silences",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("created_by", LogText, nullable=False),
    Column("comment", LogText, nullable=False),
    Index(None, "ends_at"),
)

# Acknowledgements that no evaluation has heard yet.
acks = Table(
    "acks",
    metadata,
    Column("episode", Text, primary_key=True),
    Column("created_by", LogText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("comment", LogText, nullable=False),
)

# When something was sent to a target whose provider takes only so much a minute; the last minute of it.
sendings = Table(
    "sendings",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("target", LogText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "target", "at"),
)

# Every version of a rule file that was ever in force; the one accepted last is.
rule_files = Table(
    "rule_files",
    metadata,
    Column("file", Text, primary_key=True),
    Column("hash", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
)

# What people configured and when, of each kind: the newest row came into force last. ``text`` holds no credential.
configuration_changes = Table(
    "configuration_changes",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("text", LogText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", LogText),
    Column("previous", _RowId, nullable=False),  # the id of the change before, 0 of the first
    Index("uq_configuration_changes_kind_previous", "kind", "previous", unique=True),
)

rule_faults = Table(
    "rule_faults",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("file", Text, nullable=False),
    Column("fault_file", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("message", LogText, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
