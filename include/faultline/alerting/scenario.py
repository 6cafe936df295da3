"""A test case as the counts that become visible over its time.

Events go through the parser and the counter that live records go through; only their clock is the test's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter

import pyarrow as pa

from faultline.alerting.counts import count_events, none_from_the_future
from faultline.alerting.notation import parse_counts
from faultline.alerting.testfile import EventInput, SeriesInput, TestCase
from faultline.model import ErrorCount, Labels
from faultline.records.decode import decode
from faultline.records.schema import LABEL_PREFIX
from faultline.records.source import RAW_SCHEMA
from faultline.topicfile import TopicConfig

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Rides through counting as one more label, so that records which arrive apart stay apart.
_ARRIVAL = "__arrives"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A count, and when the evaluator can see it."""

    at: datetime
    count: ErrorCount


def arrivals(
    case: TestCase, topics: Mapping[str, TopicConfig], *, start: datetime, bucket: timedelta, tolerance: timedelta
) -> list[Arrival]:
    """Everything the case logs, in the order in which it arrives; ``tolerance`` is for clocks that are ahead."""
    found = [arrival for series in case.series for arrival in _series(series, start, bucket)]
    by_topic = sorted(case.events, key=attrgetter("topic"))
    for topic, events in groupby(by_topic, key=attrgetter("topic")):
        found += _events(list(events), topics.get(topic, TopicConfig(name=topic)), start, bucket, tolerance)
    return sorted(found, key=attrgetter("at"))


def _series(series: SeriesInput, start: datetime, bucket: timedelta) -> Iterator[Arrival]:
    labels = Labels({**series.labels, "topic": series.topic})
    for number, value in enumerate(parse_counts(series.counts)):
        if value:
            at = start + number * series.every
            yield Arrival(at, ErrorCount(_EPOCH + (at - _EPOCH) // bucket * bucket, labels, value, at, at))


def _events(
    events: Sequence[EventInput], topic: TopicConfig, start: datetime, bucket: timedelta, tolerance: timedelta
) -> Iterator[Arrival]:
    arrive = [start + (event.at if event.arrives is None else event.arrives) for event in events]
    table = decode(_raw(events, start), topic, event_time_span=timedelta(days=7))
    table = none_from_the_future(table, arrive, tolerance)
    order = [str(number) for number in range(len(events))]
    table = table.append_column(LABEL_PREFIX + _ARRIVAL, pa.array(order, pa.string()))
    marked = topic.model_copy(update={"count_labels": (*topic.count_labels, _ARRIVAL)})
    for count in count_events(table, marked, bucket=bucket):
        labels = dict(count.labels)
        number = int(labels.pop(_ARRIVAL))
        yield Arrival(arrive[number], replace(count, labels=Labels(labels)))


def _raw(events: Sequence[EventInput], start: datetime) -> pa.Table:
    rows = len(events)
    columns = [
        pa.array(["test"] * rows, pa.string()),
        pa.array([0] * rows, pa.int32()),
        pa.array(range(rows), pa.int64()),
        pa.array([start + event.at for event in events], pa.timestamp("us", tz="UTC")),
        pa.nulls(rows, pa.binary()),
        pa.array(list(_texts(events)), pa.large_binary()),
    ]
    return pa.table(columns, schema=RAW_SCHEMA)


def _texts(events: Iterable[EventInput]) -> Iterator[bytes]:
    for event in events:
        text = event.record if isinstance(event.record, str) else json.dumps(event.record, ensure_ascii=False)
        yield text.encode("utf-8", "replace")
