"""docs/operations.md names everything a user can set, call or fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperGroup

from dev.airflow import LEAN, RECOVERY
from faultline.cli import app
from faultline.durations import format_duration
from faultline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    [row] = [line for line in TEXT.splitlines() if line.startswith(f"| `FAULTLINE_{name.upper()}` |")]
    default = Settings.model_fields[name].default
    if hasattr(default, "total_seconds"):
        default = format_duration(default)
    assert f"`{default}`" in row or default is None


def _commands(group: TyperGroup, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("command", list(_commands(typer.main.get_group(app), "faultline")))
def test_every_command_is_documented(command: str) -> None:
    assert f"| `{command}` |" in TEXT


@pytest.mark.parametrize("dag", sorted(path.stem for path in (ROOT / "dags").glob("*.py")))
def test_every_dag_and_every_param_is_documented(dag: str) -> None:
    source = (ROOT / "dags" / f"{dag}.py").read_text(encoding="utf-8")
    assert f"**{dag}**" in TEXT
    for param in re.findall(r'"(\w+)": (?:Param|\w+_param)\(', source):
        assert f"`{param}`" in TEXT


def test_the_compose_file_sets_only_settings_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    environment = compose["x-airflow"]["environment"]
    names = {name.removeprefix("FAULTLINE_").lower() for name in environment if name.startswith("FAULTLINE_")}
    assert names
    assert names <= {*Settings.model_fields, "archive_pool"}
    assert set(compose["services"]) >= {"kafka", "namenode", "datanode-3", "postgres", "api-server", "scheduler"}


def test_airflows_settings_are_those_of_make_up_and_of_the_compose_file() -> None:
    text = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `\[(\w+)\] (\w+)` \| `([^`]+)` \|", text, re.MULTILINE)
    documented = {f"AIRFLOW__{section.upper()}__{option.upper()}": value for section, option, value in rows}
    assert documented
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["x-airflow"]["environment"]
    ours = {f"AIRFLOW__{section}__{option}": value for (section, option), value in (LEAN | RECOVERY).items()}
    for settings in (compose, ours):
        assert {name: settings.get(name) for name in documented} == documented
    assert {f"AIRFLOW__{section}__{option}" for section, option in RECOVERY} <= documented.keys()
