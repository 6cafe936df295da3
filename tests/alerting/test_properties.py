"""What holds for rules of every kind and for every chain, whatever is logged: found by hypothesis, simulated."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from faultline.alerting.rules import Rules, load_rules
from faultline.alerting.scenario import Arrival
from faultline.alerting.simulation import AckRequest, Plan, Timeline, simulate
from faultline.model import AlertKey, AlertState, ErrorCount, Labels, NotificationKind

START = datetime(2026, 1, 5, tzinfo=UTC)
BUCKET = timedelta(seconds=10)
END = 300
END_OF_TIME = START + timedelta(days=1)
PAGES = (NotificationKind.FIRING, NotificationKind.PERSISTS)
SERVICES = ("a", "b", "c")


def rule(name: str, service: str, **options: object) -> dict[str, object]:
    matchers = [f'service="{service}"']
    return {"alert": name, "matchers": matchers, "query_key": ["host"], "timeframe": "30s", **options}


def file(*rules: object, interval: str | None = None, **parts: object) -> Rules:
    ends = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    group = {"name": "g", "evaluation_interval": interval, "rules": rules}
    return load_rules(json.dumps({"groups": [group], **ends, **parts}))


OF_EVERY_KIND = (
    rule("Frequency", "a", num_events=4, keep_firing_for="20s"),
    rule("Lasting", "a", num_events=2, **{"for": "20s"}),
    rule("Share", "b", type="percentage_match", match_bucket_filter=['level="ERROR"'], max_percentage=40),
    rule("Up", "a", type="spike", spike_height=2, spike_type="both"),
    rule("Silent", "b", type="flatline", threshold=2),
    rule("Quiet", "c", type="flatline", threshold=1, query_key=[]),
    rule("Values", "c", type="cardinality", cardinality_field="level", max_cardinality=1, min_cardinality=1),
    rule("New", "c", type="new_term", fields=["level"], terms_window_size="1m"),
    rule("Level", "a", num_events=2, query_key=["host", "level"]),
)
CAUSES = {
    "inhibit_rules": [
        {"source_matchers": ["alertname=Level", "level=ERROR"], "target_matchers": ["level=INFO"], "equal": ["host"]}
    ],
    "chains": [{"name": "x", "path": ["Frequency", "Share", "Values"], "equal": ["host"], "hold": "10s"}],
}
EVERY_KIND, SELDOM = file(*OF_EVERY_KIND, **CAUSES), file(*OF_EVERY_KIND, interval="20s", **CAUSES)
REPEATING = file(
    *(rule(name, service, num_events=2) for name, service in zip("ABC", SERVICES, strict=True)),
    chains=[{"name": "x", "path": ["A", "B", "C"], "equal": ["host"], "hold": "10s", "recovery_grace": "10s"}],
    route={"receiver": "ops", "repeat_interval": "15s", "group_interval": "10s"},
)
GROUPED = file(
    *(rule(name, service, num_events=2) for name, service in zip("ABC", SERVICES, strict=True)),
    rule("Share", "b", type="percentage_match", match_bucket_filter=['level="ERROR"'], max_percentage=40),
    chains=[{"name": "x", "path": ["A", "B"], "equal": ["host"], "hold": "10s", "recovery_grace": "10s"}],
    route={
        "receiver": "ops",
        "group_by": ["host"],
        "group_wait": "10s",
        "group_interval": "20s",
        "repeat_interval": "1m",
    },
)
Acks = tuple[tuple[int, str], ...]
# Most ask for what does not fire then, and are refused; a name alone may mean alerts of two hosts.
ACKS = st.lists(st.tuples(st.integers(0, END), st.sampled_from(["A", "B", 'A{host="h1"}', 'C{host="h2"}'])), max_size=6)
FIRST = [rule(name, service, num_events=2) for name, service in zip("ABC", SERVICES, strict=True)]
CHAIN = {"name": "x", "path": ["A", "B", "C"], "equal": ["host"], "hold": "20s", "recovery_grace": "20s"}


@st.composite
def logs(draw: st.DrawFn) -> list[Arrival]:
    """Records of three services on two hosts; some arrive late, and some so late that they are dropped."""
    second, late = st.integers(0, END - 60), st.sampled_from([0, 0, 0, 5, 15, 25, 35, 60])
    labels = st.tuples(st.sampled_from(SERVICES), st.sampled_from(["h1", "h2"]), st.sampled_from(["INFO", "ERROR"]))
    found = [
        Arrival(START + timedelta(seconds=at + delay), _count(at, number, *each))
        for at, delay, number, each in draw(st.lists(st.tuples(second, late, st.integers(1, 5), labels), max_size=40))
    ]
    return sorted(found, key=lambda arrival: arrival.at)


def _count(at: int, number: int, service: str, host: str, level: str) -> ErrorCount:
    instant, bucket = START + timedelta(seconds=at), START + timedelta(seconds=at // 10 * 10)
    return ErrorCount(bucket, Labels(service=service, host=host, level=level), number, instant, instant)


def plan(arrivals: list[Arrival], restarts: tuple[int, ...] = (), acks: Acks = ()) -> Plan:
    """Evaluations every five seconds, with a watermark 15 s behind, and 15 s more for late records."""
    requests = [AckRequest(START + timedelta(seconds=second), alert) for second, alert in sorted(acks)]
    restarted = [START + timedelta(seconds=second) for second in sorted(restarts)]
    step, late = timedelta(seconds=5), timedelta(seconds=15)
    return Plan(
        START, START + timedelta(seconds=END), step, BUCKET, arrivals, late, restarted, acks=requests, lateness=late
    )


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


@given(logs(), st.lists(st.integers(0, END), max_size=4).map(tuple))
@settings(max_examples=25, deadline=None)
def test_nor_does_it_where_rules_are_evaluated_seldom_but_for_what_is_marked_as_late(
    arrivals: list[Arrival], restarts: tuple[int, ...]
) -> None:
    """What came late between two evaluations of a group is not known as that by the next process."""
    in_time = [each for each in arrivals if each.at == each.count.first_ts]
    through, again = simulate(SELDOM, plan(in_time)), simulate(SELDOM, plan(in_time, restarts))
    assert again.transitions == through.transitions
    assert keys(again) == keys(through)
    assert {step.at.second % 20 for step in through.transitions} <= {0}


@given(logs(), st.randoms(use_true_random=False), st.sampled_from([EVERY_KIND, SELDOM]))
@settings(max_examples=40, deadline=None)
def test_however_counts_are_split_and_ordered_the_log_is_the_same(
    arrivals: list[Arrival], random: Random, rules: Rules
) -> None:
    single = [replace(each, count=replace(each.count, count=1)) for each in arrivals for _ in range(each.count.count)]
    random.shuffle(single)
    single.sort(key=lambda arrival: arrival.at)
    whole, split = simulate(rules, plan(arrivals)), simulate(rules, plan(single))
    assert split.transitions == whole.transitions
    assert keys(split) == keys(whole)


@given(logs())
@settings(max_examples=25, deadline=None)
def test_what_is_muted_by_another_alert_of_its_rule_has_one_that_is_sent(arrivals: list[Arrival]) -> None:
    for snapshot in simulate(EVERY_KIND, plan(arrivals)).snapshots:
        states = {alert.episode: alert.state for alert in snapshot.alerts}
        for alert in snapshot.alerts:
            if alert.key.rule == "Level" and alert.state is AlertState.SUPPRESSED:
                assert alert.labels["level"] == "INFO"
                assert states[alert.causes[0].episode] is AlertState.FIRING


@given(logs())
@settings(max_examples=25, deadline=None)
def test_every_page_of_every_kind_has_one_resolve_once_it_is_over(arrivals: list[Arrival]) -> None:
    timeline = simulate(EVERY_KIND, plan(arrivals))
    going_on = {alert.episode for alert in timeline.snapshots[-1].alerts if alert.live}
    sent = [each.notification for each in timeline.deliveries if each.notification.episode not in going_on]
    pages = Counter(each.episode for each in sent if each.kind in (NotificationKind.FIRING, NotificationKind.PERSISTS))
    assert pages == Counter(each.episode for each in sent if each.kind is NotificationKind.RESOLVED)


@given(logs(), ACKS.map(tuple), st.lists(st.integers(0, END), max_size=4).map(tuple), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_a_group_is_paged_and_resolved_once_and_tells_of_the_end_of_each_in_it_restarted_or_not(
    arrivals: list[Arrival], acks: Acks, restarts: tuple[int, ...], random: Random
) -> None:
    timeline = simulate(GROUPED, plan(arrivals, (), acks))
    random.shuffle(arrivals)
    again = simulate(GROUPED, plan(sorted(arrivals, key=attrgetter("at")), restarts, acks))
    assert (again.transitions, keys(again)) == (timeline.transitions, keys(timeline))
    assert len(set(keys(timeline))) == len(keys(timeline))
    going_on = {known.group for alert in timeline.snapshots[-1].alerts for known in alert.told if not known.over}
    sent = [each.notification for each in timeline.deliveries if each.notification.episode not in going_on]
    begun = Counter(each.episode for each in sent if each.kind in PAGES and each.sequence == 1)
    assert begun == Counter(each.episode for each in sent if each.kind is NotificationKind.RESOLVED)
    last: dict[str, AlertState] = {}
    for told in (summary for each in sent for summary in each.alerts):
        last[told.episode] = told.state
    assert set(last.values()) <= {AlertState.RESOLVED}


@given(logs(), ACKS.map(tuple), st.lists(st.integers(0, END), max_size=4).map(tuple))
@example([seen(at, "a") for at in range(0, 120, 2)], ((20, "A"), (40, "A")), (21, 41))
@settings(max_examples=50, deadline=None)
def test_what_somebody_has_taken_on_is_repeated_no_more_and_its_end_is_told(
    arrivals: list[Arrival], acks: Acks, restarts: tuple[int, ...]
) -> None:
    acked = simulate(REPEATING, plan(arrivals, restarts, acks))
    assert keys(acked) == keys(simulate(REPEATING, plan(arrivals, (), acks)))
    taken = {step.episode: step.at for step in acked.transitions if step.target is AlertState.ACKED}
    again = {(step.episode, step.at) for step in acked.transitions if step.reason.startswith("flapping")}
    for each in acked.deliveries:
        sent = each.notification
        if (
            sent.kind is NotificationKind.FIRING
            and sent.sequence > 1
            and each.at >= taken.get(sent.episode, END_OF_TIME)
        ):
            assert any(episode == sent.episode and taken[episode] <= at <= each.at for episode, at in again)
    going_on = {alert.episode for alert in acked.snapshots[-1].alerts if alert.live}
    over = {each.notification.episode for each in acked.deliveries if each.notification.kind == "resolved"}
    assert taken.keys() - going_on <= over


@given(logs(), ACKS.map(tuple))
@example([seen(at, "a") for at in range(0, 120, 2)], ((20, "A"),))
@settings(max_examples=25, deadline=None)
def test_an_acknowledgement_changes_no_episode_and_nothing_that_others_are_told(
    arrivals: list[Arrival], acks: Acks
) -> None:
    acked, nobody = simulate(REPEATING, plan(arrivals, (), acks)), simulate(REPEATING, plan(arrivals))
    taken = {step.episode for step in acked.transitions if step.target is AlertState.ACKED}
    assert _ends(acked) == _ends(nobody)
    assert [key for key in keys(acked) if not key.startswith(tuple(taken))] == [
        key for key in keys(nobody) if not key.startswith(tuple(taken))
    ]


def _ends(timeline: Timeline) -> list[tuple[str, datetime, AlertState]]:
    steps = [(step.episode, step.at, step.target) for step in timeline.transitions]
    return [step for step in steps if step[2] in (AlertState.SUPPRESSED, AlertState.RESOLVED, AlertState.RECOVERING)]


@given(logs())
@settings(max_examples=25, deadline=None)
def test_a_chain_never_adds_a_page_that_is_not_of_an_effect_that_persists(arrivals: list[Arrival]) -> None:
    with_chain, without = _pages(file(*FIRST, chains=[CHAIN]), arrivals), _pages(file(*FIRST), arrivals)
    assert with_chain <= without


def _pages(rules: Rules, arrivals: list[Arrival]) -> Counter[AlertKey]:
    sent = [each.notification for each in simulate(rules, plan(arrivals)).deliveries]
    return Counter(each.alert.alert for each in sent if each.kind is NotificationKind.FIRING)
