"""Severity and darkness: what a root takes over from its effects, and what nobody is told."""

from __future__ import annotations

from faultline.alerting.alerts import MuteReason, SuppressionOutcome
from faultline.alerting.effects import dark_chains
from faultline.alerting.evaluation import evaluate
from faultline.alerting.memory import Memory
from faultline.alerting.silences import Silence
from faultline.model import AlertState, NotificationKind
from tests.alerting.stage import BUCKET, Stage, chain, count, second, write_rules


def test_a_receiver_that_was_told_the_milder_severity_is_updated_once() -> None:
    each = {"A": {"labels": {"severity": "warning"}}, "B": {"labels": {"severity": "critical"}}}
    rules = write_rules("A", "B", chains=[chain("A", "B")], each=each)
    stage = Stage(rules).fail("a", range(60)).fail("b", range(10, 60)).run(59)
    assert stage.sent == ["2 firing A", "12 update A"]
    update = stage.notifications[1]
    assert update.reason == "severity raised to critical by its effects"
    assert update.alert.labels["severity"] == "critical"


def test_a_chain_may_be_turned_round_while_both_its_ends_fail() -> None:
    """Each of the two is then a cause of the other, as far as they remember."""
    names, root = ("A", "B", "C"), chain("C", "B")
    stage = Stage(write_rules(*names, chains=[root, chain("A", "B")])).run(0)
    for name in "abc":
        stage.fail(name, range(1, 60))
    stage.run(20, start=1)
    stage.rules = write_rules(*names, chains=[root, chain("B", "A")])
    stage.run(200, start=21)
    assert sorted(stage.pages) == ["A", "C"]
    assert sorted(stage.sent[-2:]) == ["90 resolved A", "90 resolved C"]


def test_a_silenced_root_with_effects_is_a_dark_chain() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")])
    memory = Memory.restore(rules, BUCKET)
    rows = [count(1, 3, service="a", environment="prod"), count(2, 3, service="b", environment="prod")]
    silence = Silence(matchers=('alertname="A"',), starts_at=second(0), ends_at=second(99), comment="known")
    evaluation = evaluate(memory, rows, at=second(5), watermark=second(0), silences=[silence])
    assert evaluation.notifications == ()
    [dark] = dark_chains(memory.alerts, memory.effects)
    assert (dark.root.rule, dark.reason, [key.rule for key in dark.effects]) == ("A", MuteReason.SILENCE, ["B"])
    assert [step.reason for step in evaluation.transitions if step.alert.rule == "A"] == ["silenced: known"]


def test_the_ledger_says_how_a_suppression_was_broken() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", max_suppression="40s")])
    stage = Stage(rules).fail("a", range(90)).fail("b", range(90)).run(89)
    outcomes = [row.outcome for _, evaluation in stage.history for row in evaluation.suppressions]
    assert outcomes[-1] is SuppressionOutcome.EXPIRED
    assert stage.pages == ["A", "B"]


def test_nothing_is_sent_after_a_start_from_nothing_until_there_is_a_watermark_or_the_time_is_up() -> None:
    rules = write_rules("A")
    row = count(1, 3, service="a", environment="prod")
    for watermark, at in ((second(0), 6), (None, 40)):
        memory = Memory.restore(rules, BUCKET, cold_until=second(40))
        early = evaluate(memory, [row], at=second(5), watermark=None)
        assert [step.target for step in early.transitions] == [AlertState.FIRING]
        assert early.notifications == ()
        late = evaluate(memory, [], at=second(at), watermark=watermark)
        assert [sent.kind for sent in late.notifications] == [NotificationKind.FIRING]


def test_what_is_too_old_when_it_is_first_seen_is_recorded_and_not_sent() -> None:
    stage = Stage(write_rules("A", max_alert_age="1m"))
    stage.evaluate_at(0)
    stage.fail("a", [100, 101, 102]).evaluate_at(600)
    assert stage.moves == ["600 A inactive → expired"]
    assert stage.sent == []
    [step] = stage.history[-1][1].transitions
    assert step.reason == "would have fired: it started longer than 1m ago"
