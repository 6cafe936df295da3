"""How much a target may still be sent this minute. Stored, so that a new sender keeps the limit of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from faultline.adapters.database.tables import sendings

MINUTE = timedelta(minutes=1)


def take_turn(connection: Connection, target: str, per_minute: int, at: datetime) -> datetime:
    """``at`` when the target may be sent something now, which is noted; otherwise when it may be.

    At most ``per_minute`` in any minute: a bucket that fills up again as it is emptied would let twice as many through.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time; here two could count the same rows
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{sendings.name}:{target}"))))
    connection.execute(delete(sendings).where(sendings.c.target == target, sendings.c.at <= at - MINUTE))
    latest = select(sendings.c.at).where(sendings.c.target == target).order_by(sendings.c.at.desc()).limit(per_minute)
    times: Sequence[datetime] = connection.execute(latest).scalars().all()
    if len(times) == per_minute:
        return times[-1] + MINUTE
    connection.execute(insert(sendings).values(target=target, at=at))
    return at
