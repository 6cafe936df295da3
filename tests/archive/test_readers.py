"""Whoever asks the log reads the table rightly, whatever lies in its folders."""

from __future__ import annotations

import uuid

import polars
import pyarrow.compute as pc
from deltalake import DeltaTable

from faultline.adapters.delta_upkeep import TopicUpkeep
from faultline.archive.expire import expire_hour
from faultline.archive.hours import Hour
from tests.archive.upkeep import NOON, fill, merge_all
from tests.servers import HdfsServer


def kept(archive: str) -> str:
    """A table of 50 rows of which one hour expired, beside files that left it and one that never was in it."""
    table = TopicUpkeep.open_or_create(archive, "app")
    fill(table)
    merge_all(table)
    expire_hour(table, Hour(NOON))
    table.stage(next(table.read(table.data_files())))
    assert len(table.stored()) == 13
    return f"{archive}/app"


def test_pandas_reads_the_rows_that_are_kept(folder: str) -> None:
    frame = DeltaTable(kept(folder)).to_pandas(partitions=[("dt", "=", "2026-11-22")])
    assert sorted(frame["kafka_offset"]) == list(range(50, 100))
    assert set(frame["hr"]) == {"13"}


def test_a_pyarrow_dataset_reads_them_filtered(folder: str) -> None:
    dataset = DeltaTable(kept(folder)).to_pyarrow_dataset()
    found = dataset.to_table(filter=pc.field("service") == "s1", columns=["kafka_offset"])
    assert sorted(found["kafka_offset"].to_pylist()) == [offset for offset in range(50, 100) if offset % 3 == 1]


def test_polars_reads_them_from_a_local_folder(folder: str) -> None:
    url = kept(folder)
    assert sorted(polars.read_delta(url)["kafka_offset"]) == list(range(50, 100))
    found = polars.scan_delta(url).filter(polars.col("hr") == "13", polars.col("service") == "s1")
    assert sorted(found.collect()["kafka_offset"]) == [offset for offset in range(50, 100) if offset % 3 == 1]


def test_polars_reads_them_from_hdfs_through_pyarrow(hdfs: HdfsServer) -> None:
    url = kept(f"{hdfs.url}/{uuid.uuid4().hex[:12]}")
    assert sorted(polars.read_delta(url, use_pyarrow=True)["kafka_offset"]) == list(range(50, 100))
    found = polars.scan_delta(url, use_pyarrow=True).filter(polars.col("service") == "s1").select("kafka_offset")
    assert sorted(found.collect()["kafka_offset"]) == [offset for offset in range(50, 100) if offset % 3 == 1]
