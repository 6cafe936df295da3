"""Any record at all: one JSON object arrives, or a counter says why not."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_logging import EcsFormatter, LogstashFormatter, LogstashFormatterV1
from kafka_logging.testing import CaptureHandler


class Hostile:
    """Raises whatever it is asked."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error("hostile")

    __repr__ = __format__ = __hash__ = __eq__ = __iter__ = __len__ = __bool__ = __str__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise self._error(name)


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def endless() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


errors = st.sampled_from([RuntimeError, RecursionError, MemoryError, UnicodeEncodeError, AttributeError])
texts = (
    st.text(max_size=20) | st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=5) | st.just("%s %d {0} {")
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=5)
    | st.datetimes() | st.timedeltas() | st.decimals() | st.uuids() | st.complex_numbers()
)  # fmt: skip
hostile = st.builds(Hostile, errors) | st.builds(object) | st.builds(endless) | st.just(NoText)
names = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=5) | st.uuids()
values = st.recursive(
    scalars | hostile,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3) | st.tuples(inner, inner)
    ),
    max_leaves=8,
)  # fmt: skip
STANDARD = sorted(set(logging.makeLogRecord({}).__dict__) - {"msg", "args", "exc_info"})
keys = texts | st.sampled_from([*STANDARD, "message", "asctime", "record_id", "@timestamp", "@fields", "exception"])


def exc_infos() -> st.SearchStrategy[Any]:
    raised = st.builds(
        _raised, st.sampled_from([ValueError("no"), NoText(), ExceptionGroup("two", [NoText()]), KeyboardInterrupt()])
    )
    return st.none() | st.booleans() | st.just((None, None, None)) | raised | texts


def _raised(error: BaseException) -> Any:
    try:
        raise error from NoText()
    except BaseException:  # noqa: BLE001 - as a logger's exc_info has it
        return sys.exc_info()


class Record(logging.LogRecord):
    __repr__ = object.__repr__  # the other one reads what may raise


@st.composite
def records(draw: st.DrawFn) -> logging.LogRecord:
    made = Record(
        "shop", draw(st.sampled_from([10, 20, 30, 40, 50, 0, -1, 10**6])), "/srv/shop.py", draw(st.integers(0, 9)),
        draw(values), draw(st.just(()) | st.tuples(values) | st.tuples(values, values)), draw(exc_infos()),
        "pay", draw(st.none() | texts),
    )  # fmt: skip
    made.__dict__.update(draw(st.dictionaries(keys, values, max_size=3)))
    return made


FORMATTERS = [
    LogstashFormatter(),
    LogstashFormatterV1(),
    EcsFormatter(),
    LogstashFormatter({"str_format": True}),
    LogstashFormatterV1({"str_format": True}),
]


def no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@settings(max_examples=120, deadline=None)
@given(
    made=st.lists(records(), min_size=1, max_size=4),
    formatter=st.sampled_from(FORMATTERS),
    queue=st.sampled_from([2, 1000]),
    key=st.sampled_from([None, "logger", "field:user"]),
)
def test_one_json_object_arrives_or_a_counter_says_why_not(
    made: list[logging.LogRecord], formatter: logging.Formatter, queue: int, key: str | None
) -> None:
    handler = CaptureHandler(queue_max_messages=queue, key=key)
    handler.setFormatter(formatter)
    for number, record in enumerate(made):
        handler.handle(record)
        stats = handler.stats()
        assert stats.emitted == number + 1
        assert len(handler.messages) + sum(stats.dropped.values()) + stats.suppressed == number + 1
    for message in handler.messages:
        assert isinstance(json.loads(message.value, parse_constant=no_json), dict)
        assert b"\n" not in message.value
    handler.close()
    stats = handler.stats()
    assert stats.dropped.keys() <= {"queue_full", "queue_crowded"}
    assert (stats.queued, stats.delivered) == (0, len(handler.messages))
