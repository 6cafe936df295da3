"""Rows come out sorted, all of them, whatever memory there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.archive.coordinates import coordinate_sum
from faultline.archive.sorting import sorted_rows
from faultline.records.decode import decode
from faultline.records.schema import EVENT_SCHEMA
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

Row = tuple[str | None, int]


def events(rows: Sequence[Row], start: int) -> pa.Table:
    """One row per (service, second)."""
    raw = raw_table([b"{}"] * len(rows), start=start)
    table = decode(raw, TopicConfig(name="app"), event_time_span=timedelta(days=7)).select(EVENT_SCHEMA.names)
    times = pa.array([NOON + timedelta(seconds=second) for _, second in rows], pa.timestamp("us", tz="UTC"))
    services = pa.array([service for service, _ in rows], pa.string())
    return table.set_column(0, EVENT_SCHEMA.field("timestamp"), times).set_column(
        3, EVENT_SCHEMA.field("service"), services
    )


def sort(portions: Sequence[Sequence[Row]], memory: int) -> list[tuple[str, int]]:
    starts = [sum(map(len, portions[:number])) for number in range(len(portions))]
    tables = [events(rows, start) for rows, start in zip(portions, starts, strict=True)]
    found = list(sorted_rows(tables, memory=memory))
    if tables:
        assert sum((coordinate_sum(table) for table in found), start=coordinate_sum(tables[0].slice(0, 0))) == (
            coordinate_sum(pa.concat_tables(tables))
        )
    return [
        (row["service"] or "", round((row["timestamp"] - NOON).total_seconds()))
        for table in found
        for row in table.to_pylist()
    ]


rows = st.tuples(st.sampled_from([None, "", "a", "b", "ä", "😀", "\ue000"]), st.integers(0, 5))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(rows, min_size=1, max_size=6), max_size=6), st.sampled_from([1, 2**30]))
def test_rows_are_sorted_by_service_and_time_in_memory_and_through_runs(portions: list[list[Row]], memory: int) -> None:
    expected = sorted((service or "", second) for portion in portions for service, second in portion)
    assert sort(portions, memory) == expected


def test_runs_longer_than_a_portion_of_the_merge_are_merged() -> None:
    portions = [[(f"s{number % 7}", number * 7919 % 3600) for number in range(10_000)] for _ in range(3)]
    found = sort(portions, 1)
    assert (len(found), found) == (30_000, sorted(found))
