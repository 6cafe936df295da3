"""What a page says beside the alert itself: how usual it is, what is logged most, and on which hosts.

Pure; the sums come from the database. Nothing is decided by them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from faultline.alerting.rulekinds import BaseRule
from faultline.alerting.tallies import target_of
from faultline.model import AlertKey, Context, Kind, Labels

SPAN, BACK = timedelta(hours=1), timedelta(days=7)
MOST_KINDS, MOST_HOSTS = 3, 5


@dataclass(frozen=True, slots=True)
class LabelSum:
    """How many records of one set of labels and one fingerprint there were, and the text of one of them."""

    labels: Labels
    fingerprint: str | None
    count: int
    sample: str


def by_alert(rules: Iterable[BaseRule], sums: Iterable[LabelSum]) -> dict[AlertKey, list[LabelSum]]:
    """The sums that count for each alert of the rules, found in one pass for each rule, however many alerts it has."""
    found: dict[AlertKey, list[LabelSum]] = {}
    labelled = [
        ({**each.labels, "fingerprint": each.fingerprint} if each.fingerprint else each.labels, each) for each in sums
    ]
    for rule in rules:
        for labels, each in labelled:
            if (target := target_of(rule, labels)) is not None:
                found.setdefault(target.key, []).append(each)
    return found


def describe(sums: Iterable[LabelSum], week_before: Iterable[LabelSum] | None) -> Context:
    """The context of an alert from what counts for it; ``week_before`` is None where nothing is known of then."""
    mine = list(sums)
    kinds, hosts = _kinds(mine), Counter[str]()
    for each in mine:
        if "host" in each.labels:
            hosts[each.labels["host"]] += each.count
    ranked = sorted(hosts.items(), key=lambda item: (-item[1], item[0]))
    return Context(
        sum(each.count for each in mine),
        None if week_before is None else sum(each.count for each in week_before),
        tuple(kinds[:MOST_KINDS]),
        len(kinds[MOST_KINDS:]),
        tuple(ranked[:MOST_HOSTS]),
        len(ranked[MOST_HOSTS:]),
    )


def _kinds(sums: Sequence[LabelSum]) -> list[Kind]:
    """By fingerprint, the most frequent first."""
    counts = Counter[str]()
    samples: dict[str, str] = {}
    for each in sums:
        if each.fingerprint is not None:
            counts[each.fingerprint] += each.count
            samples[each.fingerprint] = min(each.sample, samples.get(each.fingerprint, each.sample))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Kind(fingerprint, number, samples[fingerprint]) for fingerprint, number in ranked]
