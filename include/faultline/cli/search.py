"""``faultline search``: the archive, newest first."""

from __future__ import annotations

import itertools
import sys
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from faultline.cli.aggregates import histogram_bars, sql_table
from faultline.cli.common import Topics, plain_errors, read_settings
from faultline.cli.records import (
    TABLE_COLUMNS,
    TableLines,
    Writer,
    format_time,
    json_line,
    raw_line,
    raw_line_for_terminal,
)
from faultline.cli.scanning import Scan
from faultline.cli.spared import spare_pandas

if TYPE_CHECKING:
    import pyarrow as pa

    from faultline.adapters.delta_search import SearchedTopic
    from faultline.archive.search.query import Query
    from faultline.archive.search.scan import Search
    from faultline.model import Interval

app = typer.Typer()

_TABLE_LIMIT, _FOLLOW_LIMIT = 100, 10
_FOLLOW_EVERY = 1.0
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class Format(StrEnum):
    """How to print records."""

    TABLE = "table"
    JSON = "json"
    RAW = "raw"


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="""Such as: level>=ERROR service=checkout "timeout".""")] = "",
    since: Annotated[str, typer.Option(help="From then on: a duration ago, or a time in UTC.")] = "24h",
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    topic: Topics = None,
    sql: Annotated[str | None, typer.Option(help="An SQL query over logs instead of QUERY.")] = None,
    format: Annotated[Format | None, typer.Option(help="table in a terminal, else json, unless given.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="So many at most, 0 for all; a table has 100.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on with what is archived from now on, until Ctrl-C.")] = False,
    count: Annotated[bool, typer.Option(help="Only how many there are.")] = False,
    histogram: Annotated[str | None, typer.Option(help="How many in each bucket of time: auto, or 5m.")] = None,
) -> None:
    """Search the archive, newest first; without a query, everything."""
    spare_pandas()
    from faultline.archive.search.scan import Progress
    from faultline.steps.search import open_topics

    _refuse_together(query=bool(query), sql=sql is not None)
    _refuse_together(sql=sql is not None, follow=follow, count=count, histogram=histogram is not None)
    asked, interval = parse_request(query, since, until)
    shown = format or (Format.TABLE if sys.stdout.isatty() else Format.JSON)
    with plain_errors():
        scan = Scan(Progress())
        with scan.running():
            topics = open_topics(read_settings(), topic or [])
            if sql is not None:
                _print_sql(scan, topics, sql, interval, shown)
            elif count:
                _print_count(scan, topics, asked, interval)
            elif histogram is not None:
                _print_histogram(scan, topics, asked, interval, histogram, shown)
            elif follow:
                _print_following(scan, topics, asked, interval, shown, _FOLLOW_LIMIT if limit is None else limit)
            else:
                default = _TABLE_LIMIT if shown is Format.TABLE else 0
                _print_found(scan, topics, asked, interval, shown, (default if limit is None else limit) or None)
        scan.summary()


def parse_request(query: str, since: str, until: str | None) -> tuple[Query, Interval]:
    """What to look for and when; exits with 2 and says where a text is wrong."""
    from faultline.archive.search.parser import QueryError, parse_query
    from faultline.durations import parse_when
    from faultline.model import Interval, utc_now

    now = utc_now()
    try:
        start = parse_when(since, now)
        end = parse_when(until, now) if until else _END_OF_TIME
        return parse_query(query), Interval(start, max(start, end))
    except (QueryError, ValueError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _refuse_together(**given: bool) -> None:
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise typer.BadParameter(f"not together: {' and '.join(names)}")


def _print_found(
    scan: Scan, topics: list[SearchedTopic], query: Query, interval: Interval, shown: Format, limit: int | None
) -> None:
    from faultline.archive.search.scan import search as find

    writer = _Printer(scan, query, shown, several=len(topics) > 1)
    for rows in find(topics, _wanted(query, interval, shown, limit=limit), scan.progress):
        writer.print(rows)
    if not scan.progress.found:
        scan.say(f"Nothing found since {format_time(interval.start)} UTC.")
    elif limit and scan.progress.found == limit:
        scan.say(f"These are the newest {limit:,}; --limit gives more.")


def _print_following(
    scan: Scan, topics: list[SearchedTopic], query: Query, interval: Interval, shown: Format, limit: int
) -> None:
    import pyarrow as pa

    from faultline.archive.search.scan import search as find
    from faultline.steps.search import follow as follow_topics

    wanted = _wanted(query, interval, shown, limit=limit)
    writer = _Printer(scan, query, shown, several=len(topics) > 1)
    found = list(find(topics, wanted, scan.progress))
    if found:
        writer.print(pa.concat_tables(found)[::-1])

    def pause() -> None:
        scan.ctrl_c.check()
        time.sleep(_FOLLOW_EVERY)

    for rows in follow_topics(topics, query, wanted.columns, pause):
        writer.print(rows)


def _print_count(scan: Scan, topics: list[SearchedTopic], query: Query, interval: Interval) -> None:
    from faultline.archive.search.scan import Search, matching

    total = sum(map(len, matching(topics, Search(query, interval, columns=()), scan.progress)))
    scan.write([b"%d\n" % total])


def _print_histogram(
    scan: Scan, topics: list[SearchedTopic], query: Query, interval: Interval, width: str, shown: Format
) -> None:
    from faultline.archive.search import histogram as buckets
    from faultline.archive.search.scan import Search
    from faultline.model import Interval, utc_now

    closed = Interval(interval.start, max(interval.start, min(interval.end, utc_now())))
    each = buckets.bucket_width(closed) if width == "auto" else _width(width)
    counts = buckets.histogram(topics, Search(query, closed), each, scan.progress)
    if shown is Format.TABLE:
        scan.write(histogram_bars(counts.to_pylist(), list(buckets.bucket_starts(closed, each))))
    else:
        scan.write(map(json_line, counts.to_pylist()))


def _width(text: str) -> timedelta:
    from faultline.durations import parse_duration

    try:
        width = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--histogram: {error}") from None
    if not width:
        raise typer.BadParameter("--histogram: a bucket is longer than 0")
    return width


def _print_sql(scan: Scan, topics: list[SearchedTopic], sql: str, interval: Interval, shown: Format) -> None:
    from faultline.adapters.delta_search import query_topics

    if shown is Format.RAW:
        raise typer.BadParameter("--format raw is for records, not for the rows of an SQL query")
    schema, tables = query_topics(topics, sql, interval)
    if shown is Format.JSON:
        for rows in tables:
            scan.write(map(json_line, rows.to_pylist()))
    else:
        scan.write([sql_table(schema.names, itertools.chain.from_iterable(rows.to_pylist() for rows in tables))])


def _wanted(query: Query, interval: Interval, shown: Format, limit: int | None) -> Search:
    from faultline.archive.search.scan import ALL_COLUMNS, Search

    columns = {Format.TABLE: TABLE_COLUMNS, Format.RAW: ("raw",), Format.JSON: ALL_COLUMNS}[shown]
    return Search(query, interval, columns=columns, limit=limit)


class _Printer:
    """Writes tables of records, line by line."""

    def __init__(self, scan: Scan, query: Query, shown: Format, *, several: bool) -> None:
        from faultline.archive.search.match import patterns

        self._scan = scan
        self._lines = TableLines(Console(), patterns(query), topics=several)
        self._headed = shown is not Format.TABLE
        raw = raw_line_for_terminal if sys.stdout.isatty() else raw_line
        writers: dict[Format, Writer] = {Format.TABLE: self._lines, Format.JSON: json_line, Format.RAW: raw}
        self._writer = writers[shown]

    def print(self, rows: pa.Table) -> None:
        if not self._headed and len(rows):
            self._headed = True
            self._scan.write([self._lines.header()])
        for batch in rows.to_batches(max_chunksize=1000):
            self._scan.write(map(self._writer, batch.to_pylist()))
