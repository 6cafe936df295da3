"""How many records match, per bucket of event time and level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from faultline.archive.search.files import SearchedTable
from faultline.archive.search.scan import Progress, Search, matching
from faultline.model import Interval

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]

BUCKET_SCHEMA = pa.schema(
    [
        pa.field("bucket_start", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("level", pa.string()),
        pa.field("count", pa.int64(), nullable=False),
    ]
)


def histogram(
    tables: Sequence[SearchedTable], wanted: Search, width: timedelta, progress: Progress | None = None
) -> pa.Table:
    """BUCKET_SCHEMA, by time and level; what is nowhere has no row. Buckets start at multiples of ``width``."""
    return _sum(pa.concat_tables([BUCKET_SCHEMA.empty_table(), *_counts(tables, wanted, width, progress)]))


def running_histogram(
    tables: Sequence[SearchedTable], wanted: Search, width: timedelta, progress: Progress | None = None
) -> Iterator[pa.Table]:
    """``histogram`` of what has been read so far, again and again; the last one is whole."""
    summed = BUCKET_SCHEMA.empty_table()
    for counts in _counts(tables, wanted, width, progress):
        summed = _sum(pa.concat_tables([summed, counts]))
        yield summed


def bucket_width(interval: Interval, buckets: int = 60) -> timedelta:
    """The least round width that needs no more than so many buckets, whole days if need be."""
    least = (interval.end - interval.start) / buckets
    for seconds in _WIDTHS:
        if timedelta(seconds=seconds) >= least:
            return timedelta(seconds=seconds)
    return timedelta(days=-(-least // timedelta(days=1)))


def bucket_starts(interval: Interval, width: timedelta) -> Iterable[datetime]:
    """The buckets that the interval touches."""
    start = interval.start - (interval.start - _EPOCH) % width
    while start < interval.end:
        yield start
        start += width


def _counts(
    tables: Sequence[SearchedTable], wanted: Search, width: timedelta, progress: Progress | None
) -> Iterator[pa.Table]:
    small = Search(wanted.query, wanted.interval, columns=("level",))
    return (_count(rows, width // _MICROSECOND) for rows in matching(tables, small, progress))


def _count(rows: pa.Table, width: int) -> pa.Table:
    times = rows["timestamp"].cast(pa.int64())
    starts = pa.array(times.to_numpy() // width * width, BUCKET_SCHEMA.field("bucket_start").type)
    ones = pa.repeat(pa.scalar(1, pa.int64()), len(rows))
    return _sum(pa.table([starts, rows["level"], ones], names=BUCKET_SCHEMA.names))


def _sum(rows: pa.Table) -> pa.Table:
    found = rows.group_by(["bucket_start", "level"]).aggregate([("count", "sum")])
    named = found.rename_columns(["bucket_start", "level", "count"]).cast(BUCKET_SCHEMA)
    return named.sort_by([("bucket_start", "ascending"), ("level", "ascending")])
