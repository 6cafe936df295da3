"""What Faultline's commits say of themselves in the Delta log, under one key, as JSON.

``ranges``: an append, the offsets it covers. ``merged``: files of an hour written anew. ``expired``: hours deleted by
retention, with the exact offsets of their rows. ``ledger``: all that older commits said, so that they can be forgotten.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np

from faultline.archive.compact import Merge
from faultline.archive.coordinates import CoordinateSum
from faultline.archive.hours import Hour
from faultline.archive.table import CommittedRange, Ledger, Loss, StagedFile
from faultline.errors import TransientError
from faultline.model import OffsetRange, TopicPartition

NOTE = "faultline"


@dataclass(slots=True)
class LedgerSoFar:
    """While a log is read, oldest commit first: an entry of ``DeltaTable.history`` after the other."""

    topic: str
    commits: list[CommittedRange] = field(default_factory=list)
    expired: list[OffsetRange] = field(default_factory=list)
    summed_up: bool = False  # one of the commits said all that came before it
    # One value for each partition: a log names few of them, many thousand times.
    _parts: dict[tuple[str, int], TopicPartition] = field(default_factory=dict)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Go on by all that a commit of ours says."""
        said = json.loads(entry[NOTE])
        if (whole := said.get("ledger")) is not None:
            self.commits = list(_summed_up(self.topic, whole["ranges"]))
            self.expired = list(_unpack_all(self.topic, whole["expired"]))
            self.summed_up = True
        self.commits += self._appended(entry, said)
        self.expired += _unpack_all(self.topic, said.get("expired", {}).get("ranges", ()))

    def add_append(self, entry: Mapping[str, Any]) -> None:
        """Go on by the append that a commit of ours reports, if it is one, and by nothing else."""
        self.commits += self._appended(entry, json.loads(entry[NOTE]))

    def _appended(self, entry: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[CommittedRange]:
        version, at = entry["version"], datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
        files = tuple(said.get("files", ()))
        for each in said.get("ranges", ()):
            key = each["topic_id"], each["partition"]
            part = self._parts.setdefault(key, TopicPartition(self.topic, *key))
            span = OffsetRange(part, each["start"], each["end"])
            explained = tuple(OffsetRange(part, start, end) for start, end in each["explained"])
            lost = _losses(part, each.get("lost", ()))
            yield CommittedRange(version, span, each["rows"], explained, lost, files, at)


def append_note(
    files: Sequence[StagedFile],
    covered: Sequence[OffsetRange],
    explained: Sequence[OffsetRange],
    lost: Sequence[Loss],
) -> dict[str, str]:
    """Of an append; TransientError when the files do not have the rows that the ranges need."""
    ranges: list[dict[str, Any]] = []
    for span in covered:
        missing = [gap for gap in explained if gap.partition == span.partition]
        losses = [loss for loss in lost if loss.range.partition == span.partition]
        entry = _of_partition(span.partition) | {
            "start": span.start,
            "end": span.end,
            "rows": len(span) - sum(map(len, missing)) - sum(len(loss.range) for loss in losses),
            "explained": [[gap.start, gap.end] for gap in missing],
        }
        if losses:
            entry["lost"] = [_loss(loss) for loss in losses]
        ranges.append(entry)
    rows = sum(file.rows for file in files)
    if rows != sum(each["rows"] for each in ranges):
        raise TransientError(f"{rows} rows were staged for {', '.join(map(str, covered))}, which needs another number")
    return _note({"ranges": ranges, "files": [file.path for file in files]})


def merge_note(merge: Merge, outputs: Sequence[StagedFile], proof: CoordinateSum) -> dict[str, str]:
    """Of a merge, with the sum of coordinates that was the same before and after."""
    paths = [file.path for file in outputs]
    done = {"hour": str(merge.hour), "inputs": len(merge.files), "files": paths, "rows": proof.rows}
    return _note({"merged": done | {"sum": f"{proof.total:016x}"}})


def expiry_note(hours: Sequence[Hour], rows: int, offsets: Sequence[OffsetRange]) -> dict[str, str]:
    """Of hours that retention has deleted."""
    return _note({"expired": {"hours": [str(hour) for hour in hours], "rows": rows, "ranges": _pack_all(offsets)}})


def ledger_note(ledger: Ledger) -> dict[str, str]:
    """Of everything up to the commit that carries it."""
    ranges = [
        _of_partition(each.range.partition)
        | {
            "version": each.version,
            "start": each.range.start,
            "end": each.range.end,
            "rows": each.rows,
            "explained": _pack(each.explained),
            "lost": [_loss(loss) for loss in each.lost],
            "at": each.at.isoformat(),
        }
        for each in ledger.commits
    ]
    return _note({"ledger": {"ranges": ranges, "expired": _pack_all(ledger.expired)}})


def _summed_up(topic: str, ranges: Iterable[Mapping[str, Any]]) -> Iterator[CommittedRange]:
    for each in ranges:
        part = TopicPartition(topic, each["topic_id"], each["partition"])
        span = OffsetRange(part, each["start"], each["end"])
        explained = _unpack(part, each["explained"])
        at = datetime.fromisoformat(each["at"])
        yield CommittedRange(each["version"], span, each["rows"], explained, _losses(part, each["lost"]), (), at)


def _loss(loss: Loss) -> list[Any]:
    return [loss.range.start, loss.range.end, loss.reason, loss.at.isoformat()]


def _losses(part: TopicPartition, said: Iterable[Sequence[Any]]) -> tuple[Loss, ...]:
    return tuple(
        Loss(OffsetRange(part, start, end), reason, datetime.fromisoformat(at)) for start, end, reason, at in said
    )


def _pack_all(ranges: Iterable[OffsetRange]) -> list[dict[str, Any]]:
    by_partition = groupby(sorted(ranges), key=lambda span: span.partition)
    return [_of_partition(part) | {"offsets": _pack(list(mine))} for part, mine in by_partition]


def _unpack_all(topic: str, said: Iterable[Mapping[str, Any]]) -> Iterator[OffsetRange]:
    for each in said:
        yield from _unpack(TopicPartition(topic, each["topic_id"], each["partition"]), each["offsets"])


def _of_partition(part: TopicPartition) -> dict[str, Any]:
    return {"topic_id": part.topic_id, "partition": part.partition}


def _pack(ranges: Sequence[OffsetRange]) -> str:
    """Starts and ends, ascending, as differences: millions of ranges of a topic with transactions fit a commit."""
    ends = np.array([(span.start, span.end) for span in ranges], "<i8").reshape(-1)
    return base64.b64encode(zlib.compress(np.diff(ends, prepend=0).astype("<i8").tobytes())).decode()


def _unpack(part: TopicPartition, packed: str) -> tuple[OffsetRange, ...]:
    ends = np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<i8")).reshape(-1, 2)
    return tuple(OffsetRange(part, start, end) for start, end in ends.tolist())


def _note(said: Mapping[str, Any]) -> dict[str, str]:
    return {NOTE: json.dumps(said)}
