"""Which commits the log alone proves, so that their files need not be read. Pure.

A commit says which offsets it has rows of; that was taken from the rows themselves when it was made. As long as its own
files are in the table, with as many rows and just these offsets between them, that is still so. Files that were merged
or rewritten since vouch for nobody: they are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from faultline.archive.ranges import subtract
from faultline.archive.table import CommittedRange, FileFacts
from faultline.model import OffsetRange


@dataclass(frozen=True, slots=True)
class Vouched:
    """Ranges that need no reading, and the files that do."""

    ranges: tuple[OffsetRange, ...]
    unread: tuple[FileFacts, ...]


def vouch(commits: Iterable[CommittedRange], files: Sequence[FileFacts]) -> Vouched:
    """Split the table into what its log proves and what only its rows can."""
    live = {file.path: file for file in files}
    versions: defaultdict[int, list[CommittedRange]] = defaultdict(list)
    for commit in commits:
        versions[commit.version].append(commit)
    claims: defaultdict[str, int] = defaultdict(int)
    for ranges in versions.values():
        for path in ranges[0].files:
            claims[path] += 1
    vouched: list[OffsetRange] = []
    proven: set[str] = set()
    for ranges in versions.values():
        paths = ranges[0].files
        mine = [live[path] for path in paths if path in live and claims[path] == 1]
        if len(mine) == len(paths) and _agree(ranges, mine):
            vouched += (commit.range for commit in ranges)
            proven.update(paths)
    return Vouched(tuple(vouched), tuple(file for file in files if file.path not in proven))


def _agree(commits: Sequence[CommittedRange], files: Sequence[FileFacts]) -> bool:
    """Whether the files have as many rows as the commit says, from its first offset with one to its last."""
    rows = sum(commit.rows for commit in commits)
    if sum(file.rows for file in files) != rows:
        return False
    if not rows:
        return True
    lowest = [file.lowest for file in files if file.lowest is not None]
    highest = [file.highest for file in files if file.highest is not None]
    if not len(lowest) == len(highest) == len(files):
        return False
    spans = [span for commit in commits if commit.rows for span in _with_rows(commit)]
    first = [(span.partition.topic_id, span.partition.partition, span.start) for span in spans]
    last = [(span.partition.topic_id, span.partition.partition, span.end - 1) for span in spans]
    return _corner(min, first) == _corner(min, lowest) and _corner(max, last) == _corner(max, highest)


def _with_rows(commit: CommittedRange) -> Sequence[OffsetRange]:
    gaps = [*commit.explained, *(loss.range for loss in commit.lost)]
    return subtract([commit.range], gaps) if gaps else [commit.range]


def _corner(choose: Callable[..., Any], points: Sequence[tuple[str, int, int]]) -> list[Any]:
    return [choose(values) for values in zip(*points, strict=True)]
