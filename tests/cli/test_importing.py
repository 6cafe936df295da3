"""`faultline import` as its user meets it: the file on one stream, what has to be known on the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from faultline.cli import app

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"
EXPECTED = SAMPLES / "expected"
RULES = ["checkout", "gateway", "traffic", "silent", "logins", "new_errors", "timeouts", "slow"]
CALLS = {
    "alertmanager": ["alertmanager", "alertmanager.yml"],
    "elastalert": ["elastalert", *(f"{name}.yaml" for name in RULES)],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with the sources."""
    for source in SAMPLES.glob("*.y*ml"):
        shutil.copy(source, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("source", CALLS)
def test_the_file_is_on_standard_output_and_the_notes_are_not(source: str) -> None:
    result = run("import", *CALLS[source])
    *notes, last = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (0, (EXPECTED / f"{source}.rules.yaml").read_text())
    assert notes == (EXPECTED / f"{source}.notes").read_text().splitlines()
    assert last.startswith("Carried: ")


@pytest.mark.parametrize("source", CALLS)
def test_what_is_written_passes_the_check(source: str, folder: Path) -> None:
    (folder / "topics.yaml").write_text("topics: []")
    assert run("import", *CALLS[source], "--output", "rules.yaml").exit_code == 0
    result = run("check", "--rules", "rules.yaml", "--topics", "topics.yaml")
    assert (result.exit_code, "rules.yaml: good" in result.output) == (0, True), result.output


def test_a_file_that_is_there_is_overwritten_only_when_told_so(folder: Path) -> None:
    (folder / "rules.yaml").write_text("mine")
    result = run("import", "alertmanager", "alertmanager.yml", "-o", "rules.yaml")
    assert (result.exit_code, (folder / "rules.yaml").read_text()) == (2, "mine")
    assert "rules.yaml is there already; --force overwrites it" in result.output
    assert run("import", "alertmanager", "alertmanager.yml", "-o", "rules.yaml", "--force").exit_code == 0
    assert (folder / "rules.yaml").read_text() == (EXPECTED / "alertmanager.rules.yaml").read_text()


def test_a_folder_that_is_not_there_is_a_sentence() -> None:
    result = run("import", "alertmanager", "alertmanager.yml", "-o", "nowhere/rules.yaml")
    assert (result.exit_code, "nowhere/rules.yaml cannot be written: No such file" in result.output) == (1, True)
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("source", CALLS)
@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "none.yaml:0: cannot be read"), ("a: [", "none.yaml:1: not YAML"), ("- a", "none.yaml:1: a list where")],
    ids=["not there", "not YAML", "no mapping"],
)
def test_when_nothing_can_be_read_nothing_is_written(source: str, text: str | None, said: str, folder: Path) -> None:
    if text is not None:
        (folder / "none.yaml").write_text(text)
    result = run("import", source, "none.yaml", "-o", "rules.yaml")
    assert (result.exit_code, said in result.stderr, result.stdout) == (1, True, "")
    assert not (folder / "rules.yaml").exists()


def test_one_good_rule_file_is_enough(folder: Path) -> None:
    (folder / "broken.yaml").write_text("a: [")
    result = run("import", "elastalert", "broken.yaml", "silent.yaml")
    assert (result.exit_code, "Silent hosts" in result.stdout) == (0, True)
    assert "broken.yaml:1: not carried: the file: not YAML" in result.stderr


def test_what_a_terminal_would_obey_is_an_escape(folder: Path) -> None:
    (folder / "rule.yaml").write_text('type: any\nindex: app\nalert: debug\nname: "a\\e[2Jb"\n"b\\e[2Jc": 1\n')
    result = run("import", "elastalert", "rule.yaml")
    assert (result.exit_code, "\x1b" in result.output) == (0, False)
    assert "b\\x1b[2Jc" in result.stderr
