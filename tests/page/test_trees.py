"""Alerts become trees: each that goes on is in one, under the root that explains it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faultline.adapters.database import Outline
from faultline.alerting.matchers import parse_matchers
from faultline.model import AlertState
from faultline.page.trees import Filter, Tree, count_states, grouped, plant, prune
from tests.contracts.values import NOON


def outline(name: str, state: str = "firing", root: str | None = None, **more: object) -> Outline:
    """An alert whose episode is its name; the later in the alphabet, the later it began."""
    labels = {"alertname": name[0], "host": name}
    begun = NOON + ord(name[0]) * timedelta(seconds=1)
    return Outline(name, name[0], AlertState(state), begun, root, str(more.get("severity", "")), labels, 10)


def drawn(trees: list[Tree]) -> list[str]:
    return [" ".join(member.episode for member in tree.members) for tree in trees]


@pytest.mark.parametrize(
    ("outlines", "trees"),
    [
        ([], []),
        ([outline("a")], ["a"]),
        ([outline("c", "suppressed", "a"), outline("b", "suppressed", "a"), outline("a")], ["a b c"]),
        ([outline("a"), outline("b", "suppressed", "a"), outline("c", "suppressed", "b")], ["a b c"]),
        ([outline("b", "suppressed", "a")], ["b"]),
        ([outline("a", "resolved"), outline("b", "recovering", "a")], ["a b"]),
        ([outline("a", "resolved"), outline("b", "expired", "a")], []),
        ([outline("a", "suppressed", "b"), outline("b", "suppressed", "a")], ["b a", "a b"]),
        ([outline("a", "suppressed", "a")], ["a"]),
        ([outline("a"), outline("b", root="a")], ["a b"]),
    ],
    ids=[
        *("nothing", "one", "effects by their starts", "an effect's effect", "a forgotten cause", "an ended root"),
        *("all over", "each other's cause", "its own cause", "sent before its cause was seen"),
    ],
)
def test_alerts_become_trees(outlines: list[Outline], trees: list[str]) -> None:
    assert drawn(plant(outlines)) == trees


def test_what_is_urgent_comes_first() -> None:
    alerts = [
        outline("a", "pending", severity="page"),
        outline("b", "suppressed", severity="critical"),
        outline("c", severity="warning"),
        outline("d", severity="critical"),
        outline("e", severity="critical"),
        outline("f", "held"),
    ]
    assert drawn(plant(alerts)) == ["e", "d", "c", "f", "b", "a"]


@pytest.mark.parametrize(
    ("wanted", "trees"),
    [
        (Filter(), ["a b c", "d"]),
        (Filter(states=frozenset({AlertState.FIRING})), ["a b c", "d"]),
        (Filter(states=frozenset({AlertState.HELD})), ["a c"]),
        (Filter(severity="critical"), ["d"]),
        (Filter(matchers=parse_matchers('host="b"')), ["a b"]),
        (Filter(matchers=parse_matchers('host="a"')), ["a b c"]),
        (Filter(episode="c"), ["a b c"]),
        (Filter(episode="x"), []),
        (Filter(states=frozenset({AlertState.HELD}), severity="critical"), []),
    ],
    ids=["all", "state", "an effect's state", "severity", "a label", "the root's label", "episode", "none", "both"],
)
def test_a_filter_keeps_the_roots_of_what_it_finds(wanted: Filter, trees: list[str]) -> None:
    planted = plant(
        [
            outline("a"),
            outline("b", "suppressed", "a"),
            outline("c", "held", "a"),
            outline("d", severity="critical"),
        ]
    )
    assert sorted(drawn(prune(planted, wanted))) == trees


def test_labels_that_a_rules_alerts_share_are_found() -> None:
    group, alone = grouped(plant([outline("d1"), outline("d2"), outline("c")]))
    assert (group.rule, group.shared, len(group.trees)) == ("d", {"alertname": "d"}, 2)
    assert (alone.rule, alone.shared) == ("c", {})


def test_states_and_records_are_counted() -> None:
    effects = [outline("b", "suppressed", "a"), outline("c", "held", "a"), outline("d", "suppressed", "a")]
    [tree] = plant([outline("a", "resolved"), *effects])
    assert tree.states == [(AlertState.HELD, 1), (AlertState.SUPPRESSED, 2)]
    assert tree.records == 30
    assert count_states([tree]) == tree.states
