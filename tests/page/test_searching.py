"""Searches of the page: a few at once, each ended when nobody reads on, its error told to who reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from datetime import timedelta

import pyarrow as pa
import pytest

from faultline.archive.search.scan import Progress, SearchStopped
from faultline.errors import TransientError
from faultline.page.searching import Buckets, Busy, Records, Searches

SHORT = timedelta(milliseconds=20)
ROWS = Records(pa.table({"n": [1]}))


class Waiting:
    """Work that gives out one thing and then does nothing until it is stopped."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.stopped = threading.Event()

    def run(self) -> Iterator[Records | Buckets]:
        yield ROWS
        self.stopped.wait(30)
        raise SearchStopped("stopped")

    def stop(self) -> None:
        self.stopped.set()


class Failing(Waiting):
    def run(self) -> Iterator[Records | Buckets]:
        yield ROWS
        raise TransientError("HDFS is away")


def test_what_is_found_comes_at_once_and_silence_is_told() -> None:
    async def read() -> list[object]:
        found = await Searches().begin(Waiting())
        async with aclosing(found.values(SHORT)) as values:
            return [await anext(values) for _ in range(3)]

    assert asyncio.run(read()) == [ROWS, None, None]


def test_work_is_stopped_when_nobody_reads_on() -> None:
    work = Waiting()

    async def read() -> None:
        found = await Searches().begin(work)
        async with aclosing(found.values(SHORT)) as values:
            await anext(values)

    asyncio.run(read())
    assert work.stopped.is_set()


def test_no_more_than_there_is_room_for_go_on_at_once() -> None:
    async def read() -> None:
        searches = Searches(at_once=1, patience=10 * SHORT)
        going_on = await searches.begin(Waiting())
        with pytest.raises(Busy):
            await searches.begin(Waiting())
        async with aclosing(going_on.values(SHORT)) as values:
            await anext(values)
        async with aclosing((await searches.begin(Waiting())).values(SHORT)) as values:
            assert await anext(values) == ROWS

    asyncio.run(read())


def test_an_error_comes_after_what_was_found_before_it() -> None:
    async def read() -> list[object]:
        found, seen = await Searches().begin(Failing()), list[object]()
        try:
            async for value in found.values(SHORT):
                seen.append(value)
        except TransientError as error:
            seen.append(str(error))
        return seen

    assert asyncio.run(read()) == [ROWS, "HDFS is away"]
