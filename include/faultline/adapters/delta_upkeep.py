"""A topic's table for compaction and retention: files exchanged in one commit, the log shortened, storage cleaned.

A commit that takes files out is made for exactly the version behind its snapshot, or not at all: deltalake 1.6.6 does
not notice when ``create_write_transaction`` removes a file that another commit has removed meanwhile, and would keep
the replacements of both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from faultline.adapters.delta import TopicTable
from faultline.adapters.delta_errors import table_errors
from faultline.adapters.delta_files import PARTITION_COLUMNS, add_action, stage_file
from faultline.adapters.delta_notes import expiry_note, ledger_note, merge_note
from faultline.archive.compact import MERGED, DataFile, Merge
from faultline.archive.coordinates import COLUMNS, CoordinateSum
from faultline.archive.hours import Hour
from faultline.archive.table import Ledger, StagedFile
from faultline.errors import Superseded, TransientError
from faultline.model import OffsetRange
from faultline.records.schema import EVENT_SCHEMA

_BATCH = 2**14
# Many small files take longer to open than to read: they are fetched whole, a few at once.
_SMALL = 16 * 2**20
_FETCHERS = 8
# zstd's: merged once and kept for long, a file may cost some processor time to be a tenth smaller.
MERGED_LEVEL = 6


class TopicUpkeep(TopicTable):
    """``TopicTable``, and the ways to change which files it is made of."""

    def data_files(self) -> list[DataFile]:
        """The files of this snapshot."""
        columns = self.add_actions().select(["path", "partition.dt", "partition.hr", "size_bytes", "num_records"])
        return [
            DataFile(path, Hour.of(dt, hr), size, rows)
            for path, dt, hr, size, rows in zip(*(column.to_pylist() for column in columns.columns), strict=True)
        ]

    def hours_changed_since(self, time: datetime) -> set[Hour]:
        """The hours with a file that was committed since."""
        columns = self.add_actions().select(["partition.dt", "partition.hr", "modification_time"])
        since = time.timestamp() * 1000
        rows = zip(*(column.to_pylist() for column in columns.columns), strict=True)
        return {Hour.of(dt, hr) for dt, hr, modified in rows if modified >= since}

    def read(self, files: Sequence[DataFile]) -> Iterator[pa.Table]:
        """Their rows, EVENT_SCHEMA, in portions."""
        with table_errors(f"reading {self.url}"), ThreadPoolExecutor(_FETCHERS, "fetch") as pool:
            for source in _ahead(pool, self._fetch, files):
                for batch in pq.ParquetFile(source).iter_batches(_BATCH):
                    yield pa.Table.from_batches([batch]).select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)

    def coordinates(self, paths: Sequence[str]) -> Iterator[pa.Table]:
        """kafka_topic_id, kafka_partition and kafka_offset of every row of the files, from storage."""
        with table_errors(f"reading {self.url}"):
            for path in paths:
                with pq.ParquetFile(self.open_file(path)) as parquet:
                    for batch in parquet.iter_batches(16 * _BATCH, columns=list(COLUMNS)):
                        yield pa.Table.from_batches([batch])

    def stage_sorted(self, hour: Hour, row_groups: Iterable[pa.Table]) -> StagedFile:
        """Write a merged file of an hour that no reader sees yet."""
        with table_errors(f"writing a file of {self.url}"):
            return stage_file(self._files, row_groups, hour.dt, hour.hr, prefix=MERGED, level=MERGED_LEVEL)

    def replace(self, merge: Merge, outputs: Sequence[StagedFile], proof: CoordinateSum) -> int:
        """Exchange the files of a merge for its outputs; Superseded, with nothing changed, when a commit came between.

        Whoever is told so takes a new snapshot and looks whether the files are still there.
        """
        added = [add_action(file, data_change=False) for file in outputs]
        return self._commit_next([*self._removals(merge.files, False), *added], merge_note(merge, outputs, proof))

    def expire(self, hours: Sequence[Hour], files: Sequence[DataFile], offsets: Sequence[OffsetRange]) -> int:
        """Take the files of hours out of the table, and write down whose rows they were; Superseded as ``replace``."""
        rows = sum(file.rows for file in files)
        return self._commit_next(self._removals(files, True), expiry_note(hours, rows, offsets))

    def sum_up(self, ledger: Ledger) -> int:
        """Write down the ledger of this snapshot, so that older commits may be forgotten; Superseded as ``replace``."""
        return self._commit_next([], ledger_note(ledger))

    def log_since(self) -> datetime:
        """When the oldest commit was made that the log still has."""
        with table_errors(f"reading the log of {self.url}"):
            return datetime.fromtimestamp(self._history(None)[-1]["timestamp"] / 1000, UTC)

    def shorten_log(self) -> None:
        """Write a checkpoint and delete the log's files older than ``delta.logRetentionDuration``."""
        with table_errors(f"shortening the log of {self.url}"):
            self._change(DeltaTable.create_checkpoint)
            self._change(DeltaTable.cleanup_metadata)

    def vacuum(self, grace: timedelta, *, dry_run: bool = False) -> list[str]:
        """Delete files that left the table longer ago than ``grace``, or are as old and never were in it: their paths.

        In a dry run nothing is deleted. Whole hours; a part of one counts as one.
        """
        hours = math.ceil(grace / timedelta(hours=1))
        with table_errors(f"vacuuming {self.url}"):
            # A vacuum writes two commits, also when there is nothing to do.
            found = self._vacuum(hours, dry_run=True)
            if found and not dry_run:
                found = self._vacuum(hours, dry_run=False)
                self.refresh()
        return found

    def _vacuum(self, hours: int, *, dry_run: bool) -> list[str]:
        return self._change(DeltaTable.vacuum, hours, dry_run=dry_run, enforce_retention_duration=False, full=True)

    def _removals(self, files: Sequence[DataFile], data_change: bool) -> list[RemoveAction]:
        """Superseded when one of the files is not in this snapshot."""
        if gone := set(files) - set(self.data_files()):
            raise Superseded(f"{len(gone)} of {len(files)} files are no longer in {self.url}")
        now = round(time.time() * 1000)
        return [
            RemoveAction(file.path, data_change, now, file.size, {"dt": file.hour.dt, "hr": file.hour.hr})
            for file in files
        ]

    def _commit_next(self, actions: Sequence[AddAction | RemoveAction], note: Mapping[str, Any]) -> int:
        with table_errors(f"committing to {self.url}"):
            try:
                self._change(
                    DeltaTable.create_write_transaction,
                    list(actions),
                    mode="append",
                    schema=self._table.schema(),
                    partition_by=list(PARTITION_COLUMNS),
                    commit_properties=CommitProperties(custom_metadata=dict(note), max_commit_retries=0),
                )
            except CommitFailedError as error:
                raise Superseded(f"another commit came between in {self.url}") from error
        self.refresh()
        return self.version

    def _fetch(self, file: DataFile) -> pa.NativeFile:
        with table_errors(f"reading {file.path} of {self.url}"):
            source = self.open_file(file.path)
            if file.size > _SMALL:
                return source
            with source:
                content = source.read()
        if len(content) != file.size:
            raise TransientError(f"{file.path} of {self.url} gave {len(content)} bytes of {file.size}")
        return pa.BufferReader(content)


def _ahead(pool: ThreadPoolExecutor, fetch: Any, files: Sequence[DataFile]) -> Iterator[pa.NativeFile]:
    """What was fetched of each file, in order, the next few under way."""
    waiting: list[Future[pa.NativeFile]] = []
    for file in files:
        waiting.append(pool.submit(fetch, file))
        if len(waiting) == _FETCHERS:
            yield waiting.pop(0).result()
    for fetched in waiting:
        yield fetched.result()
