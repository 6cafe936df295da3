from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest

from faultline.alerting.alerts import SuppressionOutcome
from faultline.alerting.chains import Edge, build_graph
from faultline.model import AlertState, NotificationKind
from tests.alerting.stage import Stage, chain, second, write_rules

ABC = [chain("A", "B", "C")]
DIAMOND = [chain("A", "B", "D"), chain("A", "C", "D")]
Failures = Mapping[str, Iterable[float]]


@pytest.mark.parametrize(
    ("chains", "failures", "pages", "suppressed"),
    [
        pytest.param(
            ABC,
            {"a": range(60), "b": range(2, 60), "c": range(4, 60)},
            ["A"],
            {"B": ["A"], "C": ["A", "B"]},
            id="a-chain-collapses-onto-its-root",
        ),
        pytest.param(ABC, {"a": range(60), "c": range(4, 60)}, ["A"], {"C": ["A"]}, id="the-middle-never-fired"),
        pytest.param(
            ABC,
            {"c": range(60), "b": range(10, 60), "a": range(20, 60)},
            ["A"],
            {"B": ["A"], "C": ["A", "B"]},
            id="leaf-first",
        ),
        pytest.param(
            ABC, {"c": range(60), "a": range(45, 60)}, ["A"], {"C": ["A"]}, id="leaf-first-holds-add-up-along-the-path"
        ),
        pytest.param(ABC, {"b": range(60), "c": range(60)}, ["B"], {"C": ["B"]}, id="the-middle-is-the-root"),
        pytest.param(
            DIAMOND,
            {"a": range(60), "b": range(60), "c": range(60), "d": range(60)},
            ["A"],
            {"B": ["A"], "C": ["A"], "D": ["A", "B", "C"]},
            id="a-diamond-has-one-root-and-stores-every-cause",
        ),
        pytest.param(DIAMOND, {"a": range(60), "d": range(60)}, ["A"], {"D": ["A"]}, id="a-diamond-without-its-sides"),
        pytest.param(
            [chain("A", "B"), chain("B", "C")],
            {"a": range(60), "c": range(60)},
            ["A"],
            {"C": ["A"]},
            id="paths-run-across-chains",
        ),
    ],
)
def test_only_the_root_pages(
    chains: list[dict[str, object]], failures: Failures, pages: list[str], suppressed: dict[str, list[str]]
) -> None:
    stage = Stage(write_rules("A", "B", "C", "D", chains=chains), lateness=5)
    for service, seconds in failures.items():
        stage.fail(service, seconds)
    stage.run(59)
    assert stage.pages == pages
    assert {rule: sorted(causes) for rule, causes in stage.suppressed().items()} == suppressed
    assert all(causes[0] == pages[0] for causes in stage.suppressed().values())


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"environment": "test"}, id="another-environment"),
        pytest.param({"host": "h1"}, id="a-missing-label-matches-nothing"),
    ],
)
def test_an_effect_that_shares_no_label_with_the_cause_pages(labels: dict[str, str]) -> None:
    stage = Stage(write_rules("A", "B", "C", chains=ABC)).fail("a", range(90)).fail("c", range(90), **labels).run(89)
    assert stage.pages == ["A", "C"]


def test_a_label_missing_on_both_sides_is_not_equal() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")])
    stage = Stage(rules).fail("a", range(60), host="h1").fail("b", range(60), host="h2").run(59)
    assert sorted(stage.pages) == ["A", "B"]


def test_bindings_that_compose_to_nothing_suppress_only_through_a_live_alert() -> None:
    edges = [chain("A", "B", equal=["host"]), chain("B", "C", equal=["service"])]
    rules = write_rules("A", "B", "C", chains=edges, query_key=["host", "service"])
    assert [path.rules for path in rules.graph.paths_to("C")] == [("B", "C")]


