"""What people tell the evaluator while it runs: silences. They are in force from the next evaluation on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, insert, select, update

from faultline.adapters.database.tables import silences
from faultline.alerting.silences import Silence, StoredSilence
from faultline.errors import PermanentError


def add_silence(connection: Connection, silence: Silence) -> int:
    """Store a silence; the number by which it is ended."""
    row = {
        "matchers": json.dumps(silence.matchers),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
    }
    number: int = connection.execute(insert(silences).values(row).returning(silences.c.id)).scalar_one()
    return number


def stored_silences(connection: Connection, after: datetime | None) -> list[StoredSilence]:
    """The silences that end after that time, or all there ever were, in the order in which they were set."""
    chosen = select(silences).order_by(silences.c.id)
    rows = connection.execute(chosen if after is None else chosen.where(silences.c.ends_at > after))
    return [_stored(row) for row in rows]


def expire_silences(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """End silences now, also those that have not begun; the numbers of those that were not over before.

    PermanentError, and none is ended, when there is no silence of one of the numbers.
    """
    known = set(connection.scalars(select(silences.c.id)))
    if unknown := [str(each) for each in dict.fromkeys(ids) if each not in known]:
        raise PermanentError(f"no silence {', '.join(unknown)}; faultline silence list --all shows all there are")
    begun = case((silences.c.starts_at > at, at), else_=silences.c.starts_at)
    going_on = update(silences).where(silences.c.id.in_(ids), silences.c.ends_at > at)
    ended = connection.scalars(going_on.values(starts_at=begun, ends_at=at).returning(silences.c.id))
    return sorted(ended)


def _stored(row: Any) -> StoredSilence:
    silence = Silence(
        matchers=tuple(json.loads(row.matchers)),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        comment=row.comment,
    )
    return StoredSilence(row.id, silence)
