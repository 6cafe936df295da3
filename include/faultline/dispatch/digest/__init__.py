"""What goes into the digest of an interval: the most frequent errors, what is new, what was kept quiet and from whom.

Pure: the facts come from the database, and the same facts give the same digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from faultline.alerting.alerts import MuteReason, Suppression
from faultline.digest import DarkOutage, Digest, ErrorTrend, KeptQuiet, Uncounted, Undelivered
from faultline.model import Interval, Labels

# Into how many parts an interval is cut to show how errors developed.
PARTS = 24
MOST_DARK = 10
_SEVEREST_LAST = ("ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class ErrorSum:
    """Records of one set of labels and one fingerprint in one part of the time.

    Part 0 is the first of the interval, -1 the last of the interval before.
    """

    labels: Labels
    fingerprint: str
    part: int
    count: int
    first_ts: datetime
    last_ts: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows of an interval: ``errors`` reach back over the interval before.

    ``known`` are the fingerprints seen before it, since ``known_since``. ``ledger`` has the suppressions that were in
    force in it, ``fired`` how often each alert began to fire.
    """

    errors: Sequence[ErrorSum] = ()
    known: Collection[str] = ()
    known_since: datetime | None = None
    ledger: Sequence[Suppression] = ()
    fired: Mapping[str, int] | None = None
    undelivered: Sequence[Undelivered] = ()
    uncounted: Sequence[Uncounted] = ()


def bounds(interval: Interval) -> list[datetime]:
    """Where the parts of the interval before and of the interval begin, and the end."""
    length = interval.end - interval.start
    return [interval.start + length * part / PARTS for part in range(-PARTS, PARTS + 1)]


def plan_digest(interval: Interval, facts: Facts, *, top: int) -> Digest:
    """The digest, without samples: the ``top`` most frequent errors and as many of the new ones."""
    kinds = sorted(_kinds(facts.errors), key=lambda each: (-each.count, each.topic, each.service, each.fingerprint))
    here = [each for each in kinds if each.count]
    is_new = facts.known_since is not None and facts.known_since < interval.start
    new = [each for each in here if is_new and each.fingerprint not in facts.known]
    dark = sorted(_dark(facts.ledger), key=lambda each: (-each.records, each.root))
    series = _total(facts.errors)
    return Digest(
        interval.start,
        interval.end,
        errors=sum(series[PARTS:]),
        errors_before=sum(series[:PARTS]),
        series=series[PARTS:],
        series_before=series[:PARTS],
        top=tuple(here[:top]),
        more_kinds=len(here[top:]),
        new=tuple(new[:top]),
        more_new=len(new[top:]),
        known_since=facts.known_since if is_new else None,
        fired=tuple(sorted((facts.fired or {}).items(), key=lambda item: (-item[1], item[0]))),
        quiet=tuple(_kept_quiet(facts.ledger)),
        dark=tuple(dark[:MOST_DARK]),
        more_dark=len(dark[MOST_DARK:]),
        undelivered=tuple(sorted(facts.undelivered, key=lambda each: (-each.messages, each.target))),
        uncounted=tuple(sorted(facts.uncounted, key=lambda each: each.topic)),
    )


def with_samples(digest: Digest, samples: Mapping[tuple[str, str], str]) -> Digest:
    """The digest with a sample for each (topic, fingerprint)."""

    def filled(trends: Iterable[ErrorTrend]) -> tuple[ErrorTrend, ...]:
        return tuple(replace(each, sample=samples.get((each.topic, each.fingerprint), "")) for each in trends)

    return replace(digest, top=filled(digest.top), new=filled(digest.new))


def _total(errors: Iterable[ErrorSum]) -> tuple[int, ...]:
    series = [0] * (2 * PARTS)
    for each in errors:
        series[each.part + PARTS] += each.count
    return tuple(series)


def _kinds(errors: Iterable[ErrorSum]) -> Iterable[ErrorTrend]:
    grouped: dict[tuple[str, str, str], list[ErrorSum]] = {}
    for each in errors:
        kind = each.labels["topic"], each.labels.get("service", ""), each.fingerprint
        grouped.setdefault(kind, []).append(each)
    for (topic, service, fingerprint), sums in grouped.items():
        series = _total(sums)
        here = [each for each in sums if each.part >= 0] or sums
        labels = [each.labels for each in here]
        yield ErrorTrend(
            topic,
            service,
            max((each.get("level", "") for each in labels), key=_SEVEREST_LAST.index),
            fingerprint,
            sum(series[PARTS:]),
            sum(series[:PARTS]),
            series[PARTS:],
            min(each.first_ts for each in here),
            max(each.last_ts for each in here),
            len({each["host"] for each in labels if "host" in each}),
            max(each.get("exception_type", "") for each in labels),
        )


def _kept_quiet(ledger: Sequence[Suppression]) -> Iterable[KeptQuiet]:
    """In the order of the reasons. An episode that was suppressed twice is one alert, with its latest count.

    What somebody was told of before is not among them.
    """
    for reason in MuteReason:
        counts = _counts(row for row in ledger if row.reason is reason and not row.told)
        if counts:
            yield KeptQuiet(reason.value, len(counts), sum(counts.values()))


def _dark(ledger: Sequence[Suppression]) -> Iterable[DarkOutage]:
    """Roots that a person or the hour kept quiet, and that explained others meanwhile."""
    roots = {row.episode: row for row in ledger if row.reason is not MuteReason.CHAIN and not row.told}
    for episode, root in roots.items():
        effects = [row for row in ledger if any(cause.episode == episode for cause in row.causes)]
        if effects:
            counts = _counts([root, *effects])
            yield DarkOutage(str(root.alert), root.reason.value, len(counts) - 1, sum(counts.values()))


def _counts(rows: Iterable[Suppression]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.episode] = max(row.count, counts.get(row.episode, 0))
    return counts
