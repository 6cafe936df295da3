"""Whole files, as teams have them: what they become, what is noted, and that no secret is in either."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultline.alerting.rules import load_rules
from faultline.alerting.warnings import find_warnings
from faultline.importers import alertmanager, elastalert
from faultline.importers.report import Conversion
from faultline.model import Labels
from faultline.yaml_files import read_text

SAMPLES = Path(__file__).parent / "samples"
RULES = ["checkout", "gateway", "traffic", "silent", "logins", "new_errors", "timeouts", "slow"]


def converted(source: str) -> Conversion:
    if source == "alertmanager":
        return alertmanager.convert(read_text(SAMPLES / "alertmanager.yml"), "alertmanager.yml")
    return elastalert.convert([f"{name}.yaml" for name in RULES], lambda name: read_text(SAMPLES / name))


@pytest.mark.parametrize("source", ["alertmanager", "elastalert"])
def test_a_whole_file_becomes_this_one_with_these_notes(source: str) -> None:
    found = converted(source)
    assert found.text == read_text(SAMPLES / "expected" / f"{source}.rules.yaml")
    assert [str(note) for note in found.notes] == read_text(SAMPLES / "expected" / f"{source}.notes").splitlines()


@pytest.mark.parametrize("source", ["alertmanager", "elastalert"])
def test_the_result_is_a_good_rules_file(source: str) -> None:
    load_rules(converted(source).text)


def test_the_result_of_elastalert_has_nothing_to_warn_of() -> None:
    text = converted("elastalert").text
    assert find_warnings(load_rules(text).file, text, "rules.yaml") == []


@pytest.mark.parametrize("source", ["alertmanager", "elastalert"])
def test_no_secret_is_in_the_result_or_in_a_note(source: str) -> None:
    found = converted(source)
    assert "Sesame" in "".join(read_text(path) for path in SAMPLES.glob("*.y*ml"))
    assert "Sesame" not in found.text + "".join(map(str, found.notes))


def test_what_a_comment_holds_is_a_rule_again_without_the_signs() -> None:
    """A rule that was off is switched on by taking the # away."""
    lines = converted("elastalert").text.splitlines()
    start = lines.index("  # - alert: Many accounts")
    on = [line.replace("# ", "", 1) if start <= number < start + 7 else line for number, line in enumerate(lines)]
    rules = load_rules("\n".join(on))
    assert rules.rules["Many accounts"].type == "cardinality"
    assert [to.receiver for to in rules.destinations(Labels(alertname="Many accounts"))] == ["post"]
