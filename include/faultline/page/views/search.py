"""Search: the archive, in the command line's language; the page is sent as far as it is known, while it still looks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from faultline.archive.search.histogram import bucket_width
from faultline.archive.search.parser import QueryError, parse_query
from faultline.archive.search.query import Query as Asking
from faultline.archive.search.scan import Progress
from faultline.dispatch.links import command, instant
from faultline.durations import parse_instant, parse_when
from faultline.errors import FaultlineError
from faultline.model import Interval
from faultline.page.asked import Asked, AskedNow
from faultline.page.bars import bars
from faultline.page.records import LIST_COLUMNS, listed
from faultline.page.searching import SILENCE, TICK, Buckets, Busy, Found, Hunt, Records
from faultline.page.views import record
from faultline.settings import Settings
from faultline.steps.topics import archived_topics

NAME = "search"
router = APIRouter()
router.include_router(record.router)

LIMIT = 100
DEFAULT_SINCE = "24h"
_LONGEST = timedelta(minutes=5)
_MICROSECOND = timedelta(microseconds=1)
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
# Where the results go in the page. A template has it, and nothing that it escapes.
_RESULTS = "<!--results-->"

_Topics = Annotated[list[str] | None, Query()]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for. ``before`` is where the page before this one ended, and how many it had of then."""

    text: str
    query: Asking
    interval: Interval
    topics: tuple[str, ...]
    before: datetime | None = None
    skip: int = 0

    @property
    def here(self) -> Interval:
        """When the records of this page are."""
        return Interval(self.interval.start, max(self.interval.start, self.before or self.interval.end))

    def until(self, now: datetime) -> Interval:
        """What there can be counted now: nothing is drawn of the future."""
        return Interval(self.interval.start, max(self.interval.start, min(self.interval.end, now)))

    def address(self, now: datetime) -> dict[str, object]:
        """The parameters of an address that means the same tomorrow."""
        there = self.until(now)
        ends = {"since": instant(there.start), "until": instant(there.end)}
        return {"q": self.text, "topic": list(self.topics), **ends}


@dataclass(frozen=True, slots=True)
class Refused:
    """What is wrong with what somebody typed: of a query the text, and the place in it."""

    reason: str
    text: str = ""
    position: int = 0


