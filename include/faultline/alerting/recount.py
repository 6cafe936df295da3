"""Counts of the archive beside those made live: which records are counted in one of them only. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from faultline.model import ErrorCount, Labels

_Identity = tuple[datetime, Labels, str | None]


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A service's bucket that is not the same in both: its records in each, and how many are missing in ``live`` or are
    too many there. Where the numbers agree and records differ, they have other labels or another fingerprint.
    """

    topic: str
    service: str
    bucket_start: datetime
    live: int
    archived: int
    missing: int
    surplus: int


def differences(live: Iterable[ErrorCount], archived: Iterable[ErrorCount]) -> list[Difference]:
    """Every bucket and service in which some count is not exactly the same, by topic, service and time."""
    here, there = _totals(live), _totals(archived)
    rows: dict[tuple[str, str, datetime], list[tuple[int, int]]] = {}
    for identity in here.keys() | there.keys():
        bucket_start, labels, _ = identity
        row = (labels.get("topic", ""), labels.get("service", ""), bucket_start)
        rows.setdefault(row, []).append((here[identity], there[identity]))
    found = (_difference(row, pairs) for row, pairs in rows.items())
    return sorted(each for each in found if each.missing or each.surplus)


def _totals(counts: Iterable[ErrorCount]) -> Counter[_Identity]:
    totals: Counter[_Identity] = Counter()
    for count in counts:
        totals[count.bucket_start, count.labels, count.fingerprint] += count.count
    return totals


def _difference(row: tuple[str, str, datetime], pairs: list[tuple[int, int]]) -> Difference:
    topic, service, bucket_start = row
    return Difference(
        topic,
        service,
        bucket_start,
        live=sum(live for live, _ in pairs),
        archived=sum(archived for _, archived in pairs),
        missing=sum(max(archived - live, 0) for live, archived in pairs),
        surplus=sum(max(live - archived, 0) for live, archived in pairs),
    )
