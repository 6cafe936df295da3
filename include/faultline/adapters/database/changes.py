"""What people configured: each version that came into force, where, when, and who brought it if that is known."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from faultline.adapters.database.connect import insert_or_ignore
from faultline.adapters.database.tables import configuration_changes
from faultline.yaml_files import Document


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """A version of the rules, the topics or the settings; ``before`` is the text it replaced, empty for the first."""

    kind: str
    source: str
    hash: str
    at: datetime
    by: str | None
    text: str
    before: str

    @property
    def diff(self) -> str:
        """What is different, as ``diff -u`` shows it; empty when only the place of the text is another."""
        return difference(self.before, self.text)


def difference(before: str, after: str) -> str:
    """What is different, as ``diff -u`` shows it; empty when nothing is."""
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm=""))


def record_change(
    connection: Connection, kind: str, document: Document, hash: str, at: datetime, by: str | None
) -> bool:
    """Remember a version that is in force from now on; False when it was in force, from that place, already.

    Who brought it is remembered also when an evaluation took it up before they had said so.
    """
    newest = select(configuration_changes).where(configuration_changes.c.kind == kind)
    last = connection.execute(newest.order_by(configuration_changes.c.id.desc()).limit(1)).first()
    if last is not None and (last.hash, last.source) == (hash, document.source):
        unknown = (configuration_changes.c.id == last.id) & configuration_changes.c.changed_by.is_(None)
        if by is not None:
            connection.execute(update(configuration_changes).where(unknown).values(changed_by=by))
        return False
    row = {
        "kind": kind,
        "source": document.source,
        "hash": hash,
        "text": document.text,
        "changed_at": at,
        "changed_by": by,
        "previous": last.id if last is not None else 0,
    }
    # Whoever saw the same predecessor and was faster has recorded it.
    return bool(connection.execute(insert_or_ignore(connection, configuration_changes).values(row)).rowcount)


def configuration_changes_of(connection: Connection, kind: str, page: range) -> list[ConfigurationChange]:
    """The changes of a kind, newest first; the page says which of them."""
    rows = connection.execute(
        select(configuration_changes)
        .where(configuration_changes.c.kind == kind)
        .order_by(configuration_changes.c.id.desc())
        .offset(page.start)
        .limit(len(page) + 1)
    ).all()
    before = [row.text for row in rows[1:]] + [""]
    return [
        ConfigurationChange(row.kind, row.source, row.hash, row.changed_at, row.changed_by, row.text, text)
        for row, text in zip(rows[: len(page)], before, strict=False)
    ]
