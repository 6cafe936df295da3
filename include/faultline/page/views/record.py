"""One record of the archive in full: every column, its exact bytes, and the way to those around it."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Response
from starlette.concurrency import run_in_threadpool

from faultline.archive.search.parser import QueryError, parse_query
from faultline.archive.search.scan import ALL_COLUMNS
from faultline.dispatch.links import command, instant, query_of
from faultline.durations import parse_instant
from faultline.errors import TransientError
from faultline.model import Interval
from faultline.page.asked import Asked, AskedNow
from faultline.page.records import COORDINATES, place, shown_bytes, shown_text
from faultline.page.searching import SILENCE, TICK, Hunt, Records

router = APIRouter()

_AROUND = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)
_EVER = Interval(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is, as an address has it; ``at``, its event time, spares looking into other hours."""

    topic: str = ""
    generation: str = ""
    partition: int = 0
    offset: int = 0
    at: str = ""


Asks = Annotated[Place, Depends()]


@router.get("/search/record")
async def record(asked: AskedNow, asks: Asks) -> Response:
    """One record in full."""
    if not asks.topic:
        return asked.go("/search")
    row = await _find(asked, asks)
    at, known = row["timestamp"], {name: value for name, value in row.items() if value}
    raw, is_text = shown_bytes(row["raw"] or b"")
    key, _ = shown_bytes(row["kafka_key"] or b"")
    around = {"since": instant(at - _AROUND), "until": instant(at + _AROUND), "topic": asks.topic}
    alike = {"since": instant(at - timedelta(days=1)), "until": instant(at + _MICROSECOND), "topic": asks.topic}
    return asked.render(
        "record.html.j2",
        row=row,
        raw=raw,
        is_text=is_text,
        size=len(row["raw"] or b""),
        key=key,
        message=shown_text(row["message"] or ""),
        stack_trace=shown_text(row["stack_trace"] or ""),
        place=place(row),
        around={"q": query_of(_some(known, "service", "environment", "host")), **around},
        alike={"q": query_of(_some(known, "service", "fingerprint")), **alike} if "fingerprint" in known else None,
        command=command(query_of(_some(row, *COORDINATES)), instant(at), instant(at + _MICROSECOND), [asks.topic]),
    )


@router.get("/search/record/raw")
async def raw(asked: AskedNow, asks: Asks) -> Response:
    """The exact bytes of one record, as a file."""
    if not asks.topic:
        return asked.go("/search")
    row = await _find(asked, asks)
    # The name of a topic has nothing in it that would have to be quoted.
    file = f"{row['topic']}-{row['kafka_partition']}-{row['kafka_offset']}.log"
    headers = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(row["raw"] or b"", media_type="application/octet-stream", headers=headers)


async def _find(asked: Asked, asks: Place) -> dict[str, Any]:
    """The record; HTTPException 404 when the archive has none there."""
    where = dict(zip(COORDINATES, (asks.generation, asks.partition, asks.offset), strict=True))
    try:
        at = parse_instant(asks.at) if asks.at else None
        query = parse_query(query_of({name: value for name, value in where.items() if value != ""}))
    except (QueryError, ValueError) as error:
        raise HTTPException(422, str(error)) from None
    settings = await run_in_threadpool(lambda: asked.settings)
    interval = Interval(at, at + _MICROSECOND) if at else _EVER
    found = await asked.page.searches.begin(Hunt(settings, (asks.topic,), query, interval, ALL_COLUMNS, limit=1))
    began = time.monotonic()
    async with aclosing(found.values(TICK)) as values:
        async for value in values:
            if isinstance(value, Records) and len(value.rows):
                row: dict[str, Any] = value.rows.to_pylist()[0]
                return row
            if time.monotonic() - began > SILENCE.total_seconds():
                raise TransientError(asked.texts("search.ended.silent"))
    raise HTTPException(404, asked.texts("search.no_record"))


def _some(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}
