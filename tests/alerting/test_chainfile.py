"""What chains and inhibit rules compile to, and what is wrong with those that cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from faultline.alerting.rules import Rules, load_rules
from faultline.errors import ConfigurationError
from faultline.yaml_files import parse_yaml

FIELDS: dict[str, dict[str, Any]] = {
    "A": {"labels": {"severity": "critical"}},
    "B": {"labels": {"severity": "warning"}},
    "C": {"query_key": ["host", "zone"]},
}


def load(**parts: object) -> Rules:
    common = {"num_events": 1, "timeframe": "1m", "query_key": ["host"]}
    rules = [{"alert": name, **common, **own} for name, own in FIELDS.items()]
    groups = [{"name": "g", "rules": rules}]
    return load_rules(json.dumps({"groups": groups, "route": {"receiver": "o"}, "receivers": [{"name": "o"}], **parts}))


def paths(rules: Rules) -> set[tuple[str, ...]]:
    return {path.rules for rule in rules.rules for path in rules.graph.paths_to(rule)}


def test_inhibit_rules_and_chains_are_one_graph() -> None:
    inhibit = {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="warning"'], "equal": ["host"]}
    rules = load(inhibit_rules=[inhibit], chains=[{"name": "c", "path": ["B", "C"], "equal": ["host"]}])
    assert paths(rules) == {("A", "B"), ("B", "C")}
    assert rules.graph.order == ("A", "B", "C")


def test_an_inhibit_rule_is_about_pairs_that_can_match() -> None:
    inhibit = {"source_matchers": ['severity="critical"'], "target_matchers": ['zone="z"']}
    assert paths(load(inhibit_rules=[inhibit])) == {("A", "C")}
    fixed = {"source_matchers": ['severity=~"critical|warning"'], "target_matchers": ['severity="warning"']}
    assert paths(load(inhibit_rules=[{**fixed, "equal": ["alertname"]}])) == set()
    assert paths(load(inhibit_rules=[fixed])) == {("A", "B")}


def test_an_inhibit_rule_may_have_both_its_ends_in_one_rule_where_labels_of_alerts_tell_them_apart() -> None:
    sides = {"source_matchers": ['zone="a"'], "target_matchers": ['zone="b"']}
    rules = load(inhibit_rules=[{**sides, "equal": ["host"]}], chains=[{"name": "c", "path": ["A", "B", "C"]}])
    assert ("C", "C") in paths(rules)
    assert rules.graph.order == ("A", "B", "C")
    assert [rules.graph.rank("C", {"zone": zone}) for zone in ("a", "b", "c")] == [0, 2, 0]
    assert rules.graph.rank("A", {"zone": "b"}) == 0


def test_what_an_inhibit_rule_mutes_comes_before_what_that_mutes_whatever_their_order() -> None:
    zones = [("c", "d"), ("a|b", "b|c")]
    rules = load(
        inhibit_rules=[{"source_matchers": [f"zone=~{s}"], "target_matchers": [f"zone=~{t}"]} for s, t in zones]
    )
    ranks = [rules.graph.rank("C", {"zone": zone}) for zone in "abcd"]
    assert ranks == sorted(set(ranks))


def test_an_edge_takes_what_its_chain_says_unless_it_says_otherwise() -> None:
    edges = [{"cause": "A", "effect": "B"}, {"cause": "B", "effect": "C", "hold": "1s", "equal": ["host"]}]
    rules = load(chains=[{"name": "c", "edges": edges, "hold": "7s", "within": "1h", "stop": True}])
    found = {path.rules: (path.hold.total_seconds(), set(path.equal)) for path in rules.graph.paths_to("C")}
    assert found == {("B", "C"): (1.0, {("host", "host")})}
    assert [path.hold.total_seconds() for path in rules.graph.paths_to("B")] == [7.0]


CYCLE = [
    {"source_matchers": ['alertname="A"'], "target_matchers": ['alertname="B"']},
    {"source_matchers": ['alertname="B"'], "target_matchers": ['alertname="A"']},
]


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"inhibit_rules": CYCLE}, "a cycle: A → B → A; no alert could be the root"),
        ({"chains": [{"name": "c", "path": ["A", "A"]}]}, "a cycle: A → A; no alert could be the root"),
        ({"chains": [{"name": "c", "path": ["A"]}]}, "needs a path of at least two rules, or edges"),
        ({"chains": [{"name": "c"}]}, "needs a path of at least two rules, or edges"),
        ({"chains": [{"name": "c", "edges": [{"effect": "A"}]}]}, "needs either cause or all"),
        ({"chains": [{"name": "c", "path": ["A", {"all": ["B", "C"]}]}]}, "all may only begin a path"),
        ({"chains": [{"name": "c", "path": [{"all": ["A", "X"]}, "C"]}]}, "chain 'c': no rule 'X'"),
        ({"chains": [{"name": "c", "edges": [{"cause": "A", "effect": "Z"}]}]}, "chain 'c': no rule 'Z'"),
        (
            {"chains": [{"name": "c", "edges": [{"cause": "A", "effect": "C", "equal_pairs": [["db", "zone"]]}]}]},
            "chain 'c': rule 'A' has no label 'db'; add it to its query_key",
        ),
        ({"route": {"receiver": "o", "mute_time_intervals": ["nights"]}}, "no time interval 'nights'"),
        ({"silences": [{"matchers": ["a=b"]}]}, "missing field 'silences.0.starts_at'"),
    ],
)
def test_a_fault_is_a_sentence(parts: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        load(**parts)


def test_the_examples_in_the_documentation_load() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerting.md").read_text(encoding="utf-8")
    parts: dict[str, Any] = {}
    for title in ("### Edges", "## Silences and quiet hours"):
        parts |= parse_yaml(page.split(title)[1].split("```yaml\n")[1].split("```")[0], "alerting.md")
    names = {
        "LinkA": ["site"], "LinkB": ["site"], "SiteDown": ["site"], "DbDown": ["db_site"], "CartErrors": ["site"]
    }  # fmt: skip
    rules = [{"alert": n, "num_events": 1, "timeframe": "1m", "query_key": keys} for n, keys in names.items()]
    file = {"groups": [{"name": "g", "rules": rules}], "receivers": [{"name": "ops"}, {"name": "chat"}], **parts}
    assert len(load_rules(json.dumps(file, default=str)).graph.edges) == 4
