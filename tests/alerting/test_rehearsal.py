"""``faultline test`` as its user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from faultline.cli import app

RULES = """\
groups:
- name: g
  rules:
  - {alert: Down, matchers: ['service="db"'], query_key: [host], num_events: 3, timeframe: 30s}
route: {receiver: ops}
receivers: [{name: ops}]
"""
STORY = """\
rules: rules.yaml
tests:
- name: it fires
  series: [{topic: t, labels: {service: db, host: a}, counts: "_ 3"}]
  expect: [{at: 10s, firing: ['Down{host="a"}']}]
  expect_notifications: [{at: 10s, receiver: ops, kind: firing, alerts: ['Down{host="a"}']}]
"""


@pytest.fixture
def story(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "story.yaml").write_text(STORY)
    return tmp_path / "story.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["test", *arguments])


def test_a_story_that_goes_as_expected_is_a_line(story: Path) -> None:
    result = run(str(story))
    assert (result.exit_code, result.output) == (0, "ok   it fires\n")


def test_a_difference_shows_what_was_expected_and_what_happened(story: Path) -> None:
    story.write_text(STORY.replace("at: 10s, firing", "at: 0s, firing").replace('"a"', '"b"'))
    result = run(str(story))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "FAIL it fires",
        "     at 0s, firing:",
        '       - Down{host="b"}  (is inactive)',
        "     notifications:",
        '       - 10s  ops  firing  Down{host="b"}',
        '       + 10s  ops  firing  Down{host="a"}  suppressed 0',
        "     what happened:",
        '       10s  Down{host="a"}  inactive → firing: over 3 in 30s',
        '       10s  ops  firing  Down{host="a"}  suppressed 0',
    ]


def test_the_json_has_every_step_and_message(story: Path) -> None:
    [found] = json.loads(run(str(story), "--format", "json").output)["tests"]
    step = {
        "at": 10,
        "alert": 'Down{host="a"}',
        "from": "inactive",
        "to": "firing",
        "reason": "over 3 in 30s",
        "by": [],
    }
    sent = {"at": 10, "receiver": "ops", "kind": "firing", "alerts": ['Down{host="a"}'], "suppressed": []}
    assert found == {"name": "it fires", "ok": True, "errors": [], "transitions": [step], "notifications": [sent]}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("counts:", "count:", "story.yaml:4: unknown field 'count'; did you mean 'counts'?"),
        ("_ 3", "3x", "story.yaml:4: tests.0.series.0.counts: not a series: '3x'"),
        ("rules.yaml", "none.yaml", "cannot be read"),
        ("at: 10s", "at: soon", "story.yaml:5: tests.0.expect.0.at: not a duration: 'soon'"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_line(story: Path, old: str, new: str, fault: str) -> None:
    story.write_text(STORY.replace(old, new))
    result = run(str(story))
    assert result.exit_code == 1
    assert fault in result.output


def test_rules_may_be_written_into_the_file(story: Path) -> None:
    indented = "".join(f"  {line}\n" for line in RULES.splitlines())
    story.write_text(STORY.replace("rules: rules.yaml", f"rules:\n{indented}".rstrip()))
    assert run(str(story)).exit_code == 0


@pytest.mark.parametrize(
    ("ack", "why"),
    [
        ("{at: 0s, ack: Down}", "at 0s, ack: no alert 'Down' goes on"),
        ("{at: 20s, ack: Dwn}", "at 20s, ack: no alert 'Dwn' goes on; did you mean 'Down'?"),
    ],
    ids=["before it fires", "another name"],
)
def test_what_cannot_be_acknowledged_is_a_difference(story: Path, ack: str, why: str) -> None:
    story.write_text(f"{STORY}  actions: [{ack}]\n")
    result = run(str(story))
    assert (result.exit_code, result.output.splitlines()[:2]) == (1, ["FAIL it fires", f"     {why}"])
