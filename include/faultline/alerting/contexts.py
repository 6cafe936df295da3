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


def describe(
    alert: AlertKey, rule: BaseRule, sums: Iterable[LabelSum], week_before: Iterable[LabelSum] | None
) -> Context:
    """The context of the alert; ``week_before`` is None where nothing is known of then."""
    mine = list(_of(alert, rule, sums))
    kinds, hosts = _kinds(mine), Counter[str]()
    for each in mine:
        if "host" in each.labels:
            hosts[each.labels["host"]] += each.count
    ranked = sorted(hosts.items(), key=lambda item: (-item[1], item[0]))
    return Context(
        sum(each.count for each in mine),
        None if week_before is None else sum(each.count for each in _of(alert, rule, week_before)),
        tuple(kinds[:MOST_KINDS]),
        len(kinds[MOST_KINDS:]),
        tuple(ranked[:MOST_HOSTS]),
        len(ranked[MOST_HOSTS:]),
    )


def _of(alert: AlertKey, rule: BaseRule, sums: Iterable[LabelSum]) -> Iterable[LabelSum]:
    """Those that count for the alert."""
    for each in sums:
        labels = {**each.labels, "fingerprint": each.fingerprint} if each.fingerprint else each.labels
        target = target_of(rule, labels)
        if target is not None and target.key == alert:
            yield each


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
