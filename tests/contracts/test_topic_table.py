"""What the archive relies on in a table: the same in a local folder and on HDFS."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyarrow as pa
import pytest

from faultline.adapters.delta import TABLE_SCHEMA, TableMissing, TopicTable
from faultline.errors import PermanentError, Superseded, TransientError
from faultline.model import OffsetRange, TopicPartition
from faultline.records.decode import decode
from faultline.testing.records import NOON, raw_table
from faultline.topicfile import TopicConfig

TOPIC = TopicConfig(name="app")
P0, P1 = (TopicPartition("app", "generation-1", number) for number in (0, 1))


@pytest.fixture(params=["local", "hdfs"])
def archive(request: pytest.FixtureRequest) -> str:
    if request.param == "local":
        return str(request.getfixturevalue("tmp_path"))
    return f"{request.getfixturevalue('hdfs').url}/{uuid.uuid4().hex[:12]}"


def put(table: TopicTable, span: OffsetRange, value: bytes = b"{}") -> int:
    raw = raw_table([value] * len(span), partition=span.partition.partition, start=span.start)
    return table.append(decode(raw, TOPIC, event_time_span=timedelta(days=7)), [span])


def count(archive: str) -> int:
    rows: int = TopicTable.open(archive, "app").query("SELECT count(*) AS n FROM logs")["n"][0].as_py()
    return rows


def test_a_table_that_is_not_there_is_missing(archive: str) -> None:
    with pytest.raises(TableMissing, match="app"):
        TopicTable.open(archive, "app")


def test_first_creators_that_race_all_get_the_table(archive: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: TopicTable.open_or_create(archive, "app"), range(4)))
    assert {table.version for table in tables} == {0}
    assert put(tables[3], OffsetRange(P0, 0, 2)) == 1


def test_nothing_is_archived_at_first(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    assert (table.positions([P0, P1]), table.commits(), count(archive)) == ({P0: None, P1: None}, [], 0)


def test_rows_and_positions_become_visible_together(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    raw = raw_table([b'{"message": "a"}', b"\xff"], start=5)
    files = table.stage(decode(raw, TOPIC, event_time_span=timedelta(days=7)))
    assert (count(archive), TopicTable.open(archive, "app").positions([P0])) == (0, {P0: None})
    table.commit(files, [OffsetRange(P0, 5, 7)])
    assert (count(archive), TopicTable.open(archive, "app").positions([P0])) == (2, {P0: 7})


def test_rows_come_back_as_they_went_in(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    raw = raw_table([b'{"message": "a", "level": "error"}', b"\xff", None, b""])
    events = decode(raw, TOPIC, event_time_span=timedelta(days=7))
    table.append(events, [OffsetRange(P0, 0, 4)])
    back = table.query("SELECT * FROM logs ORDER BY kafka_offset").select(TABLE_SCHEMA.names)
    expected = [{**row, "dt": "2026-11-22", "hr": f"{NOON:%H}"} for row in events.to_pylist()]
    assert back.to_pylist() == expected


def test_a_commit_says_what_it_covers(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    gap = OffsetRange(P0, 1, 4)
    raw = raw_table([b"{}"], start=0)
    table.append(decode(raw, TOPIC, event_time_span=timedelta(days=7)), [OffsetRange(P0, 0, 4)], explained=[gap])
    put(table, OffsetRange(P1, 7, 9))
    assert [(found.range, found.rows, found.explained) for found in table.commits()] == [
        (OffsetRange(P0, 0, 4), 1, (gap,)),
        (OffsetRange(P1, 7, 9), 2, ()),
    ]


def test_rows_that_do_not_account_for_the_range_are_refused(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    files = table.stage(decode(raw_table([b"{}"]), TOPIC, event_time_span=timedelta(days=7)))
    with pytest.raises(TransientError, match="1 rows were staged"):
        table.commit(files, [OffsetRange(P0, 0, 2)])
    assert count(archive) == 0


def test_a_commit_of_offsets_without_records_moves_the_position(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    span = OffsetRange(P0, 0, 3)
    empty = decode(raw_table([]), TOPIC, event_time_span=timedelta(days=7))
    table.append(empty, [span], explained=[span])
    assert (table.positions([P0]), count(archive)) == ({P0: 3}, 0)


def test_a_start_that_is_not_the_position_is_superseded(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    put(table, OffsetRange(P0, 0, 5))
    for start in (0, 4, 6):
        with pytest.raises(Superseded):
            put(table, OffsetRange(P0, start, 9))
    assert count(archive) == 5


@pytest.mark.parametrize("position", [0, 5], ids=["the first append", "a later append"])
def test_of_writers_from_the_same_snapshot_exactly_one_wins(archive: str, position: int) -> None:
    first = TopicTable.open_or_create(archive, "app")
    if position:
        put(first, OffsetRange(P0, 0, position))
    writers = [TopicTable.open(archive, "app") for _ in range(3)]

    def write(table: TopicTable) -> str:
        try:
            put(table, OffsetRange(P0, position, position + 4))
        except Superseded:
            return "superseded"
        return "won"

    with ThreadPoolExecutor(3) as pool:
        results = sorted(pool.map(write, writers))
    assert results == ["superseded", "superseded", "won"]
    assert count(archive) == position + 4


def test_writers_of_different_partitions_do_not_disturb_each_other(archive: str) -> None:
    TopicTable.open_or_create(archive, "app")
    parts = [TopicPartition("app", "generation-1", number) for number in range(4)]
    writers = [TopicTable.open(archive, "app") for _ in parts]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: put(pair[0], OffsetRange(pair[1], 0, 3)), zip(writers, parts, strict=True)))
    table = TopicTable.open(archive, "app")
    assert (table.positions(parts), count(archive)) == (dict.fromkeys(parts, 3), 12)


def test_a_generation_has_its_own_position(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    again = TopicPartition("app", "generation-2", 0)
    put(table, OffsetRange(P0, 0, 5))
    put(table, OffsetRange(again, 0, 2))
    assert table.positions([P0, again]) == {P0: 5, again: 2}


def test_a_file_that_is_gone_is_a_permanent_error_that_names_it(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    files = table.stage(decode(raw_table([b"{}"]), TOPIC, event_time_span=timedelta(days=7)))
    table.commit(files, [OffsetRange(P0, 0, 1)])
    table._files.delete_file(files[0].path)
    for ask in (table.query, lambda sql: list(table.scan(sql))):
        with pytest.raises(PermanentError, match=files[0].path):
            ask("SELECT kafka_offset FROM logs")


def test_files_are_pruned_by_what_searches_ask_for(archive: str) -> None:
    table = TopicTable.open_or_create(archive, "app")
    put(table, OffsetRange(P0, 0, 3), b'{"level": "ERROR", "service": "pay", "message": "' + b"x" * 2000 + b'"}')
    put(table, OffsetRange(P0, 3, 5), b'{"service": "' + b"s" * 2000 + b'"}')
    files = pa.table(table._table.get_add_actions(flatten=True)).sort_by("num_records").to_pylist()
    assert [(file["num_records"], file["min.service"], file["max.kafka_offset"]) for file in files] == [
        (2, None, 4),
        (3, "pay", 2),
    ]
    assert not any("message" in name for name in files[0])
    assert table.query("SELECT count(*) AS n FROM logs WHERE service = 'pay'")["n"][0].as_py() == 3
