"""Counts as a stream: bucket by bucket, with what came before the first evaluation."""

from __future__ import annotations

import json
from datetime import timedelta

from faultline.alerting.alertlog import AlertLog
from faultline.alerting.backtest import Backtest, Stretch, buckets
from faultline.alerting.rules import Rules, load_rules
from faultline.model import ErrorCount, Interval
from tests.alerting.stage import BUCKET, chain, count, second, write_rules

LATENESS = timedelta(seconds=20)


def stretch(start: float, end: float, *counts: ErrorCount) -> Stretch:
    return Stretch(Interval(second(start), second(end)), counts)


def backtest(rules: Rules) -> Backtest:
    return Backtest(rules, bucket=BUCKET, allowed_lateness=LATENESS)


def run(rules: Rules, counts: list[ErrorCount], *, begin: float, start: float, end: float) -> AlertLog:
    """Evaluate from ``begin``; the log's period begins at ``start``. What is earlier than ``begin`` is learnt."""
    side, log = backtest(rules), AlertLog(rules, Interval(second(start), second(end)))
    side.learn(second(begin), [each for each in counts if each.bucket_start < second(begin)])
    later = [each for each in counts if each.bucket_start >= second(begin)]
    for at, some in buckets([stretch(begin, end, *later)], BUCKET):
        log.add(side.evaluate(at, some))
    return log


def test_every_bucket_comes_once_at_its_end_also_an_empty_one() -> None:
    ends = buckets([stretch(0, 30, count(25, 7), count(3, 1)), stretch(30, 40)], BUCKET)
    assert [(at, [each.count for each in some]) for at, some in ends] == [
        (second(10), [1]),
        (second(20), []),
        (second(30), [7]),
        (second(40), []),
    ]


def test_a_bucket_that_two_hours_share_waits_for_both() -> None:
    ends = list(buckets([stretch(0, 25, count(22, 1)), stretch(25, 38, count(28, 2), count(35, 4))], BUCKET))
    assert [(at, sum(each.count for each in some)) for at, some in ends] == [
        (second(10), 0),
        (second(20), 0),
        (second(30), 3),
        (second(40), 4),
    ]


def test_what_goes_on_when_the_period_begins_is_no_page_of_it() -> None:
    failing = [count(at, service="a", environment="prod") for at in range(0, 400, 5)]
    log = run(write_rules("A"), failing, begin=100, start=200, end=500)
    [episode] = log.episodes.values()
    assert (episode.told, episode.pages) == (True, 0)


def test_what_ended_before_the_period_is_not_in_its_log() -> None:
    failing = [count(at, service="a", environment="prod") for at in (*range(0, 40, 5), *range(300, 340, 5))]
    log = run(write_rules("A"), failing, begin=0, start=200, end=500)
    assert [(each.starts_at, each.pages) for each in log.episodes.values()] == [(second(310), 1)]


def test_the_warm_up_is_long_enough_for_all_that_may_still_matter() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", within="10m")], keep_firing_for="5m", **{"for": "1m"})
    assert backtest(rules).warm_up == LATENESS + 2 * BUCKET + timedelta(minutes=16, seconds=30)


def new_hosts(window: str) -> Rules:
    rule = {"alert": "NewHost", "type": "new_term", "fields": ["host"], "terms_window_size": window}
    ends = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops"}]}
    return load_rules(json.dumps({"groups": [{"name": "g", "rules": [rule]}], **ends}))


def test_terms_that_were_seen_before_are_not_new() -> None:
    old, again, new = count(10, host="old"), count(3000, host="old"), count(3000, host="new")
    assert backtest(new_hosts("1h")).learning >= timedelta(hours=1)
    log = run(new_hosts("1h"), [old, again, new], begin=2000, start=2500, end=3100)
    assert [each.alert.labels["host"] for each in log.episodes.values()] == ["new"]


def test_a_term_that_was_learnt_is_forgotten_with_its_window() -> None:
    side = backtest(new_hosts("1m"))
    side.learn(second(100), [count(10, host="old")])
    side.learn(second(4000), [])
    evaluation = side.evaluate(second(4010), [])
    assert (evaluation.changed, evaluation.terms) == ((), ())
