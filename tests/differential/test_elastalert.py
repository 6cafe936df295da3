"""The same random streams through elastalert2's own rule classes and through our simulator.

Ours counts in buckets aligned to the clock, looks at windows that end with one, and says firing once until it is over;
elastalert2 looks at exact instants and matches again and again. Each test states what follows from that. Where all
records of a bucket carry its start as their time, as counts do, both see the same windows and must say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultline.alerting.rules import load_rules
from faultline.alerting.scenario import Arrival
from faultline.alerting.simulation import Plan, simulate
from faultline.model import AlertState, ErrorCount, Labels
from tests.differential.peer import ElastAlert, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET, END = 10, 600
# The worker is shared: each run is a new rule to it.
checked = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# When, the labels, and how many records.
Record = tuple[int, Mapping[str, str], int]


@dataclass(frozen=True, slots=True)
class Firing:
    """When an alert fired, for which labels, and when it was over, if it was; in seconds."""

    labels: Mapping[str, str]
    since: int
    until: int = END + 1

    def covers(self, at: int) -> bool:
        return self.since <= at < self.until


def ours(records: Sequence[Record], *, every: int = BUCKET, end: int = END, **rule: object) -> list[Firing]:
    """What our simulator says, evaluated at each ``every`` seconds, when everything before the instant is known."""
    parts = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    rules = load_rules(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", **rule}]}], **parts}))
    plan = Plan(
        START,
        START + timedelta(seconds=end),
        timedelta(seconds=every),
        timedelta(seconds=BUCKET),
        [_arrival(*record) for record in sorted(records, key=itemgetter(0))],
    )
    open_, over = dict[str, Firing](), list[Firing]()
    for each in simulate(rules, plan).transitions:
        at = round((each.at - START).total_seconds())
        if each.target is AlertState.FIRING:
            open_[each.episode] = Firing(dict(each.alert.labels), at)
        elif each.target is AlertState.RESOLVED:
            begun = open_.pop(each.episode)
            over.append(Firing(begun.labels, begun.since, at))
    return sorted([*over, *open_.values()], key=lambda firing: firing.since)


def _arrival(at: int, labels: Mapping[str, str], number: int) -> Arrival:
    instant, bucket = START + timedelta(seconds=at), START + timedelta(seconds=at // BUCKET * BUCKET)
    return Arrival(instant, ErrorCount(bucket, Labels(labels), number, instant, instant))


def of(firings: Sequence[Firing], **labels: str) -> list[Firing]:
    return [firing for firing in firings if firing.labels == labels]


def first(firings: Sequence[Firing], **labels: str) -> int | None:
    return next((firing.since for firing in of(firings, **labels)), None)


def buckets_of(last: int = END) -> range:
    """The starts of all buckets."""
    return range(0, last, BUCKET)


KEYS = ("h1", "h2")
HOSTS = st.sampled_from(KEYS)


@st.composite
def counts(draw: st.DrawFn) -> list[Record]:
    """Counts per bucket and host, at the buckets' starts."""
    found = draw(
        st.dictionaries(st.tuples(st.sampled_from(buckets_of()), HOSTS), st.integers(1, 4), min_size=5, max_size=40)
    )
    return [(at, {"host": host}, number) for (at, host), number in sorted(found.items())]


