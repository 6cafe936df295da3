"""Files are exchanged and rows are not: beside appends, against each other, in a local folder and on HDFS."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.compact import Merge, plan_merges
from faultline.archive.rewrite import RowsDiffer, merge_files
from faultline.archive.verify import verify_topic
from tests.archive.upkeep import HOUR, MEMORY, NOON, PART, TARGET, fill, merge_all, put


@pytest.fixture
def table(archive: str) -> TopicUpkeep:
    return TopicUpkeep.open_or_create(archive, "app")


@pytest.fixture
def local(folder: str) -> TopicUpkeep:
    return TopicUpkeep.open_or_create(folder, "app")


def rows(table: TopicTable) -> list[dict[str, object]]:
    table.refresh()
    found: list[dict[str, object]] = table.query("SELECT * FROM logs ORDER BY kafka_offset").to_pylist()
    return found


def plan(table: TopicUpkeep, *, target: int = TARGET) -> list[Merge]:
    table.refresh()
    return list(plan_merges(table.data_files(), target=target, until=NOON + 100 * HOUR))


def interrupted(step: str, action: Callable[[], object]) -> Callable[[str], None]:
    """A checkpoint that does something once, at a step."""
    waiting = [action]

    def checkpoint(name: str) -> None:
        if name == step and waiting:
            waiting.pop()()

    return checkpoint


def test_small_files_become_one_an_hour_with_the_same_rows_and_positions(table: TopicUpkeep) -> None:
    end = fill(table)
    before = rows(table)
    assert [(str(done.merge.hour), done.outputs) for done in merge_all(table)] == [
        ("2026-11-22T12", 1),
        ("2026-11-22T13", 1),
    ]
    assert rows(table) == before
    assert (len(table.data_files()), table.positions([PART])) == (2, {PART: end})
    assert verify_topic(table).faults == ()
    assert merge_all(table) == []


def test_a_merged_file_is_sorted_by_service_and_time_and_its_statistics_are_right(local: TopicUpkeep) -> None:
    fill(local, hours=1, files=30)
    merge_all(local)
    [file] = local.data_files()
    found = pq.read_table(local.open_file(file.path), columns=["service", "timestamp"]).to_pylist()
    keys = [(row["service"], row["timestamp"]) for row in found]
    assert keys == sorted(keys)
    [action] = local.add_actions().to_pylist()
    assert (action["num_records"], action["min.service"], action["max.service"]) == (300, "s0", "s2")
    assert (action["min.timestamp"], action["max.timestamp"]) == (min(at for _, at in keys), max(at for _, at in keys))
    assert pq.ParquetFile(local.open_file(file.path)).metadata.row_group(0).column(0).compression == "ZSTD"


def test_an_hour_larger_than_a_file_becomes_several_that_follow_each_other(local: TopicUpkeep) -> None:
    fill(local, hours=1, files=30)
    size = sum(file.size for file in local.data_files())
    [merge] = plan(local, target=size // 3)
    merged = merge_files(local, merge, memory=1)
    assert merged is not None
    assert merged.outputs == 3
    ends = sorted(
        ((row["min.service"], row["min.timestamp"]), (row["max.service"], row["num_records"]))
        for row in local.add_actions().to_pylist()
    )
    assert [(low[0], high[0], high[1]) for low, high in ends] == [
        ("s0", "s0", 100),
        ("s1", "s1", 100),
        ("s2", "s2", 100),
    ]


def test_appends_during_a_merge_keep_their_rows_and_the_merge_its_work(table: TopicUpkeep) -> None:
    end = fill(table, hours=1)
    [merge] = plan(table)
    writer = TopicTable.open(table.url.rsplit("/app", 1)[0], "app")
    overtake = interrupted("before_merge_commit", lambda: put(writer, end, end + 7))
    assert merge_files(table, merge, memory=MEMORY, checkpoint=overtake) is not None
    put(writer, end + 7, end + 9)
    assert (len(rows(table)), len(table.data_files())) == (end + 9, 3)
    assert verify_topic(table).faults == ()


def test_an_append_from_before_a_merge_commits_after_it(table: TopicUpkeep) -> None:
    end = fill(table, hours=1)
    writer = TopicTable.open(table.url.rsplit("/app", 1)[0], "app")
    merge_all(table)
    put(writer, end, end + 5)
    assert len(rows(table)) == end + 5
    assert verify_topic(table).faults == ()


def test_of_two_merges_of_the_same_files_one_changes_nothing(table: TopicUpkeep) -> None:
    end = fill(table, hours=1)
    [merge] = plan(table)
    rival = TopicUpkeep.open(table.url.rsplit("/app", 1)[0], "app")
    lose = interrupted("before_merge_commit", lambda: merge_all(rival))
    assert merge_files(table, merge, memory=MEMORY, checkpoint=lose) is None
    assert (len(rows(table)), len(table.data_files())) == (end, 1)


def test_merges_appends_and_readers_at_once(table: TopicUpkeep) -> None:
    """Each append goes into the hour that is being merged; a reader never sees a row twice or one less than before."""
    url = table.url.rsplit("/app", 1)[0]
    end = fill(table, hours=1)
    seen = [end]

    def append() -> None:
        writer = TopicTable.open(url, "app")
        for start in range(end, end + 60, 5):
            put(writer, start, start + 5)

    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(append)
        merging = [pool.submit(_merge_until, url, writing.done) for _ in range(2)]
        while not all(job.done() for job in (writing, *merging)):
            answer = TopicTable.open(url, "app").query("SELECT count(*) n, count(DISTINCT kafka_offset) d FROM logs")
            [found] = answer.to_pylist()
            assert found["n"] == found["d"] >= seen[-1]
            seen.append(found["n"])
        for job in (writing, *merging):
            job.result()
    assert len(rows(table)) == end + 60
    assert verify_topic(table).faults == ()


def _merge_until(url: str, done: Callable[[], bool]) -> None:
    last = False
    while not last:
        last = done()
        merge_all(TopicUpkeep.open(url, "app"))


def test_rows_that_would_be_lost_abort_the_merge_and_name_the_hour(
    local: TopicUpkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(local, hours=1)
    before = rows(local)
    whole = local.stage_sorted

    def one_row_less(hour: object, groups: object) -> object:
        return whole(hour, [pa.concat_tables(list(groups)).slice(1)])  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(local, "stage_sorted", one_row_less)
    with pytest.raises(RowsDiffer, match="hour 2026-11-22T12: 49 rows were written of 50"):
        merge_all(local)
    assert rows(local) == before
    assert len(local.data_files()) == 5


def test_a_file_with_fewer_rows_than_the_log_says_aborts_the_merge(local: TopicUpkeep) -> None:
    fill(local, hours=1)
    [merge] = plan(local)
    wrong = Merge(merge.hour, (*merge.files[1:],), 1)
    more = merge.files[0].__class__(merge.files[0].path, merge.hour, merge.files[0].size, 11)
    with pytest.raises(RowsDiffer, match="50 rows, the log says 51"):
        merge_files(local, Merge(merge.hour, (more, *wrong.files), 1), memory=MEMORY)
