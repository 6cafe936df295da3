"""A search finds what the query means, all of it, in order; on a local table and on HDFS, compacted or not."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_search import SearchedTopic
from faultline.archive.search.parser import QueryError, parse_query
from faultline.archive.search.query import EVERYTHING, And, within
from faultline.archive.search.scan import Progress, Search, SearchStopped, matching, search
from faultline.model import Interval, OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig
from tests.archive.search.brute import answer, append, compact, opened, records

HOUR = timedelta(hours=1)
ORDER = ("timestamp", "topic", "kafka_topic_id", "kafka_partition", "kafka_offset")


def rows(tables: Sequence[SearchedTopic], query: str = "", **wanted: Any) -> list[dict[str, Any]]:
    found = [table.to_pylist() for table in search(tables, Search(parse_query(query), **wanted))]
    return [row for table in found for row in table]


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> SearchedTopic:
    """A table of many small files."""
    archive = str(tmp_path_factory.mktemp("scattered"))
    for seed in range(6):
        append(archive, records(seed, 80))
    return opened(archive)


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> SearchedTopic:
    """The same rows in few files."""
    archive = str(tmp_path_factory.mktemp("compacted"))
    for seed in range(6):
        append(archive, records(seed, 80))
    compact(archive)
    return opened(archive)


FIELDS = ["service", "host", "message", "level", "exception_type", "parse_error", "raw", "raw.n", "raw.service"]
VALUES = ["pay", "checkout", "支付", "a", "b", "7", "20", "3.5", "true", "x", "ok", "INFO", "AUDIT", "ValueError"]
WORDS = ["timeout", "TimeOut", "超时", 'said "no"', "CAFÉ", "5 ms", "traceback", "red", ".*", "nowhere", "\\"]


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


LEAVES = st.one_of(
    st.sampled_from(WORDS).map(_quote),
    st.builds("{}{}{}".format, st.sampled_from(FIELDS), st.sampled_from(["=", "!="]), st.sampled_from(VALUES)),
    st.builds("{}{}{}".format, st.sampled_from(["service", "raw.n"]), st.sampled_from("<>"), st.sampled_from(VALUES)),
    st.builds("level{}{}".format, st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(["WARN", "error", "10"])),
    st.builds("{}=~{}".format, st.sampled_from(FIELDS), st.sampled_from(["^p", "o.*t", "[0-9]+", "(?i)TIME", "$"])),
    st.builds("kafka_offset{}{}".format, st.sampled_from(["<", ">="]), st.integers(900, 5100)),
    st.builds("timestamp>=2026-11-22T{}:{}".format, st.sampled_from([12, 13, 14]), st.sampled_from(["00", "30"])),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("state", ["scattered", "compacted"])
@settings(deadline=None, max_examples=60)
@given(
    text=QUERIES,
    hours=st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted),
    newest_first=st.booleans(),
    limit=st.none() | st.integers(0, 30),
)
def test_a_search_finds_what_reading_every_row_finds(
    state: str, request: pytest.FixtureRequest, text: str, hours: list[int], newest_first: bool, limit: int | None
) -> None:
    table = request.getfixturevalue(state)
    query, interval = parse_query(text), Interval(NOON + hours[0] * HOUR, NOON + hours[1] * HOUR)
    everything = table.table.query("SELECT 'app' AS topic, * FROM logs").to_pylist()
    expected = [row for row in everything if answer(And((within(interval), query)), row)]
    expected.sort(key=lambda row: [row[name] for name in ORDER], reverse=newest_first)
    wanted = Search(query, interval, newest_first=newest_first, limit=limit)
    found = [row for part in search([table], wanted) for row in part.to_pylist()]
    keys = [[row[name] for name in ORDER] + [row["raw"]] for row in expected[:limit]]
    assert [[row[name] for name in ORDER] + [row["raw"]] for row in found] == keys
    assert sum(len(part) for part in matching([table], wanted)) == len(expected)


@given(text=st.text(string.printable + "超é", max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(QueryError):
        parse_query(text)


def test_a_search_is_the_same_on_every_storage(archive: str) -> None:
    for seed in range(3):
        append(archive, records(seed, 40))
    before = rows([opened(archive)], 'level>=WARNING "timeout"')
    compact(archive, group_rows=16)
    after = rows([opened(archive)], 'level>=WARNING "timeout"')
    assert before == after
    assert before


def test_topics_are_merged_by_time(folder: str) -> None:
    for topic in ("app", "web"):
        append(folder, records(1, 50), topic)
    found = rows([opened(folder, "app"), opened(folder, "web")])
    assert len(found) == 100
    assert [row["timestamp"] for row in found] == sorted((row["timestamp"] for row in found), reverse=True)
    assert {row["topic"] for row in found} == {"app", "web"}


def test_a_limit_opens_no_more_files_than_it_needs(scattered: SearchedTopic) -> None:
    progress = Progress()
    found = list(search([scattered], Search(EVERYTHING, limit=5), progress))
    assert (sum(map(len, found)), progress.files, progress.found) == (5, 18, 5)
    assert progress.opened <= 6 + 4  # those of the last hour, and what is opened ahead
    assert progress.at in (NOON + 2 * HOUR, NOON + HOUR)  # it may have begun with what is opened ahead


def test_an_hour_is_searched_in_its_files_alone(scattered: SearchedTopic) -> None:
    progress = Progress()
    list(search([scattered], Search(EVERYTHING, Interval(NOON, NOON + HOUR)), progress))
    assert (progress.opened, progress.left) == (6, 0)


def test_a_service_is_searched_in_its_parts_of_a_file_alone(compacted: SearchedTopic) -> None:
    some, every = Progress(), Progress()
    list(search([compacted], Search(parse_query("service=pay")), some))
    list(search([compacted], Search(EVERYTHING), every))
    assert 0 < some.rows < every.rows == 480


def test_rows_come_as_soon_as_they_are_certain(scattered: SearchedTopic) -> None:
    progress = Progress()
    first = next(search([scattered], Search(EVERYTHING), progress))
    assert len(first) > 0
    assert progress.opened <= 6 + 4


def test_only_the_columns_asked_for_are_given(compacted: SearchedTopic) -> None:
    [found] = search([compacted], Search(parse_query("timeout"), columns=("message",), limit=1))
    assert found.column_names == ["topic", *(name for name in ORDER if name != "topic"), "message"]


def test_nothing_found_is_nothing(scattered: SearchedTopic) -> None:
    assert rows([scattered], "nowhere-to-be-found") == []
    assert rows([], "") == []


def test_a_file_that_lacks_a_column_has_nulls(tmp_path: Path) -> None:
    append(str(tmp_path), records(0, 10))
    table = opened(str(tmp_path))
    part = table.open(table.files()[0])
    part._names.remove("host")
    [read] = part.read(part.groups[0], ["host", "service"])
    assert (read["host"].null_count, read["host"].type) == (len(read), pa.string())


def test_fields_of_a_line_are_found_as_its_format_names_them(folder: str) -> None:
    line = b'10.0.0.1 - - [22/Nov/2026:12:00:00 +0000] "GET /pay HTTP/1.1" %d 5 "-" "curl"'
    lines = [line % status for status in (200, 503)]
    topic = TopicConfig(name="web", format="nginx")
    events = decode(raw_table(lines), topic, event_time_span=timedelta(days=7))
    table = TopicTable.open_or_create(folder, "web")
    table.append(events, [OffsetRange(TopicPartition("web", "generation-1", 0), 0, 2)])
    found = rows([SearchedTopic(topic, table)], "raw.status>=500 raw.path=/pay")
    assert [row["raw"] for row in found] == lines[1:]


def test_progress_counts_hours_that_are_read_from_end_to_end(scattered: SearchedTopic) -> None:
    some, every = Progress(), Progress()
    list(search([scattered], Search(EVERYTHING, limit=5), some))
    list(search([scattered], Search(EVERYTHING), every))
    assert (some.hours, every.hours, every.hours_read) == (3, 3, 3)
    assert some.hours_read < 3


def test_a_search_that_is_stopped_reads_no_more(scattered: SearchedTopic) -> None:
    progress = Progress()
    found = search([scattered], Search(EVERYTHING), progress)
    next(found)
    progress.stop()
    with pytest.raises(SearchStopped):
        list(found)
    assert progress.opened < progress.files
