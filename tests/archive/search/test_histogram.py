"""Counts per bucket: all of them, each in its bucket, whatever the width."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faultline.archive.search.histogram import bucket_starts, bucket_width, histogram, running_histogram
from faultline.archive.search.parser import parse_query
from faultline.archive.search.scan import Search
from faultline.model import Interval
from faultline.testing.records import NOON
from tests.archive.search.brute import append, opened, records

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("width", [timedelta(seconds=7), MINUTE, timedelta(hours=1), timedelta(days=1)])
def test_each_match_is_in_the_bucket_of_its_time(tmp_path: Path, width: timedelta) -> None:
    append(str(tmp_path), records(1, 200))
    table = opened(str(tmp_path))
    found = histogram([table], Search(parse_query("level>=INFO")), width).to_pylist()
    rows = table.table.query("SELECT timestamp, level FROM logs").to_pylist()
    known = [row for row in rows if row["level"] in ("INFO", "WARNING", "ERROR", "CRITICAL")]
    expected = Counter((row["timestamp"] - (row["timestamp"] - EPOCH) % width, row["level"]) for row in known)
    assert {(row["bucket_start"], row["level"]): row["count"] for row in found} == expected


def test_the_counts_so_far_grow_to_all_of_them(tmp_path: Path) -> None:
    for seed in range(3):
        append(str(tmp_path), records(seed, 50))
    table, wanted = opened(str(tmp_path)), Search(parse_query("level>=INFO"))
    grown = list(running_histogram([table], wanted, MINUTE))
    totals = [sum(counts["count"].to_pylist()) for counts in grown]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]
    assert grown[-1] == histogram([table], wanted, MINUTE)


@pytest.mark.parametrize(
    ("length", "width"),
    [
        (MINUTE, timedelta(seconds=1)),
        (timedelta(hours=1), MINUTE),
        (timedelta(hours=2), 2 * MINUTE),
        (timedelta(days=1), 30 * MINUTE),
        (timedelta(days=365), timedelta(days=7)),
        (timedelta(0), timedelta(seconds=1)),
    ],
)
def test_the_width_is_round_and_gives_no_more_than_sixty_buckets(length: timedelta, width: timedelta) -> None:
    assert bucket_width(Interval(NOON, NOON + length)) == width


def test_an_interval_touches_the_buckets_at_its_ends() -> None:
    starts = bucket_starts(Interval(NOON + 3 * MINUTE, NOON + 11 * MINUTE), 5 * MINUTE)
    assert list(starts) == [NOON, NOON + 5 * MINUTE, NOON + 10 * MINUTE]
