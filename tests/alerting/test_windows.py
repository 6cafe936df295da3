from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.alerting.rulekinds import FrequencyRule
from faultline.alerting.tallies import Tallies, Tally
from faultline.alerting.windows import horizon, survey
from faultline.model import AlertKey, ErrorCount, Labels
from tests.alerting.stage import BUCKET, Stage, count, second, write_rules


def rule(**fields: object) -> FrequencyRule:
    return FrequencyRule.model_validate({"alert": "A", "num_events": 3, "timeframe": "30s", **fields})


def tally(rows: Iterable[ErrorCount]) -> Tally:
    tallies = Tallies([rule()])
    tallies.add(rows)
    return tallies.of["A"].get(AlertKey("A", Labels()), Tally())


@pytest.mark.parametrize(
    ("watermark", "since", "closed", "first"),
    [
        pytest.param(None, None, None, 40, id="nothing-is-final"),
        pytest.param(25, None, 20, 20, id="first-evaluation-starts-at-the-closed-edge"),
        pytest.param(25, 24, 20, 20, id="watermark-in-the-same-bucket"),
        pytest.param(25, 1, 20, 10, id="windows-that-closed-meanwhile"),
        pytest.param(99, 25, 30, 30, id="watermark-ahead-of-the-clock"),
    ],
)
def test_a_horizon_has_every_window_not_final_before(
    watermark: float | None, since: float | None, closed: float | None, first: float
) -> None:
    instants = [None if value is None else second(value) for value in (watermark, since, closed)]
    result = horizon(second(31), instants[0], instants[1], BUCKET)
    assert (result.closed, result.first, result.last) == (instants[2], second(first), second(40))


@pytest.mark.parametrize(
    ("events", "first_over", "over"),
    [
        pytest.param([21, 25, 29], 30, True, id="in-one-bucket"),
        pytest.param([5, 15, 25], 30, True, id="across-buckets"),
        pytest.param([5, 15], None, False, id="too-few"),
        pytest.param([5, 15, 35], None, False, id="too-far-apart"),
        pytest.param([15, 25, 35], 40, True, id="the-open-bucket-may-raise"),
    ],
)
def test_the_threshold_is_crossed_by_enough_records_in_the_timeframe(
    events: list[float], first_over: float | None, over: bool
) -> None:
    series = tally(count(at) for at in events)
    activity = survey(series, rule(), horizon(second(35), second(30), None, BUCKET))
    assert activity.first_over == (None if first_over is None else second(first_over))
    assert activity.over is over


@given(
    start=st.floats(0, 1000),
    gaps=st.lists(st.floats(0, 1), min_size=2, max_size=8),
    span=st.floats(0, 20),
)
def test_any_burst_inside_the_timeframe_less_one_bucket_is_caught(start: float, gaps: list[float], span: float) -> None:
    places = [sum(gaps[: number + 1]) / (sum(gaps) or 1) for number in range(len(gaps))]
    events = [start, *(start + place * span for place in places)]
    series = tally(count(at) for at in events)
    frequency = rule(num_events=len(events))
    assert survey(series, frequency, horizon(second(events[-1]), second(0), None, BUCKET)).over


def test_a_burst_that_was_counted_while_nobody_evaluated_is_caught() -> None:
    stage = Stage(write_rules("A"))
    stage.evaluate_at(0)
    stage.fail("a", [100, 101, 102]).evaluate_at(600)
    stage.evaluate_at(601)
    assert stage.sent == ["600 firing A", "601 resolved A"]


def test_an_episode_resolves_only_on_closed_buckets() -> None:
    stage = Stage(write_rules("A"), lateness=30).fail("a", [1, 2, 3]).run(100)
    assert stage.sent == ["3 firing A", "70 resolved A"]


def test_a_late_record_inside_the_lateness_raises_the_alert_of_its_own_time() -> None:
    stage = Stage(write_rules("A"), lateness=30).fail("a", [1, 2]).fail("a", [3], arrives=33).run(40)
    assert stage.sent == ["33 firing A"]
    assert stage.alert("A").starts_at == second(0)


def test_firing_is_a_state_and_more_records_do_not_page_again() -> None:
    stage = Stage(write_rules("A")).fail("a", range(60)).run(59)
    assert stage.sent == ["2 firing A"]
    assert stage.alert("A").count == 60


def test_the_count_has_the_window_that_crossed_and_counts_each_record_once() -> None:
    stage = Stage(write_rules("A"), lateness=15).fail("a", [1, 12, 23, 24, 60]).run(50)
    assert stage.alert("A").count == 4


def test_keep_firing_for_bridges_a_gap() -> None:
    stage = Stage(write_rules("A", keep_firing_for="1m")).fail("a", [1, 2, 3, 61, 62, 63]).run(200)
    assert stage.sent == ["3 firing A", "160 resolved A"]


def test_a_short_excess_does_not_outlast_for() -> None:
    stage = Stage(write_rules("A", **{"for": "1m"})).fail("a", [1, 2, 3]).run(100)
    assert stage.moves == ["3 A inactive → pending", "40 A pending → inactive"]


def test_an_excess_fires_when_it_has_lasted_for() -> None:
    stage = Stage(write_rules("A", **{"for": "1m"})).fail("a", range(100)).run(100)
    assert stage.moves == ["2 A inactive → pending", "70 A pending → firing"]


def test_a_second_episode_has_its_own_page_and_resolve() -> None:
    stage = Stage(write_rules("A")).fail("a", [1, 2, 3, 101, 102, 103]).run(200)
    assert stage.sent == ["3 firing A", "40 resolved A", "103 firing A", "140 resolved A"]
    assert len({sent.key for sent in stage.notifications}) == 4


def test_an_absent_label_is_absent_from_the_identity() -> None:
    frequency = rule(query_key=["service", "host"], topics=["app"])
    rows = [count(1, service="s", host="h", topic="app"), count(2, service="s", topic="app"), count(3, service="s")]
    tallies = Tallies([frequency])
    tallies.add(rows)
    assert [key.labels for key in tallies.of["A"]] == [Labels(service="s", host="h"), Labels(service="s")]


def test_a_timeframe_is_rounded_up_to_whole_buckets() -> None:
    series = tally([count(0, 3)])
    assert survey(series, rule(timeframe="25s"), horizon(second(29), second(29), None, timedelta(seconds=10))).over


def test_an_episode_that_was_left_alone_meanwhile_resolves_with_the_bucket_that_shows_it() -> None:
    stage = Stage(write_rules("A", **{"for": "20s"}), lateness=15).fail("a", [0, 0, 0]).run(80, every=5)
    assert stage.sent == ["30 firing A", "55 resolved A"]
