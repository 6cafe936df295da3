"""Rule files as they came to be known: the version in force, and what is wrong with the file now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from faultline.adapters.database.connect import upsert
from faultline.adapters.database.tables import rule_faults, rule_files
from faultline.errors import Fault


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule file's text that had no fault when it was accepted."""

    file: str
    text: str
    hash: str
    accepted_at: datetime


def record_rules(
    connection: Connection, file: str, text: str, hash: str, faults: Sequence[Fault], at: datetime
) -> None:
    """Put a faultless text in force; of a faulty one keep only the faults, so the last good one stays in force."""
    connection.execute(delete(rule_faults).where(rule_faults.c.file == file))
    if faults:
        rows = [
            {"file": file, "fault_file": fault.file, "line": fault.line, "message": fault.message, "seen_at": at}
            for fault in faults
        ]
        connection.execute(insert(rule_faults), rows)
        return
    statement = upsert(connection, rule_files).values(file=file, text=text, hash=hash, accepted_at=at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["file", "hash"], set_={"text": statement.excluded.text, "accepted_at": at}
        )
    )


def last_good_rules(connection: Connection, file: str) -> RuleVersion | None:
    """The version in force; None when the file has never been without a fault."""
    newest = rule_files.c.accepted_at.desc()
    row = connection.execute(select(rule_files).where(rule_files.c.file == file).order_by(newest).limit(1)).first()
    return RuleVersion(row.file, row.text, row.hash, row.accepted_at) if row else None


def rules_version(connection: Connection, hash: str) -> RuleVersion | None:
    """A version that was in force once; None when it is not known."""
    row = connection.execute(select(rule_files).where(rule_files.c.hash == hash).limit(1)).first()
    return RuleVersion(row.file, row.text, row.hash, row.accepted_at) if row else None


def current_faults(connection: Connection) -> list[Fault]:
    """The faults of every rule file's present text, in the order they were found."""
    rows = connection.execute(select(rule_faults).order_by(rule_faults.c.id))
    return [Fault(row.fault_file, row.line, row.message) for row in rows]
