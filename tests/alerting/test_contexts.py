"""The context of a page: how usual it is, what is logged most, and where."""

from __future__ import annotations

from collections.abc import Iterable

from faultline.alerting.contexts import MOST_HOSTS, MOST_KINDS, LabelSum, by_alert, describe
from faultline.alerting.rules import load_rules
from faultline.model import AlertKey, Context, Kind, Labels

RULES = load_rules("""
groups:
- name: shop
  rules:
  - {alert: DbErrors, topics: [app], matchers: ['level="ERROR"'], query_key: [service], num_events: 5, timeframe: 1m}
  - {alert: Kind, query_key: [fingerprint], num_events: 5, timeframe: 1m}
route: {receiver: ops}
receivers: [{name: ops}]
""").rules


def logged(number: int, fingerprint: str | None = "v1:a", sample: str = "boom", **labels: str) -> LabelSum:
    return LabelSum(Labels({"topic": "app", "service": "db", "level": "ERROR", **labels}), fingerprint, number, sample)


def of(rule: str, sums: Iterable[LabelSum], week_before: Iterable[LabelSum] | None, **labels: str) -> Context:
    """The context of the rule's alert with these labels."""
    key = AlertKey(rule, Labels(labels))
    mine, then = (by_alert([RULES[rule]], each or ()).get(key, ()) for each in (sums, week_before))
    return describe(mine, None if week_before is None else then)


def test_only_what_counts_for_the_alert_is_in_it() -> None:
    sums = [
        logged(3),
        logged(4, "v1:b", "bang"),
        logged(50, level="INFO"),
        logged(60, service="cart"),
        logged(70, topic="web"),
    ]
    assert of("DbErrors", sums, [logged(2), logged(9, service="cart")], service="db") == Context(
        7, 2, (Kind("v1:b", 4, "bang"), Kind("v1:a", 3, "boom"))
    )


def test_an_alert_of_one_kind_of_record_has_the_context_of_that_kind() -> None:
    assert of("Kind", [logged(3), logged(4, "v1:b")], None, fingerprint="v1:b").count == 4


def test_what_is_not_known_of_a_week_ago_is_not_nothing() -> None:
    assert of("DbErrors", [logged(3)], None, service="db").week_before is None
    assert of("DbErrors", [logged(3)], [], service="db").week_before == 0


def test_kinds_and_hosts_are_summed_the_most_frequent_first_and_cut() -> None:
    sums = [logged(number + 1, f"v1:{number}", host=f"h{number}") for number in range(8)]
    context = of("DbErrors", [*sums, logged(20, "v1:0", "again", host="h9")], [], service="db")
    assert [(kind.fingerprint, kind.count) for kind in context.kinds] == [("v1:0", 21), ("v1:7", 8), ("v1:6", 7)]
    assert context.hosts == (("h9", 20), ("h7", 8), ("h6", 7), ("h5", 6), ("h4", 5))
    assert (context.more_kinds, context.more_hosts) == (8 - MOST_KINDS, 9 - MOST_HOSTS)


def test_records_without_a_kind_count_and_are_no_kind() -> None:
    context = of("DbErrors", [logged(3, None)], [], service="db")
    assert (context.count, context.kinds) == (3, ())
