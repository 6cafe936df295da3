"""What commits have added of planned ranges: news for jobs that wait for records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from faultline.archive.hours import Hour
from faultline.archive.plan import ranges_to_dicts
from faultline.archive.table import CommittedRange
from faultline.model import OffsetRange


@dataclass(frozen=True, slots=True)
class Added:
    """Offsets that are archived now, the rows among them, and the hours of event time that have got rows."""

    offsets: tuple[OffsetRange, ...]
    rows: int
    hours: tuple[Hour, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"offsets": ranges_to_dicts(self.offsets), "rows": self.rows, "hours": list(map(str, self.hours))}


def added_to(ranges: Sequence[OffsetRange], commits: Iterable[CommittedRange]) -> Added:
    """What commits made since the plan say of its ranges; an append may have been tried several times meanwhile."""
    mine = [each for each in commits if any(_overlap(each.range, span) for span in ranges)]
    hours = {Hour.of_file(path) for each in mine for path in each.files}
    return Added(tuple(ranges), sum(each.rows for each in mine), tuple(sorted(hours)))


def _overlap(one: OffsetRange, other: OffsetRange) -> bool:
    return one.partition == other.partition and one.start < other.end and other.start < one.end