def test_a_cause_known_to_the_live_alert_in_the_middle_is_the_root() -> None:
    edges = [chain("A", "B", equal=["host"]), chain("B", "C", equal=["environment"])]
    rules = write_rules("A", "B", "C", chains=edges, query_key=["host", "environment"])
    stage = Stage(rules)
    stage.fail("a", range(30), host="h").fail("b", range(30), host="h", environment="p")
    stage.fail("c", range(30), environment="p")
    stage.run(29)
    assert stage.pages == ["A"]
    assert stage.suppressed() == {"B": ["A"], "C": ["A", "B"]}


def test_holds_add_up_and_the_tightest_within_counts() -> None:
    def edge(cause: str, effect: str, hold: int, within: int) -> Edge:
        seconds = [timedelta(seconds=number) for number in (hold, within, 0)]
        return Edge(cause, effect, frozenset(), *seconds)

    graph = build_graph(["C", "B", "A"], [edge("A", "B", 10, 300), edge("B", "C", 20, 60)])
    path = next(path for path in graph.paths_to("C") if path.cause == "A")
    assert graph.order == ("A", "B", "C")
    assert (path.rules, path.hold, path.within) == (("A", "B", "C"), timedelta(seconds=30), timedelta(seconds=60))


def test_an_effect_waits_for_its_cause_and_then_pages() -> None:
    stage = Stage(write_rules("A", "B", chains=[chain("A", "B")]), lateness=30).fail("b", range(60)).run(59)
    assert stage.moves == ["2 B inactive → held", "32 B held → firing"]


def test_a_stalled_pipeline_pages_when_the_hold_has_run_on_the_clock() -> None:
    stage = Stage(write_rules("A", "B", chains=[chain("A", "B")]), stalled=True).fail("b", [1, 2, 3]).run(40)
    assert stage.moves == ["3 B inactive → held", "33 B held → firing"]
    assert stage.sent == ["33 firing B"]


def test_a_hold_is_not_waited_for_when_no_cause_can_come_any_more() -> None:
    stage = Stage(write_rules("A", "B", chains=[chain("A", "B")]))
    stage.evaluate_at(0)
    stage.fail("b", range(100, 200)).evaluate_at(200)
    assert stage.sent == ["200 firing B"]


def test_what_was_held_is_never_dropped() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", hold="2m")])
    stage = Stage(rules, lateness=30).fail("b", [1, 2, 3]).run(150)
    assert stage.sent == ["123 firing B", "124 resolved B"]


def test_a_root_held_for_its_own_causes_still_suppresses() -> None:
    stage = Stage(write_rules("A", "B", "C", chains=ABC), lateness=30).fail("b", range(60)).fail("c", range(60)).run(59)
    assert stage.moves == ["2 B inactive → held", "2 C inactive → suppressed", "32 B held → firing"]


def test_a_cause_after_its_notified_symptom_withdraws_nothing_and_updates_it_once() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", hold="0s")])
    stage = Stage(rules).fail("b", range(60)).fail("a", range(30, 60)).run(59)
    assert stage.sent == ["2 firing B", "32 firing A", "32 update B"]
    assert stage.state("B") is AlertState.FIRING
    page, update = stage.notifications[1:]
    assert [(effect.alert.rule, effect.state) for effect in page.suppressed] == [("B", AlertState.FIRING)]
    assert update.reason == 'caused by A{environment="prod"}'
    assert [str(cause) for cause in update.alert.caused_by] == ['A{environment="prod"}']


def test_a_symptom_notified_long_before_is_not_the_new_alerts_effect() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", hold="0s", within="30s")])
    stage = Stage(rules).fail("b", range(200)).fail("a", range(100, 200)).run(199)
    assert stage.sent == ["2 firing B", "102 firing A"]


def test_a_notified_symptom_gets_its_resolve_although_its_cause_fires() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", hold="0s")])
    stage = Stage(rules).fail("b", range(40)).fail("a", range(30, 120)).run(119)
    assert stage.sent == ["2 firing B", "32 firing A", "32 update B", "70 resolved B"]


