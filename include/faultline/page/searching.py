"""Searches of the archive for the page: a few at once, in threads of their own, ended when nobody reads on.

The host's threads answer every request of everybody; a search may take minutes, or for ever while the storage is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import pyarrow as pa

from faultline.archive.search.histogram import bucket_width, running_histogram
from faultline.archive.search.query import Query
from faultline.archive.search.scan import Progress, Search, SearchStopped, search
from faultline.errors import TransientError
from faultline.model import Interval
from faultline.settings import Settings
from faultline.steps.search import open_topics

TICK = timedelta(milliseconds=500)
# A piece of a file takes seconds at most: after this long without one, the storage does not answer.
SILENCE = timedelta(seconds=20)
_PAUSE = 0.05


class Busy(TransientError):
    """Others are searching, and none of them was done soon."""


@dataclass(frozen=True, slots=True)
class Records:
    """The next records, newest first."""

    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Buckets:
    """How many records match, as far as they are counted: BUCKET_SCHEMA."""

    counts: pa.Table


class Work(Protocol):
    """What a thread does; it may be stopped from another one."""

    def run(self) -> Iterator[object]:
        """Do it, giving out what is found."""

    def stop(self) -> None:
        """Have it end soon."""


@dataclass
class Hunt:
    """The first ``limit`` records of the interval that match, but for ``skip``; then those of ``counted``, counted."""

    settings: Settings
    topics: tuple[str, ...]
    query: Query
    interval: Interval
    columns: tuple[str, ...]
    limit: int
    skip: int = 0
    counted: Interval | None = None
    progress: Progress = field(default_factory=Progress)
    _stopped: bool = False

    def run(self) -> Iterator[Records | Buckets]:
        """Open the tables and look through them."""
        tables = open_topics(self.settings, self.topics)
        wanted = Search(self.query, self.interval, columns=self.columns, limit=self.limit + self.skip)
        skip = self.skip
        for rows in search(tables, wanted, self.progress):
            yield Records(rows.slice(skip))
            skip = max(skip - len(rows), 0)
        if self.counted is not None:
            self.progress = Progress(stopped=self._stopped)
            width, everything = bucket_width(self.counted), Search(self.query, self.counted)
            for counts in running_histogram(tables, everything, width, self.progress):
                yield Buckets(counts)

    def stop(self) -> None:
        """Have whatever goes on end before it reads on."""
        self._stopped = True
        self.progress.stop()


class Searches:
    """Room for a few pieces of work at once."""

    def __init__(self, at_once: int = 3, patience: timedelta = timedelta(seconds=2)) -> None:
        self._pool = ThreadPoolExecutor(at_once, "page-search")
        self._room = at_once
        self._patience = patience
        self._going_on: set[Future[None]] = set()

    async def begin(self, work: Work) -> Found:
        """Have a thread do it; Busy when none becomes free in time, as one does soon after its reader went away."""
        until = time.monotonic() + self._patience.total_seconds()
        while len(self._going_on) >= self._room:
            if time.monotonic() > until:
                raise Busy("others are searching: try again in a moment")
            await asyncio.sleep(_PAUSE)
        loop, found = asyncio.get_running_loop(), asyncio.Queue[object]()

        def put(value: object) -> None:
            loop.call_soon_threadsafe(found.put_nowait, value)

        future = self._pool.submit(_do, work, put)
        self._going_on.add(future)
        future.add_done_callback(self._going_on.discard)
        return Found(work, found, future)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Found:
    """What a thread finds, as it comes."""

    work: Work
    _queue: asyncio.Queue[object]
    _future: Future[None]

    async def values(self, every: timedelta) -> AsyncGenerator[object]:
        """What is found, and None whenever nothing was for so long; raises what ended the work.

        The work is stopped when nobody reads on.
        """
        try:
            while True:
                try:
                    value = await asyncio.wait_for(self._queue.get(), every.total_seconds())
                except TimeoutError:
                    yield None
                    continue
                if value is None:
                    break
                yield value
            await asyncio.wrap_future(self._future)
        finally:
            self.work.stop()


def _do(work: Work, put: Callable[[object], None]) -> None:
    try:
        for value in work.run():
            put(value)
    except SearchStopped:
        pass
    finally:
        put(None)
