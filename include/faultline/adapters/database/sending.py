"""How much a target may still be sent this minute. Stored, so that a new sender keeps the limit of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from faultline.adapters.database.tables import sendings
from faultline.dispatch.turns import MINUTE, next_turn


def take_turn(connection: Connection, target: str, per_minute: int, at: datetime) -> datetime:
    """``at`` when the target may be sent something now, which is noted; otherwise when it may be."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time; here two could count the same rows
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{sendings.name}:{target}"))))
    connection.execute(delete(sendings).where(sendings.c.target == target, sendings.c.at <= at - MINUTE))
    latest = select(sendings.c.at).where(sendings.c.target == target).order_by(sendings.c.at.desc()).limit(per_minute)
    times: Sequence[datetime] = connection.execute(latest).scalars().all()
    turn = next_turn(times, per_minute, at)
    if turn == at:
        connection.execute(insert(sendings).values(target=target, at=at))
    return turn