def test_an_effect_that_clears_with_its_root_is_silent_and_in_the_ledger() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")])
    stage = Stage(rules).fail("a", range(30)).fail("b", range(3, 30)).run(119)
    assert stage.sent == ["2 firing A", "60 resolved A"]
    row = [row for _, evaluation in stage.history for row in evaluation.suppressions][-1]
    assert (row.outcome, row.count, row.starts_at) == (SuppressionOutcome.CLEARED_WITH_ROOT, 27, second(5))
    assert row.causes[0].path == ("A", "B")
    assert row.rules_hash == rules.hash


def test_an_effect_that_outlives_its_root_pages_once_the_grace_is_over() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")])
    stage = Stage(rules).fail("a", range(30)).fail("b", range(3, 150)).run(250)
    assert stage.sent == ["2 firing A", "60 resolved A", "90 persists B", "180 resolved B"]
    persists = stage.notifications[2]
    assert persists.reason == "still failing after its root cause cleared; suppressed for 1m25s, 88 records"
    outcomes = {row.outcome for _, evaluation in stage.history for row in evaluation.suppressions}
    assert SuppressionOutcome.OUTLIVED_ROOT in outcomes


def test_old_records_do_not_confirm_that_an_effect_outlived_its_root() -> None:
    """B's window is longer than A's and still full when the grace is over, but nothing new came after A's end."""
    rules = write_rules("A", "B", chains=[chain("A", "B")], timeframe="30s")
    longer = rules.file.model_dump(mode="json", by_alias=True)
    longer["groups"][0]["rules"][1]["timeframe"] = "5m"
    import json

    from faultline.alerting.rules import load_rules

    stage = Stage(load_rules(json.dumps(longer))).fail("a", range(30)).fail("b", range(3, 30)).run(400, every=5)
    assert stage.pages == ["A"]
    assert "330 B recovering → resolved" in stage.moves


def test_an_effect_that_starts_after_its_roots_end_begins_in_recovering() -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B", recovery_grace="1m")])
    stage = Stage(rules).fail("a", range(30)).fail("b", range(80, 86)).run(200)
    assert stage.pages == ["A"]
    assert stage.moves[-2:] == ["82 B inactive → recovering", "120 B recovering → resolved"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        pytest.param(80, NotificationKind.PERSISTS, id="within-and-still-failing-after-the-grace"),
        pytest.param(150, NotificationKind.FIRING, id="too-late-to-be-an-effect"),
    ],
)
def test_how_late_a_symptom_may_start_after_its_cause(start: int, kind: NotificationKind) -> None:
    rules = write_rules("A", "B", chains=[chain("A", "B")])
    stage = Stage(rules).fail("a", range(30)).fail("b", range(start, 300)).run(300)
    assert stage.pages == ["A", "B"]
    assert stage.notifications[-1].kind is kind


def test_when_the_root_ends_the_most_upstream_effect_still_failing_is_the_next_root() -> None:
    stage = Stage(write_rules("A", "B", "C", chains=ABC))
    stage.fail("a", range(30)).fail("b", range(200)).fail("c", range(200)).run(199)
    assert stage.pages == ["A", "B"]
    assert stage.suppressed() == {"C": ["B", "A"]}


def test_an_effect_that_cleared_before_the_cause_of_its_cause_was_seen_is_named_by_the_root() -> None:
    rules = write_rules("A", "B", "C", chains=ABC, route={"group_wait": "5s"}, each={"B": {"keep_firing_for": "1m"}})
    stage = Stage(rules, lateness=15).fail("b", [0, 2, 4]).fail("c", [0, 2, 4]).fail("a", [10, 11, 33]).run(200)
    assert stage.pages == ["A"]
    assert {effect.alert.rule for effect in stage.notifications[-1].suppressed} == {"B", "C"}