@router.get("/search")
async def search(
    asked: AskedNow,
    q: str = "",
    since: str = "",
    until: str = "",
    topic: _Topics = None,
    before: str = "",
    skip: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """A form, and below it what it finds."""
    query = {"q": q, "since": since, "until": until, "topic": topic or [], "before": before, "skip": skip or ""}
    if not (q or since or until or topic):
        return await run_in_threadpool(_page, asked, query)
    try:
        wanted = read_wanted(_now(asked), q, since, until, tuple(topic or ()), before, skip)
    except QueryError as error:
        return await run_in_threadpool(_page, asked, query, Refused(error.reason, error.text, error.position))
    except ValueError as error:
        return await run_in_threadpool(_page, asked, query, Refused(str(error)))
    settings = await run_in_threadpool(lambda: asked.settings)
    counted = wanted.until(_now(asked)) if wanted.before is None else None
    hunt = Hunt(
        settings, wanted.topics, wanted.query, wanted.here, LIST_COLUMNS, LIMIT, skip=wanted.skip, counted=counted
    )
    page = await run_in_threadpool(_page, asked, query, None, wanted)
    try:
        found = await asked.page.searches.begin(hunt)
    except Busy:
        busy = await run_in_threadpool(_page, asked, query, Refused(asked.texts("search.busy")), status=503)
        busy.headers["retry-after"] = "5"
        return busy
    del page.headers["content-length"]
    head, _, foot = bytes(page.body).decode().partition(_RESULTS)
    # A proxy is not to wait for more before it passes on what there is.
    headers = {**page.headers, "x-accel-buffering": "no"}
    return StreamingResponse(_stream(asked, wanted, hunt, found, head, foot), headers=headers)


def read_wanted(
    now: datetime, q: str, since: str, until: str, topics: tuple[str, ...], before: str, skip: int
) -> Wanted:
    """What was typed, understood; QueryError or ValueError says what is wrong with it."""
    query = parse_query(q)
    start = parse_when(since.strip() or DEFAULT_SINCE, now)
    end = parse_when(until.strip(), now) if until.strip() else _END_OF_TIME
    from_then = parse_instant(before) if before else None
    return Wanted(q.strip(), query, Interval(start, max(start, end)), topics, from_then, skip if from_then else 0)


def _now(asked: Asked) -> datetime:
    """A second that is over: an address need not have fractions of it."""
    return asked.at.replace(microsecond=0) + timedelta(seconds=1)


def _page(
    asked: Asked,
    query: Mapping[str, Any],
    refused: Refused | None = None,
    wanted: Wanted | None = None,
    status: int = 200,
) -> Response:
    """The form and what is around the results."""
    topics, fault = _topics(asked.settings)
    fixed = wanted.address(_now(asked)) if wanted else {}
    typed = command(wanted.text, str(fixed["since"]), str(fixed["until"]), wanted.topics) if wanted else ""
    return asked.render(
        "search.html.j2",
        status=status,
        query=query,
        topics=topics,
        refused=refused or fault,
        wanted=wanted,
        default_since=DEFAULT_SINCE,
        fixed=fixed,
        command=typed if typed.isprintable() else "",
    )


def _topics(settings: Settings) -> tuple[list[str], Refused | None]:
    try:
        return [topic.name for topic in archived_topics(settings)], None
    except FaultlineError as error:
        return [], Refused(str(error))


async def _stream(asked: Asked, wanted: Wanted, hunt: Hunt, found: Found, head: str, foot: str) -> AsyncIterator[str]:
    yield head
    async for part in _results(asked, wanted, hunt, found):
        yield part
    yield foot


async def _results(asked: Asked, wanted: Wanted, hunt: Hunt, found: Found) -> AsyncIterator[str]:
    """What is found, how far that is, and how it ended. Of what has grown the page shows the last."""
    shown = _Shown(asked, wanted)
    began = told = heard = time.monotonic()
    rows, ended = 0, "done"
    try:
        async with aclosing(found.values(TICK)) as values:
            async for value in values:
                now = time.monotonic()
                if value is not None or hunt.progress.rows != rows:
                    rows, heard = hunt.progress.rows, now
                if isinstance(value, Records) and len(value.rows):
                    yield await run_in_threadpool(shown.records, value.rows)
                elif isinstance(value, Buckets):
                    shown.counts = value.counts
                if now - told >= TICK.total_seconds():
                    told = now
                    yield shown.histogram() + shown.progress(hunt.progress)
                if now - heard > SILENCE.total_seconds() or now - began > _LONGEST.total_seconds():
                    ended = "silent" if now - heard > SILENCE.total_seconds() else "long"
                    break
    except FaultlineError as error:
        ended = "failed"
        yield asked.text("search_fault.html.j2", refused=Refused(str(error)))
    yield shown.histogram() + shown.end(hunt.progress, ended, time.monotonic() - began)


@dataclass
class _Shown:
    """What is on the page by now, and the next part of it."""

    asked: Asked
    wanted: Wanted
    counts: pa.Table | None = None
    _found: int = 0
    _at: datetime | None = None
    _alike: int = 0  # records of the last one's time

    def records(self, rows: pa.Table) -> str:
        """More of them."""
        lines = listed(rows, self.wanted.query)
        for line in lines:
            self._alike = self._alike + 1 if line.at == self._at else 1
            self._at = line.at
        self._found += len(lines)
        return self.asked.text("search_records.html.j2", records=lines, several=len(self.wanted.topics) != 1)

    def progress(self, progress: Progress) -> str:
        """How far the search is."""
        return self.asked.text("search_progress.html.j2", progress=progress, counting=self.counts is not None)

    def histogram(self) -> str:
        """What is counted by now; empty before."""
        if self.counts is None:
            return ""
        interval = self.wanted.until(_now(self.asked))
        drawn = bars(self.counts.to_pylist(), interval, bucket_width(interval))
        address = self.wanted.address(_now(self.asked))
        return self.asked.text(
            "search_histogram.html.j2", bars=drawn, interval=interval, address=address, instant=instant
        )

    def end(self, progress: Progress, ended: str, took: float) -> str:
        """How it ended, and where to go on."""
        return self.asked.text(
            "search_end.html.j2",
            ended=ended,
            found=self._found,
            more=self._after() if self._found == LIMIT else None,
            address=self.wanted.address(_now(self.asked)),
            wanted=self.wanted,
            progress=progress,
            took=f"{took:.1f}",
            counting=self.counts is not None,
        )

    def _after(self) -> dict[str, object]:
        """The parameters of the page after this one."""
        assert self._at is not None
        before = self._at + _MICROSECOND
        return {"before": instant(before), "skip": self._alike + self.wanted.skip * (before == self.wanted.before)}
