"""Whoever asks the log reads the table rightly, whatever lies in its folders."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
from deltalake import DeltaTable

from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.expire import expire_hour
from faultline.archive.hours import Hour
from tests.archive.upkeep import NOON, fill, merge_all


def kept(folder: str) -> str:
    """A table of 50 rows of which one hour expired, beside files that left it and one that never was in it."""
    table = TopicUpkeep.open_or_create(folder, "app")
    fill(table)
    merge_all(table)
    expire_hour(table, Hour(NOON))
    table.stage(next(table.read(table.data_files())))
    assert len(list(Path(folder, "app").glob("dt=*/hr=*/*.parquet"))) == 13
    return f"{folder}/app"


def test_pandas_reads_the_rows_that_are_kept(folder: str) -> None:
    frame = DeltaTable(kept(folder)).to_pandas(partitions=[("dt", "=", "2026-11-22")])
    assert sorted(frame["kafka_offset"]) == list(range(50, 100))
    assert set(frame["hr"]) == {"13"}


def test_a_pyarrow_dataset_reads_them_filtered(folder: str) -> None:
    dataset = DeltaTable(kept(folder)).to_pyarrow_dataset()
    found = dataset.to_table(filter=pc.field("service") == "s1", columns=["kafka_offset"])
    assert sorted(found["kafka_offset"].to_pylist()) == [offset for offset in range(50, 100) if offset % 3 == 1]
