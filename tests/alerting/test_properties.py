"""What holds for rules of every kind and for every chain, whatever is logged: found by hypothesis, simulated."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from faultline.alerting.rules import Rules, load_rules
from faultline.alerting.scenario import Arrival
from faultline.alerting.simulation import Plan, Timeline, simulate
from faultline.model import AlertKey, ErrorCount, Labels, NotificationKind

START = datetime(2026, 1, 5, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
END = 300
SERVICES = ("a", "b", "c")


def rule(name: str, service: str, **options: object) -> dict[str, object]:
    matchers = [f'service="{service}"']
    return {"alert": name, "matchers": matchers, "query_key": ["host"], "timeframe": "30s", **options}


def file(*rules: object, **parts: object) -> Rules:
    ends = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    return load_rules(json.dumps({"groups": [{"name": "g", "rules": rules}], **ends, **parts}))


EVERY_KIND = file(
    rule("Frequency", "a", num_events=4, keep_firing_for="20s"),
    rule("Lasting", "a", num_events=2, **{"for": "20s"}),
    rule("Share", "b", type="percentage_match", match_bucket_filter=['level="ERROR"'], max_percentage=40),
    rule("Up", "a", type="spike", spike_height=2, spike_type="both"),
    rule("Silent", "b", type="flatline", threshold=2),
    rule("Quiet", "c", type="flatline", threshold=1, query_key=[]),
    rule("Values", "c", type="cardinality", cardinality_field="level", max_cardinality=1, min_cardinality=1),
    rule("New", "c", type="new_term", fields=["level"], terms_window_size="1m"),
    chains=[{"name": "x", "path": ["Frequency", "Share", "Values"], "equal": ["host"], "hold": "10s"}],
)
FIRST = [rule(name, service, num_events=2) for name, service in zip("ABC", SERVICES, strict=True)]
CHAIN = {"name": "x", "path": ["A", "B", "C"], "equal": ["host"], "hold": "20s", "recovery_grace": "20s"}


@st.composite
def logs(draw: st.DrawFn) -> list[Arrival]:
    """Records of three services on two hosts; some arrive up to 15 s after they happened."""
    second, late = st.integers(0, END - 60), st.sampled_from([0, 0, 0, 5, 15])
    labels = st.tuples(st.sampled_from(SERVICES), st.sampled_from(["h1", "h2"]), st.sampled_from(["INFO", "ERROR"]))
    found = [
        Arrival(START + timedelta(seconds=at + delay), _count(at, number, *each))
        for at, delay, number, each in draw(st.lists(st.tuples(second, late, st.integers(1, 5), labels), max_size=40))
    ]
    return sorted(found, key=lambda arrival: arrival.at)


def _count(at: int, number: int, service: str, host: str, level: str) -> ErrorCount:
    instant, bucket = START + timedelta(seconds=at), START + timedelta(seconds=at // 10 * 10)
    return ErrorCount(bucket, Labels(service=service, host=host, level=level), number, instant, instant)


def plan(arrivals: list[Arrival], restarts: tuple[int, ...] = ()) -> Plan:
    """Evaluations every five seconds, with a watermark 15 s behind."""
    restarted = [START + timedelta(seconds=second) for second in sorted(restarts)]
    step, late = timedelta(seconds=5), timedelta(seconds=15)
    return Plan(START, START + timedelta(seconds=END), step, BUCKET, arrivals, late, restarted)


def keys(timeline: Timeline) -> list[str]:
    return [each.notification.key for each in timeline.deliveries]


def seen(at: int, service: str) -> Arrival:
    return Arrival(START + timedelta(seconds=at), _count(at, 1, service, "h1", "INFO"))


@given(logs(), st.lists(st.integers(0, END), max_size=4).map(tuple))
@example([seen(0, "c"), seen(70, "c")], (71,))  # new once more, while its first record is still within reach
@settings(max_examples=25, deadline=None)
def test_a_restart_at_any_time_changes_nothing(arrivals: list[Arrival], restarts: tuple[int, ...]) -> None:
    through, again = simulate(EVERY_KIND, plan(arrivals)), simulate(EVERY_KIND, plan(arrivals, restarts))
    assert again.transitions == through.transitions
    assert keys(again) == keys(through)


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_however_counts_are_split_and_ordered_the_log_is_the_same(arrivals: list[Arrival], random: Random) -> None:
    single = [replace(each, count=replace(each.count, count=1)) for each in arrivals for _ in range(each.count.count)]
    random.shuffle(single)
    single.sort(key=lambda arrival: arrival.at)
    whole, split = simulate(EVERY_KIND, plan(arrivals)), simulate(EVERY_KIND, plan(single))
    assert split.transitions == whole.transitions
    assert keys(split) == keys(whole)


@given(logs())
@settings(max_examples=25, deadline=None)
def test_every_page_of_every_kind_has_one_resolve_once_it_is_over(arrivals: list[Arrival]) -> None:
    timeline = simulate(EVERY_KIND, plan(arrivals))
    going_on = {alert.episode for alert in timeline.snapshots[-1].alerts if alert.live}
    sent = [each.notification for each in timeline.deliveries if each.notification.episode not in going_on]
    pages = Counter(each.episode for each in sent if each.kind in (NotificationKind.FIRING, NotificationKind.PERSISTS))
    assert pages == Counter(each.episode for each in sent if each.kind is NotificationKind.RESOLVED)


@given(logs())
@settings(max_examples=25, deadline=None)
def test_a_chain_never_adds_a_page_that_is_not_of_an_effect_that_persists(arrivals: list[Arrival]) -> None:
    with_chain, without = _pages(file(*FIRST, chains=[CHAIN]), arrivals), _pages(file(*FIRST), arrivals)
    assert with_chain <= without


def _pages(rules: Rules, arrivals: list[Arrival]) -> Counter[AlertKey]:
    sent = [each.notification for each in simulate(rules, plan(arrivals)).deliveries]
    return Counter(each.alert.alert for each in sent if each.kind is NotificationKind.FIRING)
