"""What holds for every outage, whatever its shape: found by hypothesis, over chains, a diamond and two environments."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.alerting.alerts import Alert, SuppressionOutcome
from faultline.alerting.causes import KnownCauses, explain
from faultline.model import AlertKey, AlertState, AlertSummary, ErrorCount, Labels, NotificationKind
from tests.alerting.stage import BUCKET, Stage, chain, write_rules

CHAINS = [chain("A", "B", "D"), chain("A", "C", "D", hold="0s", recovery_grace="0s"), chain("D", "E", within="20s")]
NAMES = ("A", "B", "C", "D", "E")
QUIET, END = 120, 420
PAGES = (NotificationKind.FIRING, NotificationKind.PERSISTS)


@st.composite
def failures(draw: st.DrawFn) -> list[tuple[str, int, int, str]]:
    """Services that fail from one second to another, in one environment or the other."""
    service, environment = st.sampled_from([name.lower() for name in NAMES]), st.sampled_from(["prod", "test"])
    spans = st.tuples(service, st.integers(0, QUIET - 10), st.integers(1, 60), environment)
    return draw(st.lists(spans, max_size=8))


def outage(spans: list[tuple[str, int, int, str]], group_wait: int, lateness: int, every: int) -> Stage:
    """Let it happen, counted in batches of five seconds, and run until everything is over."""
    rules = write_rules(*NAMES, chains=CHAINS, route={"group_wait": f"{group_wait}s", "group_interval": "20s"})
    stage = Stage(rules, lateness=lateness)
    for service, start, length, environment in spans:
        for at in range(start, min(start + length, QUIET), 2):
            stage.fail(service, [at], arrives=at // 5 * 5 + 5, environment=environment)
    stage.events.sort(key=itemgetter(0))
    return stage.run(END, every=every)


outages = st.builds(
    outage,
    failures(),
    group_wait=st.sampled_from([0, 15]),
    lateness=st.sampled_from([5, 25]),
    every=st.sampled_from([5, 7]),
)


@given(outages)
@settings(max_examples=100, deadline=None)
def test_nothing_is_suppressed_without_a_root_that_pages_or_waits_to_page(stage: Stage) -> None:
    for alerts in stage.remembered:
        states = {alert.episode: alert.state for alert in alerts}
        for alert in alerts:
            if alert.state is AlertState.SUPPRESSED:
                assert states[alert.causes[0].episode] in (AlertState.FIRING, AlertState.HELD)


@given(outages)
@settings(max_examples=100, deadline=None)
def test_whatever_pages_is_a_root(stage: Stage) -> None:
    for (_, evaluation), alerts in zip(stage.history, stage.remembered, strict=True):
        by_rule: dict[str, dict[AlertKey, Alert]] = {}
        for alert in alerts:
            by_rule.setdefault(alert.key.rule, {})[alert.key] = alert
        known = KnownCauses(by_rule, {alert.episode: alert for alert in alerts})
        paged = {sent.episode for sent in evaluation.notifications if sent.kind in PAGES}
        for alert in alerts:
            if alert.episode in paged:
                assert not explain(replace(alert, told=()), stage.rules.graph, known, BUCKET).active


@given(outages)
@settings(max_examples=100, deadline=None)
def test_every_page_has_one_resolve_to_the_same_receiver_and_no_key_comes_twice(stage: Stage) -> None:
    keys = [sent.key for sent in stage.notifications]
    assert len(keys) == len(set(keys))
    pages = Counter((sent.episode, sent.receiver) for sent in stage.notifications if sent.kind in PAGES)
    resolves = Counter(
        (sent.episode, sent.receiver) for sent in stage.notifications if sent.kind is NotificationKind.RESOLVED
    )
    assert pages == resolves
    flapping = {alert.episode for alerts in stage.remembered for alert in alerts if alert.flapping}
    assert {episode for (episode, _), number in pages.items() if number > 1} <= flapping


@given(outages)
@settings(max_examples=100, deadline=None)
def test_every_episode_is_paged_or_in_the_ledger_and_named_in_the_message_of_another(stage: Stage) -> None:
    """One that begins and ends in the grace after its cause has ended is in the ledger alone: nobody waits for word."""
    steps = [step for _, evaluation in stage.history for step in evaluation.transitions]
    begun, suppressed = (
        {step.episode for step in steps},
        {each.episode for each in steps if each.target == "suppressed"},
    )
    paged = {sent.episode for sent in stage.notifications if sent.kind in PAGES}
    rows = {row.episode: row for _, evaluation in stage.history for row in evaluation.suppressions}
    named = {episode_of(effect) for sent in stage.notifications for effect in sent.suppressed}
    assert (begun - paged) & suppressed <= named
    assert all(rows[episode].outcome is SuppressionOutcome.CLEARED_WITH_ROOT for episode in begun - paged)


def episode_of(summary: AlertSummary) -> str:
    return Alert(summary.alert, summary.state, Labels(), summary.starts_at).episode


@given(outages)
@settings(max_examples=100, deadline=None)
def test_in_the_end_nothing_is_left(stage: Stage) -> None:
    assert stage.alerts == ()


@given(outages, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_however_counts_are_split_and_ordered_the_log_is_the_same(stage: Stage, random: Random) -> None:
    other = Stage(stage.rules, lateness=stage.lateness)
    for arrives, rows in groupby(stage.events, key=itemgetter(0)):
        other.events += [(arrives, row) for row in merged([row for _, row in rows])]
    random.shuffle(other.events)
    for at, _ in stage.history:
        other.evaluate_at(at)
    assert other.moves == stage.moves
    assert [sent.key for sent in other.notifications] == [sent.key for sent in stage.notifications]
    assert [sent.alert.count for sent in other.notifications] == [sent.alert.count for sent in stage.notifications]


def merged(rows: list[ErrorCount]) -> list[ErrorCount]:
    """Rows with the same bucket and labels as one, as a single batch would have counted them."""
    found: dict[tuple[datetime, Labels], ErrorCount] = {}
    for row in rows:
        known = found.get((row.bucket_start, row.labels))
        found[row.bucket_start, row.labels] = replace(row, count=row.count + (known.count if known else 0))
    return list(found.values())