@st.composite
def events(draw: st.DrawFn) -> list[Record]:
    """Single records at any second, each with a user; close together, so that many windows are just full."""
    drawn = draw(
        st.lists(st.tuples(st.integers(0, END // 3), HOSTS, st.sampled_from("abcde")), min_size=15, max_size=60)
    )
    return [(at, {"host": host, "user": user}, 1) for at, host, user in sorted(drawn)]


def terms(records: Sequence[Record]) -> list[Step]:
    """The counts as elastalert2's terms queries would bring them, a bucket at a time."""
    return [
        ("terms", at, [(labels["host"], number) for _, labels, number in group])
        for at, group in groupby(records, key=itemgetter(0))
    ]


def single(records: Sequence[Record]) -> list[Step]:
    """Each record as a hit of elastalert2's search."""
    return [("events", at, [labels]) for at, labels, _ in records]


WIDTHS = st.sampled_from([20, 30, 60, 120])


@given(counts(), st.integers(1, 9), WIDTHS)
@checked
def test_frequency_of_counts_fires_at_the_same_instants(
    elastalert: ElastAlert, records: list[Record], number: int, width: int
) -> None:
    """After every pause that empties both windows both fire at the same instant again. In between elastalert2 starts
    to count from nothing at each match, so it matches again and again; all of that is inside our one firing.
    """
    firings = ours(records, type="frequency", num_events=number, timeframe=f"{width}s", query_key=["host"])
    matched = elastalert.run(
        "FrequencyRule", {"num_events": number, "timeframe": width, "query_key": "host"}, terms(records)
    )
    for host in KEYS:
        mine, theirs = of(firings, host=host), matched.of(host)
        assert all(any(firing.covers(at) for firing in mine) for at in theirs)
        for begin, end in _bursts([at for at, labels, _ in records if labels["host"] == host], width + 2 * BUCKET):
            since = next((firing.since for firing in mine if begin <= firing.since <= end), None)
            assert since == next((at for at in theirs if begin <= at <= end), None)


def _bursts(instants: Sequence[int], pause: int) -> list[tuple[int, int]]:
    """The first and last instants of what lies at least ``pause`` apart."""
    found: list[tuple[int, int]] = []
    for at in instants:
        if found and at - found[-1][1] < pause:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


@given(events(), st.integers(1, 6), WIDTHS)
@checked
def test_frequency_of_events_is_as_exact_as_a_bucket(
    elastalert: ElastAlert, records: list[Record], number: int, width: int
) -> None:
    """We fire no earlier than elastalert2, and no later than with a timeframe that is one bucket shorter."""
    firings = ours(records, every=1, type="frequency", num_events=number, timeframe=f"{width}s", query_key=["host"])
    options = {"num_events": number, "query_key": "host"}
    whole = elastalert.run("FrequencyRule", {**options, "timeframe": width}, single(records))
    shorter = elastalert.run("FrequencyRule", {**options, "timeframe": width - BUCKET}, single(records))
    for host in KEYS:
        assert _in_order(whole.first(host), first(firings, host=host), shorter.first(host))


def _in_order(*instants: int | None) -> bool:
    """Whether none is before the one it follows; None is never."""
    ordered = [END + 1 if at is None else at for at in instants]
    return ordered == sorted(ordered)


@given(events(), st.integers(1, 4), WIDTHS)
@checked
def test_cardinality_of_events_is_as_exact_as_a_bucket(
    elastalert: ElastAlert, records: list[Record], most: int, width: int
) -> None:
    """As frequency. Every match of the shorter timeframe is inside one of our firings."""
    rule = {"type": "cardinality", "cardinality_field": "user", "max_cardinality": most, "query_key": ["host"]}
    firings = ours(records, every=1, timeframe=f"{width}s", **rule)
    options = {"cardinality_field": "user", "max_cardinality": most, "query_key": "host"}
    whole = elastalert.run("CardinalityRule", {**options, "timeframe": width}, single(records))
    shorter = elastalert.run("CardinalityRule", {**options, "timeframe": width - BUCKET}, single(records))
    for host in KEYS:
        mine = of(firings, host=host)
        assert _in_order(whole.first(host), first(firings, host=host), shorter.first(host))
        assert {firing.since for firing in mine} <= set(whole.of(host))
        assert all(any(firing.covers(at) for firing in mine) for at in shorter.of(host))


@given(events(), st.integers(1, 4), WIDTHS)
@checked
def test_cardinality_at_the_starts_of_buckets_fires_at_the_same_instants(
    elastalert: ElastAlert, records: list[Record], most: int, width: int
) -> None:
    """elastalert2 still counts a value that was seen exactly a timeframe ago, we do not: with a timeframe that is a
    second shorter it begins to match when we fire.
    """
    records = [(at // BUCKET * BUCKET, labels, number) for at, labels, number in records]
    rule = {"type": "cardinality", "cardinality_field": "user", "max_cardinality": most, "query_key": ["host"]}
    firings = ours(records, timeframe=f"{width}s", **rule)
    matched = elastalert.run(
        "CardinalityRule",
        {"cardinality_field": "user", "max_cardinality": most, "query_key": "host", "timeframe": width - 1},
        single(records),
    )
    for host in KEYS:
        mine = of(firings, host=host)
        assert first(firings, host=host) == matched.first(host)
        assert {firing.since for firing in mine} <= set(matched.of(host))
        assert all(any(firing.covers(at) for firing in mine) for at in matched.of(host))


@given(counts(), st.integers(1, 6), WIDTHS, st.booleans())
@checked
def test_flatline_is_over_its_threshold_at_the_same_bucket_ends(
    elastalert: ElastAlert, records: list[Record], threshold: int, width: int, keyed: bool
) -> None:
    """Both judge each timeframe that ends with a bucket, from the second timeframe of a key on: the same ones are too
    quiet. elastalert2 says so again each time. It also judges at each record, before its timeframe is over: these
    matches, which lie inside buckets, we leave out.
    """
    records = [(at + BUCKET // 2, labels, number) for at, labels, number in records]
    key = {"query_key": ["host"]} if keyed else {}
    firings = ours(records, type="flatline", threshold=threshold, timeframe=f"{width}s", **key)
    options = {"threshold": threshold, "timeframe": width, **({"query_key": "host"} if keyed else {})}
    fed = terms(records) if keyed else [("count", at, number) for at, number in _summed(records)]
    steps = sorted([*fed, *(("collect", at, None) for at in range(0, END + 1, BUCKET))], key=itemgetter(1))
    matched = elastalert.run("FlatlineRule", options, steps)
    for host in KEYS if keyed else ("all",):
        mine = of(firings, **({"host": host} if keyed else {}))
        ends = [at for at in range(0, END + 1, BUCKET) if any(firing.covers(at) for firing in mine)]
        assert ends == [at for at in matched.of(host) if at % BUCKET == 0]


def _summed(records: Sequence[Record]) -> list[tuple[int, int]]:
    """How many records there are at each instant, of whichever host."""
    return [(at, sum(number for *_, number in group)) for at, group in groupby(records, key=itemgetter(0))]


@st.composite
def loads(draw: st.DrawFn) -> list[Record]:
    """A count in every bucket: a spike is one compared with something."""
    return [(at, {}, draw(st.sampled_from([1, 1, 2, 3, 5, 20]))) for at in buckets_of()]


def by_bucket(records: Sequence[Record]) -> list[Step]:
    """The counts as elastalert2's count queries would bring them."""
    return [("count", at, number) for at, _, number in records]


SPIKES = st.sampled_from([20, 30, 60])
HEIGHTS = st.sampled_from([1.5, 2, 3])


@given(loads(), SPIKES, HEIGHTS, st.sampled_from([0, 4, 10]), st.sampled_from([0, 3, 10]))
@example(
    [*((at, {}, 1) for at in range(0, 560, 10)), (560, {}, 5), (570, {}, 5), (580, {}, 1), (590, {}, 20)],
    30,
    1.5,
    0,
    10,
)
@checked
def test_a_spike_up_fires_at_the_same_instant(
    elastalert: ElastAlert, records: list[Record], width: int, height: float, least: int, before: int
) -> None:
    """After a match elastalert2 looks away for two timeframes; what it matches later is inside one of our firings.

    It looks when there is a count: we stop with the last one.
    """
    options = {"spike_height": height, "spike_type": "up", "threshold_cur": least, "threshold_ref": before}
    firings = ours(records, end=records[-1][0], type="spike", timeframe=f"{width}s", **options)
    matched = elastalert.run("SpikeRule", {**options, "timeframe": width}, by_bucket(records))
    assert first(firings) == matched.first()
    assert all(any(firing.covers(at) for firing in firings) for at in matched.of())


@given(loads(), SPIKES, HEIGHTS)
@checked
def test_a_spike_down_fires_one_bucket_later(
    elastalert: ElastAlert, records: list[Record], width: int, height: float
) -> None:
    """elastalert2 judges while the last bucket still fills, so it may match for what is only late; we wait for it."""
    options = {"spike_height": height, "spike_type": "down"}
    firings = ours(records, type="spike", timeframe=f"{width}s", **options)
    matched = [
        at + BUCKET for at in elastalert.run("SpikeRule", {**options, "timeframe": width}, by_bucket(records)).of()
    ]
    assert first(firings) == next(iter(matched), None)
    assert all(any(firing.covers(at) for firing in firings) for at in matched)


BOUNDS = st.sampled_from(
    [{"max_percentage": 40}, {"min_percentage": 50}, {"max_percentage": 80, "min_percentage": 20, "min_denominator": 4}]
)


@given(counts(), counts(), WIDTHS, BOUNDS)
@checked
def test_a_percentage_is_out_of_bounds_at_the_same_bucket_ends(
    elastalert: ElastAlert, hits: list[Record], others: list[Record], width: int, bounds: dict[str, int]
) -> None:
    """Given for each timeframe what its query would find, elastalert2 matches each time that we fire."""
    records = [
        (at, {**labels, "level": level}, number)
        for level, found in (("ERROR", hits), ("INFO", others))
        for at, labels, number in found
    ]
    rule = {"type": "percentage_match", "match_bucket_filter": ['level="ERROR"'], "query_key": ["host"], **bounds}
    firings = ours(records, timeframe=f"{width}s", **rule)
    steps = [
        ("share", end, [(host, _within(hits, host, end - width, end), _within(others, host, end - width, end))])
        for end in range(0, END + 1, BUCKET)
        for host in KEYS
    ]
    options = {"match_bucket_filter": [], "query_key": "host", **bounds}
    matched = elastalert.run("PercentageMatchRule", options, steps)
    for host in KEYS:
        mine = of(firings, host=host)
        ends = [at for at in range(0, END + 1, BUCKET) if any(firing.covers(at) for firing in mine)]
        assert ends == matched.of(host)


def _within(records: Sequence[Record], host: str, start: int, end: int) -> int:
    return sum(number for at, labels, number in records if labels["host"] == host and start <= at < end)


@given(events())
@checked
def test_a_new_term_fires_at_the_same_instant(elastalert: ElastAlert, records: list[Record]) -> None:
    """elastalert2 never forgets a term while it runs; within our ``terms_window_size`` we do not either."""
    rule = {"type": "new_term", "fields": ["host", "user"], "terms_window_size": "1h", "timeframe": "1m"}
    firings = ours(records, every=1, **rule)
    matched = elastalert.run("NewTermsRule", {"fields": [["host", "user"]]}, single(records))
    assert {f"{f.labels['host']}/{f.labels['user']}": f.since for f in firings} == {
        key: at for at, key in matched.matches
    }
