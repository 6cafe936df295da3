"""Reading a table's files for a proof: which rows there are, what the footers say, and sums to compare with Kafka's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

import pyarrow as pa

from faultline.archive.coordinates import COLUMNS as COORDINATES
from faultline.archive.coverage import RowCoverage, split
from faultline.archive.digests import COLUMNS, Digests
from faultline.archive.findings import Finding
from faultline.archive.table import ArchiveTable, FileFacts
from faultline.errors import PermanentError
from faultline.model import OffsetRange, TopicPartition

# Small files cost waiting, not computing.
_THREADS = 8

Progress = Callable[[str, int, int], None]


class RowReader:
    """Adds the rows of files to their partitions' coverage, and to sums where there is something to compare with."""

    def __init__(
        self,
        table: ArchiveTable,
        coverage: dict[TopicPartition, RowCoverage],
        compare: Mapping[TopicPartition, OffsetRange],
    ) -> None:
        self.digests = Digests()
        self._table = table
        self._coverage = coverage
        self._compare = compare
        self._lock = threading.Lock()

    def read(self, files: Sequence[FileFacts], progress: Progress) -> Iterator[Finding]:
        """Read the files, several at a time; faults of the files themselves."""
        with ThreadPoolExecutor(_THREADS, "verify") as pool:
            running = [pool.submit(self._file, file) for file in files]
            try:
                for done, future in enumerate(as_completed(running), 1):
                    progress("files", done, len(files))
                    if (finding := future.result()) is not None:
                        yield finding
            finally:
                pool.shutdown(cancel_futures=True)

    def _file(self, file: FileFacts) -> Finding | None:
        try:
            opened = self._table.parquet(file.path)
        except PermanentError as error:
            return Finding("file", None, str(error))
        columns = dict.fromkeys([*COORDINATES, *(COLUMNS if self._compare else ())])
        for batch in opened.batches(list(columns)):
            self._rows(pa.Table.from_batches([batch]))
        if differs(file, opened.facts):
            return Finding("file", None, f"{file.path} is not what the log says: {opened.facts}, not {file}")
        return None

    def _rows(self, rows: pa.Table) -> None:
        for part, chosen in split(self._table.topic, rows):
            offsets = chosen["kafka_offset"].to_numpy()
            with self._lock:
                self._coverage.setdefault(part, RowCoverage(part)).add(offsets)
            if (span := self._compare.get(part)) is not None:
                inside = (offsets >= span.start) & (offsets < span.end)
                records = chosen.select(COLUMNS).filter(pa.array(inside))
                with self._lock:
                    self.digests.add(part, records)


def differs(logged: FileFacts, footer: FileFacts) -> bool:
    """Whether a footer contradicts the log; what one of them does not know is no contradiction."""
    if logged.lowest is None or footer.lowest is None:
        footer = replace(footer, lowest=logged.lowest, highest=logged.highest)
    return logged != footer


def stored_faults(files: Sequence[FileFacts], stored: Mapping[str, int]) -> Iterator[Finding]:
    """Files of the table that storage does not have, or not whole."""
    for file in files:
        size = stored.get(file.path)
        if size is None:
            yield Finding("file", None, f"{file.path} is part of the table and not on storage")
        elif size != file.size:
            yield Finding("file", None, f"{file.path} has {size} bytes on storage, {file.size} in the log")
