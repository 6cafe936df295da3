"""What people tell the evaluator while it runs: silences and acknowledgements. The next evaluation hears of them.

A silence stays; an acknowledgement is gone once an evaluation has been recorded that heard it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, insert, select, update

from faultline.adapters.database.connect import insert_or_ignore
from faultline.adapters.database.tables import acks, silences
from faultline.alerting.silences import Silence, StoredSilence
from faultline.errors import PermanentError
from faultline.model import Ack


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


def add_ack(connection: Connection, ack: Ack) -> bool:
    """Store an acknowledgement; False when one of the episode waits to be heard already."""
    row = {"episode": ack.episode, "created_by": ack.by, "created_at": ack.at, "comment": ack.comment}
    return bool(connection.execute(insert_or_ignore(connection, acks).values(row)).rowcount)


def waiting_acks(connection: Connection) -> list[Ack]:
    """The acknowledgements that no recorded evaluation has heard."""
    rows = connection.execute(select(acks).order_by(acks.c.episode))
    return [Ack(row.episode, row.created_by, row.created_at, row.comment) for row in rows]


def forget_acks(connection: Connection, heard: Sequence[Ack]) -> None:
    """An evaluation has heard them."""
    for ack in heard:
        connection.execute(delete(acks).where(acks.c.episode == ack.episode))


def _stored(row: Any) -> StoredSilence:
    silence = Silence(
        matchers=tuple(json.loads(row.matchers)),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        comment=row.comment,
    )
    return StoredSilence(row.id, silence)
