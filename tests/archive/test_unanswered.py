"""HDFS that hangs, connections open and nothing answered: whoever reads the archive is told so, and may try again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dev.children import Child
from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_errors import NoAnswer
from faultline.adapters.delta_search import SearchedTopic, query_topics
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.search.parser import parse_query
from faultline.archive.search.scan import Search, search
from faultline.errors import TransientError
from faultline.model import Interval
from faultline.page.searching import Hunt, Records, Searches
from faultline.records.schema import EVENT_SCHEMA
from faultline.settings import Settings
from faultline.steps.archive import append_group, verify_topics
from faultline.steps.archive_plan import plan_archive_run
from faultline.steps.compact import merge_topic
from faultline.testing.kafka import MemorySource
from faultline.testing.records import NOON
from faultline.topicfile import TopicConfig
from tests.servers import HdfsServer

LIMIT = timedelta(seconds=2)
HOUR = timedelta(hours=1)
NOW = NOON + 3 * HOUR
DAY = Interval(NOON - 12 * HOUR, NOON + 12 * HOUR)
FILES = 3


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    memory.create("app")
    return memory


@pytest.fixture
def settings(hdfs_server: HdfsServer, tmp_path: Path, source: MemorySource) -> Settings:
    """An archive of one topic on HDFS, of an hour in three files."""
    (tmp_path / "topics.yaml").write_text("topics: [{name: app}]")
    settings = Settings(
        archive_url=f"{hdfs_server.url}/{uuid.uuid4().hex[:12]}",
        topics_file=tmp_path / "topics.yaml",
        database_url=f"sqlite:///{tmp_path / 'faultline.db'}",
        archive_patience=timedelta(0),
        archive_timeout=LIMIT,
    )
    for number in range(FILES):
        archive_one(settings, source, number)
    return settings


def archive_one(settings: Settings, source: MemorySource, number: int) -> int:
    at = NOON + timedelta(minutes=number)
    source.produce("app", json.dumps({"@timestamp": at.isoformat(), "message": "card refused"}).encode(), at=at)
    groups = plan_archive_run(settings, source, until=NOW, clock=lambda: NOW)
    return sum(append_group(settings, source, group)["rows"] for group in groups)


@contextmanager
def hung(*servers: Child) -> Iterator[None]:
    for server in servers:
        server.suspend()
    try:
        yield
    finally:
        for server in servers:
            server.resume()


def rows_found(table: TopicTable) -> int:
    wanted = Search(parse_query("refused"), DAY)
    return sum(map(len, search([SearchedTopic(TopicConfig(name="app"), table)], wanted)))


def rows_of_sql(table: TopicTable) -> int:
    _, tables = query_topics([SearchedTopic(TopicConfig(name="app"), table)], "SELECT raw FROM logs", DAY)
    return sum(map(len, tables))


def rows_of_files(table: TopicTable) -> int:
    files = [table.parquet(file.path) for file in table.files()]
    return sum(len(batch) for file in files for batch in file.batches(["raw"]))


# Each comes to three when it is answered.
READS: dict[str, Callable[[TopicUpkeep], int]] = {
    "query": lambda table: len(table.query("SELECT raw FROM logs")),
    "scan": lambda table: sum(map(len, table.scan("SELECT raw FROM logs"))),
    "search": rows_found,
    "sql": rows_of_sql,
    "files": rows_of_files,
    "merge": lambda table: sum(map(len, table.read(table.data_files()))),
    "log": lambda table: sum(commit.rows for commit in table.ledger().commits),
}
ASKS_NAMENODE: dict[str, Callable[[TopicUpkeep], int]] = {
    "listing": lambda table: len(table.stored()),
    "refresh": lambda table: (table.refresh(), FILES)[1],
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_datanodes_that_hang_are_told_of_and_read_when_they_answer_again(
    hdfs_server: HdfsServer, settings: Settings, read: Callable[[TopicUpkeep], int]
) -> None:
    table = TopicUpkeep.open(settings.archive_url, "app", timeout=LIMIT)
    with hung(*hdfs_server.datanodes), pytest.raises(NoAnswer, match=f"{settings.archive_url}/app.*nothing for 2 s"):
        read(table)
    assert read(table) == FILES


@pytest.mark.parametrize("read", [*READS.values(), *ASKS_NAMENODE.values()], ids=[*READS, *ASKS_NAMENODE])
def test_a_namenode_that_hangs_is_told_of_and_asked_when_it_answers_again(
    hdfs_server: HdfsServer, settings: Settings, read: Callable[[TopicUpkeep], int]
) -> None:
    table = TopicUpkeep.open(settings.archive_url, "app", timeout=LIMIT)
    with hung(hdfs_server.namenode), pytest.raises(NoAnswer, match=r"nothing for 2 s"):
        read(table)
    assert read(table) == FILES


def test_a_file_half_read_is_given_up_when_its_datanode_hangs(hdfs_server: HdfsServer, settings: Settings) -> None:
    table = TopicUpkeep.open(settings.archive_url, "app", timeout=LIMIT)
    portions = table.coordinates([file.path for file in table.files()])
    assert len(next(portions)) == 1
    with hung(*hdfs_server.datanodes), pytest.raises(NoAnswer):
        next(portions)


def test_tasks_fail_as_worth_a_retry_and_succeed_when_hdfs_answers(
    hdfs_server: HdfsServer, settings: Settings, source: MemorySource
) -> None:
    tasks: list[Callable[[], object]] = [
        lambda: archive_one(settings, source, FILES),
        lambda: merge_topic(settings, "app", now=NOW),
        lambda: verify_topics(settings, source, deep=True),
    ]
    with hung(*hdfs_server.datanodes):
        for task in tasks:
            with pytest.raises(TransientError, match="said nothing"):
                task()
    merge_topic(settings, "app", now=NOW)
    archive_one(settings, source, FILES + 1)
    [report] = verify_topics(settings, source, deep=True)
    assert (report.faults, report.rows) == ((), FILES + 2)


def test_a_search_of_the_page_gives_its_room_back(hdfs_server: HdfsServer, settings: Settings) -> None:
    def hunt() -> Hunt:
        return Hunt(settings, ("app",), parse_query("refused"), DAY, tuple(EVENT_SCHEMA.names), limit=10)

    async def rows(searches: Searches) -> int:
        found = await searches.begin(hunt())
        async with aclosing(found.values(timedelta(minutes=1))) as values:
            return sum([len(value.rows) async for value in values if isinstance(value, Records)])

    async def look() -> int:
        searches = Searches(at_once=1)
        with hung(*hdfs_server.datanodes), pytest.raises(NoAnswer):
            await rows(searches)
        return await rows(searches)

    assert asyncio.run(look()) == FILES


def test_a_search_in_a_terminal_says_so_and_ends(hdfs_server: HdfsServer, settings: Settings) -> None:
    given = {
        "FAULTLINE_ARCHIVE_URL": settings.archive_url,
        "FAULTLINE_TOPICS_FILE": str(settings.topics_file),
        "FAULTLINE_ARCHIVE_TIMEOUT": "2s",
    }
    command = [sys.executable, "-m", "faultline.cli", "search", "refused", "--since", "2026-11-22"]
    with hung(*hdfs_server.datanodes):
        done = subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, timeout=100, check=False
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "said nothing for 2 s" in done.stderr
    assert "Traceback" not in done.stderr
