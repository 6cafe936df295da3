"""Editors and ``faultline check`` agree on what may stand in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from faultline.alerting.schemas import json_schema
from faultline.cli import app

ROOT = Path(__file__).parents[2]
RULES = """\
groups:
- name: g
  rules:
  - {alert: A, num_events: 1, timeframe: 1m, labels: {severity: critical}}
route: {receiver: ops}
receivers: [{name: ops}, {name: nobody}]
inhibit_rules:
- {source_matchers: [severity="critical"], target_matchers: [alertname="A"]}
"""


@pytest.mark.parametrize("name", ["rules", "topics", "tests"])
def test_the_schemas_in_the_repository_are_those_of_the_models(name: str) -> None:
    written = (ROOT / "examples" / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    assert written == json_schema(name) + "\n", f"faultline schema {name} > examples/schemas/{name}.json"


@pytest.mark.parametrize("name", ["rules", "topics"])
def test_the_examples_name_a_schema_that_is_there(name: str) -> None:
    file = ROOT / "examples" / "shop" / f"{name}.yaml"
    schema = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / schema).exists()


def check(tmp_path: Path, rules: str, *arguments: str) -> Result:
    (tmp_path / "r.yaml").write_text(rules)
    (tmp_path / "t.yaml").write_text("topics: []")
    files = ["--rules", str(tmp_path / "r.yaml"), "--topics", str(tmp_path / "t.yaml")]
    return CliRunner().invoke(app, ["check", *files, *arguments])


def test_warnings_are_no_faults(tmp_path: Path) -> None:
    result = check(tmp_path, RULES)
    assert result.exit_code == 0
    assert [line.partition("r.yaml")[2] for line in result.output.splitlines() if ": warning: " in line] == [
        ":6: warning: no route leads to receiver 'nobody'",
        ":8: warning: source and target both select 'A'; an alert does not mute itself",
    ]


def test_inhibit_rules_by_which_two_alerts_of_a_rule_may_mute_each_other_are_doubted(tmp_path: Path) -> None:
    inhibit = "- {source_matchers: [zone=a], target_matchers: [zone=b]}\n"
    rules = (
        RULES.partition("inhibit_rules")[0]
        .replace(", {name: nobody}", "")
        .replace("timeframe: 1m", "timeframe: 1m, query_key: [zone]")
        + f"inhibit_rules:\n{inhibit}"
    )
    assert "warning" not in check(tmp_path, rules).output
    result = check(tmp_path, f"{rules}- {{source_matchers: [zone=b], target_matchers: [zone=~a|c]}}\n")
    assert (
        "r.yaml:9: warning: two alerts of 'A' may mute each other, by this and those before it; one of the two is sent"
        in result.output
    )


def test_a_hold_that_is_shorter_than_its_cause_is_evaluated_is_doubted(tmp_path: Path) -> None:
    rules = """\
groups:
- {name: g, evaluation_interval: 1m, rules: [{alert: A, num_events: 1, timeframe: 1m}]}
- {name: h, rules: [{alert: B, num_events: 1, timeframe: 1m}]}
route: {receiver: ops}
receivers: [{name: ops}]
chains: [{name: c, path: [A, B], hold: 50s}]
"""
    assert (
        "r.yaml:6: warning: 'B' waits 50s for 'A', which is evaluated every 1m: it may page before its cause is seen"
        in check(tmp_path, rules).output
    )
    assert "warning" not in check(tmp_path, rules.replace("50s", "1m")).output
    fault = check(tmp_path, rules.replace("interval: 1m", "interval: 0s"))
    assert "r.yaml:2: groups.0.evaluation_interval" in fault.output


def test_faults_for_programs_and_for_github(tmp_path: Path) -> None:
    broken = RULES.replace("num_events", "num_event")
    as_json = check(tmp_path, broken, "--format", "json")
    assert as_json.exit_code == 1
    assert {(each["line"], each["kind"]) for each in json.loads(as_json.output)} == {(4, "error")}
    line = check(tmp_path, broken, "--format", "github").output.splitlines()[0]
    assert line.startswith("::error file=")
    assert ",line=4::" in line
