"""docs/migration.md: its commands run, and it names everything that is carried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faultline.importers.alertmanager_receivers import CARRIERS
from faultline.importers.elastalert_alerters import ALERTERS
from faultline.importers.elastalert_kinds import KINDS
from faultline.importers.references import Carrier

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
SAMPLES = ROOT / "tests" / "importers" / "samples"
ALERTMANAGER, ELASTALERT = TEXT.split("## From Alertmanager")[1].split("## From ElastAlert")


def test_its_commands_run(tmp_path: Path) -> None:
    [block] = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    shutil.copy(SAMPLES / "alertmanager.yml", tmp_path)
    (tmp_path / "rules").mkdir()
    shutil.copy(SAMPLES / "silent.yaml", tmp_path / "rules")
    (tmp_path / "topics.yaml").write_text("topics: []")
    script = block.replace("--output rules.yaml", "--output rules.yaml --force")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True
    )


def test_its_example_of_a_note_is_one() -> None:
    [example] = re.findall(r"```\n(alertmanager.yml:.*?)\n```", TEXT, re.DOTALL)
    assert example in (SAMPLES / "expected" / "alertmanager.notes").read_text().splitlines()


@pytest.mark.parametrize(("channel", "carrier"), CARRIERS.items(), ids=CARRIERS)
def test_it_says_what_becomes_of_a_channel(channel: str, carrier: Carrier) -> None:
    assert [row for row in rows(ALERTMANAGER) if f"`{channel}`" in row[0] and f"`{carrier.ours}`" in row[1]]


@pytest.mark.parametrize(("alerter", "carrier"), ALERTERS.items(), ids=ALERTERS)
def test_it_says_what_becomes_of_an_alerter(alerter: str, carrier: Carrier) -> None:
    assert [row for row in rows(ELASTALERT) if f"`{alerter}`" in row[0] and f"`{carrier.ours}`" in row[1]]


@pytest.mark.parametrize("kind", KINDS)
def test_it_names_every_type_that_is_carried(kind: str) -> None:
    assert [row for row in rows(ELASTALERT) if "type: " in row[0] and kind in row[0]]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
