"""Counts by alert: which rules a count belongs to, and a running tally for each of their alerts.

Kept from one evaluation to the next, so that an evaluation costs what is new and not what is known. Adding is
order-free: the same counts give the same tallies, however they were split.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter

from faultline.alerting.alerts import Term
from faultline.alerting.matchers import matches_all
from faultline.alerting.rulekinds import BaseRule, CardinalityRule, NewTermRule, PercentageRule
from faultline.model import AlertKey, ErrorCount, Labels

# How many records of a fingerprint, and the earliest row of it that has a sample.
Kind = tuple[int, ErrorCount]


@dataclass(slots=True)
class Cell:
    """One bucket of one alert: how many, how many of those in the share, which values, and a sample by fingerprint."""

    count: int
    first_ts: datetime
    last_ts: datetime
    hits: int = 0
    values: set[str] | None = None
    _first: ErrorCount | None = None
    _kinds: dict[str, Kind] | None = None

    def keep_sample(self, row: ErrorCount) -> None:
        """Remember the row for its sample. Most cells get one, so only those that get more have a dict of them."""
        if self._first is None:
            self._first = row
            return
        if self._kinds is None:
            self._kinds = {}
            add_kind(self._kinds, self._first.count, self._first)
        add_kind(self._kinds, row.count, row)

    def samples(self) -> Iterable[Kind]:
        """How many records of each fingerprint, and the earliest row with a sample of it."""
        if self._kinds is not None:
            return self._kinds.values()
        return [] if self._first is None else [(self._first.count, self._first)]


@dataclass(slots=True)
class Tally:
    """The buckets of one alert. For a term: where it was new, None for one that is known; when it was last seen, and
    which of that has been noted for the next process; ``known_at`` is when it was last seen before it was new.
    """

    cells: dict[datetime, Cell] = field(default_factory=dict)
    starts: list[datetime] = field(default_factory=list)
    novel_at: datetime | None = None
    seen_at: datetime | None = None
    noted_at: datetime | None = None
    known_at: datetime | None = None
    # Sums of counts and of hits before each of ``starts`` and after the last; None until they are asked for.
    _totals: list[int] | None = None
    _hits: list[int] | None = None

    def add(self, row: ErrorCount, hit: bool, value: str | None) -> None:
        """Count the row; ``hit`` says whether it is in the share, ``value`` is what cardinality is taken of."""
        start, count = row.bucket_start, row.count
        cell = self.cells.get(start)
        if cell is None:
            cell = self.cells[start] = Cell(count, row.first_ts, row.last_ts)
            self._insert(start)
        else:
            cell.count += count
            cell.first_ts, cell.last_ts = min(cell.first_ts, row.first_ts), max(cell.last_ts, row.last_ts)
        if self._totals is not None:
            if start == self.starts[-1]:
                self._totals[-1] += count
            else:
                self._totals = None
        if hit:
            cell.hits += count
        if value is not None:
            cell.values = cell.values or set()
            cell.values.add(value)
        if row.sample is not None:
            cell.keep_sample(row)
        self._hits = None

    def _insert(self, start: datetime) -> None:
        if self.starts and start < self.starts[-1]:
            insort(self.starts, start)
        else:
            self.starts.append(start)
            if self._totals is not None:
                self._totals.append(self._totals[-1])

    @property
    def records(self) -> int:
        """How many records are in all its buckets."""
        sums = self._totals or self._sums
        return sums[-1] - sums[0]

    def total(self, start: datetime, end: datetime) -> int:
        """How many records are in the buckets that start in ``[start, end)``."""
        return self._between(self._totals or self._sums, start, end)

    def hits(self, start: datetime, end: datetime) -> int:
        """How many of those are in the share."""
        if self._hits is None:
            self._hits = list(accumulate([self.cells[each].hits for each in self.starts], initial=0))
        return self._between(self._hits, start, end)

    def distinct(self, start: datetime, end: datetime) -> int:
        """How many different values there are in the buckets that start in ``[start, end)``."""
        chosen = self.starts[bisect_left(self.starts, start) : bisect_left(self.starts, end)]
        return len(set().union(*(self.cells[each].values or () for each in chosen)))

    def since(self, start: datetime) -> Iterator[tuple[datetime, Cell]]:
        """The buckets that start at or after ``start``, in order."""
        return ((each, self.cells[each]) for each in self.starts[bisect_left(self.starts, start) :])

    def forget(self, before: datetime) -> None:
        """Drop the buckets that start before that."""
        gone = bisect_left(self.starts, before)
        if gone:
            for each in self.starts[:gone]:
                del self.cells[each]
            del self.starts[:gone]
            if self._totals is not None:
                del self._totals[:gone]
            self._hits = None

    @property
    def _sums(self) -> list[int]:
        if self._totals is None:
            self._totals = list(accumulate([self.cells[each].count for each in self.starts], initial=0))
        return self._totals

    def _between(self, sums: Sequence[int], start: datetime, end: datetime) -> int:
        return 0 if end <= start else sums[bisect_left(self.starts, end)] - sums[bisect_left(self.starts, start)]


@dataclass(slots=True, eq=False)
class Target:
    """Where counts with certain labels go: an alert of a rule, and what they mean to it.

    ``term_window`` is how long a new_term rule knows a term. A ``tally`` that is empty may have been forgotten.
    """

    key: AlertKey
    hit: bool
    value: str | None
    term_window: timedelta | None
    tally: Tally = field(default_factory=Tally)


@dataclass
class Tallies:
    """The tallies of every rule, and which of them were added to since ``take_touched`` was last called."""

    rules: Sequence[BaseRule]
    of: dict[str, dict[AlertKey, Tally]] = field(default_factory=dict)
    _targets: dict[tuple[Labels, str | None], tuple[Target, ...]] = field(default_factory=dict)
    _touched: dict[Target, datetime] = field(default_factory=dict)
    _restored: dict[str, dict[AlertKey, datetime | None]] = field(default_factory=dict)
    _forget_at: datetime | None = None

    def __post_init__(self) -> None:
        self.of = {rule.alert: {} for rule in self.rules}
        self._has_terms = any(isinstance(rule, NewTermRule) for rule in self.rules)

    def add(self, rows: Iterable[ErrorCount]) -> None:
        """Count the rows in every tally that they belong to."""
        if self._has_terms:
            rows = sorted(rows, key=attrgetter("bucket_start"))
        known, touched = self._targets, self._touched
        for row in rows:
            targets = known.get((row.labels, row.fingerprint))
            for target in self._find_targets(row) if targets is None else targets:
                tally = target.tally
                if not tally.starts:
                    tally = target.tally = self.of[target.key.rule].setdefault(target.key, Tally())
                tally.add(row, target.hit, target.value)
                if target.term_window is not None:
                    _note_term(tally, row, target.term_window)
                if target not in touched or row.bucket_start < touched[target]:
                    touched[target] = row.bucket_start

    def restore(self, rows: Iterable[ErrorCount]) -> None:
        """Count rows that were mostly evaluated before: late ones among them bring no old window back."""
        self.add(rows)
        self._restored = {name: dict.fromkeys(keys) for name, keys in self.take_touched().items()}

    def take_touched(self) -> dict[str, dict[AlertKey, datetime | None]]:
        """The alerts that were added to since the last call, each with the earliest bucket of what was added, None
        for what every evaluation looks at anyway.
        """
        taken, self._restored = self._restored, {}
        for target, start in self._touched.items():
            keys = taken.setdefault(target.key.rule, {})
            earliest = keys.setdefault(target.key, start)
            if earliest is None or start < earliest:
                keys[target.key] = start
        self._touched = {}
        return taken

    def note_terms(self, rule: str, keys: Iterable[AlertKey], exact: timedelta) -> Iterator[Term]:
        """The terms among the keys that were seen first, or again so much later than noted before."""
        for key in keys:
            tally = self.of[rule][key]
            if tally.seen_at and (tally.noted_at is None or tally.seen_at - tally.noted_at > exact):
                tally.noted_at = tally.seen_at
                yield Term(key, tally.novel_at, tally.seen_at, tally.known_at)

    def forget(self, until: datetime, bucket: timedelta) -> None:
        """Drop what no window can reach that ends after ``until``; a term stays known for its ``terms_window_size``.

        A few buckets at a time, because it costs about as much as counting them.
        """
        if not self.rules or (self._forget_at is not None and until < self._forget_at):
            return
        self._forget_at = until + min(rule.reach for rule in self.rules) / 8
        for rule in self.rules:
            tallies = self.of[rule.alert]
            before = until - rule.reach - 2 * bucket
            for key in [key for key, tally in tallies.items() if tally.starts and tally.starts[0] < before]:
                tallies[key].forget(before)
                if not tallies[key].starts and not _known_term(tallies[key], rule, until):
                    del tallies[key]
                    self._restored.get(rule.alert, {}).pop(key, None)
        if len(self._targets) > 100_000:
            self._targets.clear()

    def _find_targets(self, row: ErrorCount) -> tuple[Target, ...]:
        """Once for each set of labels."""
        labels = {**row.labels, "fingerprint": row.fingerprint} if row.fingerprint else row.labels
        found = tuple(target for rule in self.rules if (target := target_of(rule, labels)) is not None)
        self._targets[row.labels, row.fingerprint] = found
        return found


def target_of(rule: BaseRule, labels: Mapping[str, str]) -> Target | None:
    """The alert that records with these labels count for; None when they do not. An absent label stays absent."""
    if (rule.topics and labels.get("topic") not in rule.topics) or not matches_all(rule.parsed_matchers, labels):
        return None
    if isinstance(rule, NewTermRule) and not any(name in labels for name in rule.fields):
        return None
    key = AlertKey(rule.alert, Labels({name: labels[name] for name in rule.identity if name in labels}))
    return Target(
        key,
        hit=isinstance(rule, PercentageRule) and matches_all(rule.parsed_filter, labels),
        value=labels.get(rule.cardinality_field) if isinstance(rule, CardinalityRule) else None,
        term_window=rule.terms_window_size if isinstance(rule, NewTermRule) else None,
    )


def _note_term(tally: Tally, row: ErrorCount, window: timedelta) -> None:
    """A term is new where it was not seen for the whole window before; ``_note_late`` says what late records change."""
    at, seen = row.bucket_start, tally.seen_at
    if seen is None or at - seen > window:
        tally.novel_at, tally.known_at = at, seen
    elif tally.novel_at is not None and at < tally.novel_at:
        _note_late(tally, at, tally.novel_at, window)
    tally.seen_at = max(at, seen or at)


def _note_late(tally: Tally, at: datetime, novel: datetime, window: timedelta) -> None:
    """A record from before the term was new, late or counted again after a restart.

    From within the window before, it is where the term was new; unless it was known there, and so is known ever since.
    """
    near, known = novel - at <= window, tally.known_at
    if not near or (known is not None and at - known <= window):
        tally.known_at = max(at, known or at)
        tally.novel_at = None if near else novel
    else:
        tally.novel_at = at


def _known_term(tally: Tally, rule: BaseRule, until: datetime) -> bool:
    if not isinstance(rule, NewTermRule) or tally.seen_at is None:
        return False
    return until - tally.seen_at <= rule.terms_window_size


def add_kind(kinds: dict[str, Kind], number: int, row: ErrorCount) -> None:
    """Count so many more records of the row's fingerprint."""
    name = row.fingerprint or ""
    known, first = kinds.get(name, (0, row))
    if row.first_ts <= first.first_ts:
        first = min(first, row, key=place)
    kinds[name] = (known + number, first)


def place(row: ErrorCount) -> tuple[datetime, int, int, str]:
    """Orders samples by where they are in Kafka, and by their text where that is not known."""
    return row.first_ts, row.sample_partition or 0, row.sample_offset or 0, row.sample or ""
