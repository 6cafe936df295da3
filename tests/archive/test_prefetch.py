"""Reading ahead changes nothing but the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from faultline.archive.prefetch import prefetch


def test_items_come_in_order() -> None:
    with prefetch(lambda: iter(range(100))) as items:
        assert list(items) == list(range(100))


def test_an_error_comes_after_the_items_before_it() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise LookupError("gone")

    seen: list[int] = []
    with pytest.raises(LookupError, match="gone"), prefetch(produce) as items:
        seen += items
    assert seen == [1]


def test_leaving_early_ends_the_producer() -> None:
    closed = threading.Event()

    def produce() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    with prefetch(produce) as items:
        next(items)
    assert closed.wait(5)
