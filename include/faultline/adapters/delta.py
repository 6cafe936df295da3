"""One topic's table: rows and the positions they advance, in one atomic commit.

Knows Delta and its storage; refuses to know where rows come from. A position is the next offset of one partition of
one generation of the topic. It lives in the Delta log as an app transaction, so that two writers that start from the
same position cannot both commit: the second is told ``Superseded`` and has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import pyarrow as pa
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError

from faultline.adapters.delta_errors import DeletedMeanwhile, table_errors
from faultline.adapters.delta_files import PARTITION_COLUMNS, Staging, add_action
from faultline.adapters.delta_notes import NOTE, LedgerSoFar, append_note
from faultline.adapters.delta_read import OpenFile, logged_files, plain_schema, stored_files, without_views
from faultline.adapters.delta_statistics import STATISTICS
from faultline.adapters.delta_storage import WatchedStorage, history
from faultline.adapters.watch import Watch
from faultline.archive.table import CommittedRange, FileFacts, Ledger, Loss, StagedFile
from faultline.errors import PermanentError, Superseded
from faultline.model import OffsetRange, TopicPartition
from faultline.records.schema import EVENT_SCHEMA

TABLE_SCHEMA = pa.schema([*EVENT_SCHEMA, *(pa.field(name, pa.string(), nullable=False) for name in PARTITION_COLUMNS)])

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

# As long as HDFS's own client waits for a server (dfs.client.socket-timeout).
TIMEOUT = timedelta(minutes=1)

# How far back the log says commit by commit what happened; what it said before is summed up.
LOG_RETENTION = timedelta(days=7)

_CONFIGURATION = {
    "delta.dataSkippingStatsColumns": ",".join(STATISTICS),
    # The log says which offsets were read and which have no record: it is shortened on purpose, never by the way.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": f"interval {LOG_RETENTION.days} days",
}


class TableMissing(PermanentError):
    """There is no table yet."""


class TopicTable:
    """A snapshot of a topic's table, and the way to add to it. ``refresh`` takes a newer snapshot."""

    def __init__(
        self,
        topic: str,
        table: DeltaTable,
        storage_options: Mapping[str, str] | None = None,
        *,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self._topic = topic
        self._url = table.table_uri
        self._options = dict(storage_options or {})
        self._snapshot: DeltaTable | None = table
        self.watch = Watch(timeout)  # of all that asks this table's storage

    @classmethod
    def open(
        cls,
        archive_url: str,
        topic: str,
        *,
        storage_options: Mapping[str, str] | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Self:
        """The topic's table below ``archive_url``; TableMissing when there is none.

        NoAnswer, from it and from whatever reads the table, when the storage says nothing for ``timeout``.
        """
        url, options = _table_url(archive_url, topic), dict(storage_options or {})
        with table_errors(f"opening {url}"):
            try:
                table = Watch(timeout).work(DeltaTable, url, storage_options=options)
            except TableNotFoundError:
                raise TableMissing(f"there is no table at {url}") from None
        return cls(topic, table, options, timeout=timeout)

    @classmethod
    def open_or_create(
        cls,
        archive_url: str,
        topic: str,
        *,
        storage_options: Mapping[str, str] | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Self:
        """As ``open``, creating the table first where it is missing; any number of creators may race."""
        try:
            return cls.open(archive_url, topic, storage_options=storage_options, timeout=timeout)
        except TableMissing:
            _create(_table_url(archive_url, topic), topic, storage_options, timeout)
        return cls.open(archive_url, topic, storage_options=storage_options, timeout=timeout)

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url

    @property
    def version(self) -> int:
        """The snapshot's number."""
        return self._table.version()

    def refresh(self) -> None:
        """Take the newest snapshot."""
        with table_errors(f"reading the log of {self.url}"):
            self._change(DeltaTable.update_incremental)

    def positions(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        """The next offset to archive of each partition, in this snapshot; None when none was ever archived."""
        with table_errors(f"reading positions of {self.url}"):
            return {part: self._position(part) for part in partitions}

    def stage(self, events: pa.Table) -> tuple[StagedFile, ...]:
        """Write rows as files that no reader sees before ``commit``; columns beyond EVENT_SCHEMA are left out."""
        with self.staging() as staging:
            staging.add(events)
            return staging.finish()

    def staging(self) -> Staging:
        """The same bit by bit."""
        return Staging(self._files, f"writing a file of {self.url}")

    def commit(
        self,
        files: Sequence[StagedFile],
        covered: Sequence[OffsetRange],
        explained: Sequence[OffsetRange] = (),
        lost: Sequence[Loss] = (),
    ) -> int:
        """Make staged files and the positions behind ``covered`` visible at once; the new version.

        ``explained`` are the covered offsets that had no record, ``lost`` those that Kafka deleted before they were
        read. Superseded, with nothing changed, when a position is not the start of its range: in this snapshot, or
        because another writer moved it since.
        """
        note = append_note(files, covered, explained, lost)
        while True:
            self._fence(covered)
            try:
                self._commit(files, covered, note)
            except DeletedMeanwhile:
                self.refresh()
                continue
            self.refresh()
            return self.version

    def _commit(self, files: Sequence[StagedFile], covered: Sequence[OffsetRange], note: Mapping[str, str]) -> None:
        transactions = [Transaction(_application(span.partition), span.end) for span in covered]
        with table_errors(f"committing to {self.url}"):
            self._change(
                DeltaTable.create_write_transaction,
                [add_action(file) for file in files],
                mode="append",
                schema=self._table.schema(),
                partition_by=list(PARTITION_COLUMNS),
                commit_properties=CommitProperties(app_transactions=transactions, custom_metadata=dict(note)),
            )

    def append(self, events: pa.Table, covered: Sequence[OffsetRange], *, explained: Sequence[OffsetRange] = ()) -> int:
        """``stage`` and ``commit``.

        Files of a commit that was refused stay until vacuum: a refusal can be the echo of one's own commit, tried again
        after its answer was lost.
        """
        return self.commit(self.stage(events), covered, explained)

    def commits(self) -> list[CommittedRange]:
        """What every append up to this snapshot says of itself, oldest first."""
        return list(self.ledger().commits)

    def ledger(self) -> Ledger:
        """What the log up to this snapshot says of offsets; ``commits`` and what retention has deleted."""
        ledger, _ = self._read_ledger(None)
        return Ledger(tuple(ledger.commits), tuple(ledger.expired))

    def recent_losses(self, commits: int) -> tuple[tuple[Loss, ...], int]:
        """What the newest so many commits say is lost, oldest first, and the first version that was looked at.

        That is 0 when nothing older could say more.
        """
        ledger, oldest = self._read_ledger(commits)
        return tuple(loss for commit in ledger.commits for loss in commit.lost), oldest

    def _read_ledger(self, newest: int | None) -> tuple[LedgerSoFar, int]:
        """From the newest commits, or all; and the version of the oldest, 0 when what is older is known too."""
        history = self._history(newest)
        ledger = LedgerSoFar(self.topic)
        for entry in reversed(history):
            if NOTE in entry and entry["version"] <= self.version:
                ledger.add(entry)
        whole = ledger.summed_up or newest is None or len(history) < newest
        return ledger, 0 if whole else history[-1]["version"]

    def commits_since(self, version: int) -> list[CommittedRange]:
        """As ``commits``, of the versions after this one."""
        if version >= self.version:
            return []
        ledger = LedgerSoFar(self.topic)
        for entry in reversed(self._history(self.version - version)):
            if NOTE in entry and version < entry["version"] <= self.version:
                ledger.add_append(entry)
        return ledger.commits

    def _history(self, newest: int | None) -> list[dict[str, Any]]:
        """What the newest commits up to this snapshot, or all, say of themselves, newest first."""
        versions = range(self.version, -1, -1)[:newest]
        with table_errors(f"reading the log of {self.url}"):
            return list(history(self._storage, versions))

    def register(self, builder: QueryBuilder, name: str) -> None:
        """Let queries of the builder read this snapshot by a name."""
        builder.register(name, self._table)

    def add_actions(self) -> pa.Table:
        """The files of this snapshot: path, size_bytes, num_records, ``partition.*``, ``min.*``, ``max.*`` …"""
        with table_errors(f"reading the log of {self.url}"):
            return pa.RecordBatchReader.from_stream(self._table.get_add_actions(flatten=True)).read_all()

    def open_file(self, path: str) -> pa.NativeFile:
        """A file of the table, to read anywhere in it."""
        with table_errors(f"reading {path} of {self.url}"):
            return self._files.open_input_file(path)

    def files(self) -> tuple[FileFacts, ...]:
        """The files of this snapshot, as the log has them."""
        return logged_files(self.add_actions())

    def stored(self) -> dict[str, int]:
        """The size in bytes of every data file that is on storage now, in the snapshot or not."""
        with table_errors(f"listing {self.url}"):
            return stored_files(self._files)

    def parquet(self, path: str) -> OpenFile:
        """One of the files, by rows; PermanentError when it is gone or no Parquet file."""
        with table_errors(f"opening {path} of {self.url}"):
            return OpenFile(self._files, path)

    def query(self, sql: str) -> pa.Table:
        """The result of a query; the table is called ``logs``."""
        with table_errors(f"querying {self.url}"):
            reader = self._execute(sql)
            return pa.Table.from_batches(map(without_views, self.watch.each(reader)), plain_schema(reader.schema))

    def scan(self, sql: str) -> Iterator[pa.RecordBatch]:
        """As ``query``, batch by batch."""
        with table_errors(f"querying {self.url}"):
            yield from map(without_views, self.watch.each(self._execute(sql)))

    def _execute(self, sql: str) -> pa.RecordBatchReader:
        answer = self.watch.work(QueryBuilder().register("logs", self._table).execute, sql)
        return pa.RecordBatchReader.from_stream(answer)

    def _position(self, partition: TopicPartition) -> int | None:
        return self.watch.work(self._table.transaction_version, _application(partition))

    def _change(
        self, call: Callable[Concatenate[DeltaTable, Given], Answer], *args: Given.args, **kwargs: Given.kwargs
    ) -> Answer:
        """What a call answers that changes the snapshot.

        One that was left behind may still do what it was for, as one may whose answer was lost. It keeps the snapshot
        locked: whoever touched that would stand still, and the process with him, so another one takes its place.
        """
        try:
            return self.watch.work(call, self._table, *args, **kwargs)
        except TimeoutError:
            self._snapshot = None
            raise

    @property
    def _table(self) -> DeltaTable:
        if self._snapshot is None:
            with table_errors(f"opening {self.url}"):
                self._snapshot = self.watch.work(DeltaTable, self.url, storage_options=self._options)
        return self._snapshot

    @property
    def _storage(self) -> WatchedStorage:
        return WatchedStorage(self._table, self._options, self.watch)

    @property
    def _files(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.PyFileSystem(self._storage)

    def _fence(self, covered: Sequence[OffsetRange]) -> None:
        positions = self.positions([span.partition for span in covered])
        for span in covered:
            if positions[span.partition] not in (None, span.start):
                raise Superseded(f"{span} does not start at the position of {self.url}: {positions[span.partition]}")


def _table_url(archive_url: str, topic: str) -> str:
    return f"{archive_url.rstrip('/')}/{topic}"


def _create(url: str, topic: str, storage_options: Mapping[str, str] | None, timeout: timedelta) -> None:
    """Create the table; when another creator is faster the table is there, and that is all that counts."""
    options = dict(storage_options or {})
    watch = Watch(timeout)
    with table_errors(f"creating {url}"):
        try:
            watch.work(
                DeltaTable.create,
                url,
                schema=TABLE_SCHEMA,
                partition_by=list(PARTITION_COLUMNS),
                name=topic,
                configuration=_CONFIGURATION,
                storage_options=options,
                # Tried again, a creation that lost the race would become a second first commit.
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except DeltaError as error:
            try:
                watch.work(DeltaTable, url, storage_options=options)
            except TableNotFoundError:
                raise error from None


def _application(partition: TopicPartition) -> str:
    return f"kafka:{partition.topic_id}:{partition.partition}"
