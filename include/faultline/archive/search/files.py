"""What a search needs of a table: its files with their statistics, and the parts of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from faultline.archive.search.prune import Statistics
from faultline.model import Interval
from faultline.topicfile import TopicConfig


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of the snapshot; ``hour`` is what its folder says of its rows' event times."""

    path: str
    size: int
    hour: Interval
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A part of a file that is read as one; ``size`` in compressed bytes."""

    number: int
    size: int
    statistics: Statistics


class OpenFile(Protocol):
    """A file whose parts are known."""

    @property
    def groups(self) -> Sequence[RowGroup]:
        """Its parts, in their order."""

    def read(self, group: RowGroup, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of a part in their order, some at a time; a column that the file lacks is null."""


class SearchedTable(Protocol):
    """A snapshot of one topic's table."""

    @property
    def topic(self) -> TopicConfig:
        """Whose records it has."""

    def files(self) -> Sequence[ArchiveFile]:
        """Every file of the snapshot."""

    def open(self, file: ArchiveFile) -> OpenFile:
        """Read what the file says of its parts."""
