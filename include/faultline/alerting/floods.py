"""How many records logging handlers kept back: the summaries that ``kafka_logging`` sends of a flood say so.

A summary is a record like any other, of one count; here only the number in it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from faultline.model import FloodCount

_FIELD = "suppressed_count"
# How the message of a summary goes on after its number.
_WORDS = " suppressed: "
# Where formatters put further fields: at the top, in Logstash V0 and in ECS below.
_PLACES = ("@fields", "labels", "extra")
_MOST = 10**9


def flood_counts(events: pa.Table, topic: str) -> list[FloodCount]:
    """What was kept back, by the hour of the summaries. Anything that is not such a summary is passed over."""
    summaries = events.filter(pc.match_substring(events["message"], _WORDS).fill_null(False))
    found = Counter[datetime]()
    for at, number in _numbers(summaries):
        found[at.replace(minute=0, second=0, microsecond=0)] += number
    return [FloodCount(topic, hour, number) for hour, number in sorted(found.items())]


def _numbers(summaries: pa.Table) -> Iterator[tuple[datetime, int]]:
    for at, raw in zip(summaries["timestamp"].to_pylist(), summaries["raw"].to_pylist(), strict=True):
        number = _number(raw)
        if number is not None:
            yield at.astimezone(UTC), number


def _number(raw: bytes) -> int | None:
    """The number of a summary; a log may put anything in its place."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    places = [record, *(place for name in _PLACES if isinstance(place := record.get(name), dict))]
    values: list[Any] = [place[_FIELD] for place in places if _FIELD in place]
    return next((each for each in values if type(each) is int and 0 < each <= _MOST), None)
