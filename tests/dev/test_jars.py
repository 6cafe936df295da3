"""The same jars whoever fetches them, complete or not at all."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.jars import POMS, check, fetch, fetch_all, find_tool


def listing(folder: Path) -> str:
    return "".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in folder.iterdir())


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_mvn_is_used_where_it_is(tmp_path: Path) -> None:
    command(tmp_path, "mvn", "exit 0")
    assert find_tool({"PATH": str(tmp_path)}) == "mvn"


def test_jgo_is_used_where_mvn_is_not(tmp_path: Path) -> None:
    assert find_tool({"PATH": str(tmp_path)}) == "jgo"


def test_the_user_may_choose_jgo(tmp_path: Path) -> None:
    command(tmp_path, "mvn", "exit 0")
    assert find_tool({"PATH": str(tmp_path), "FAULTLINE_JARS": "jgo"}) == "jgo"


@pytest.mark.parametrize(("choice", "complaint"), [("mvn", "mvn is not on the PATH"), ("ant", "'ant'")])
def test_an_impossible_choice_is_named(tmp_path: Path, choice: str, complaint: str) -> None:
    with pytest.raises(DevError, match=complaint):
        find_tool({"PATH": str(tmp_path), "FAULTLINE_JARS": choice})


@pytest.mark.parametrize("fault", ["changed", "missing", "added"])
def test_a_set_that_is_not_exactly_as_recorded_is_refused(tmp_path: Path, fault: str) -> None:
    (tmp_path / "good.jar").write_bytes(b"good")
    (tmp_path / "other.jar").write_bytes(b"other")
    wanted = listing(tmp_path)
    check(tmp_path, wanted)
    (tmp_path / "other.jar").unlink()
    if fault != "missing":
        (tmp_path / ("other.jar" if fault == "changed" else "more.jar")).write_bytes(b"evil")
    with pytest.raises(DevError, match=r"other\.jar"):
        check(tmp_path, wanted)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo connection reset; exit 1", id="it failed"),
        pytest.param('for last; do :; done; echo half > "${last#*=}/kafka.jar"', id="half a download"),
    ],
)
def test_a_broken_download_leaves_nothing_to_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    command(tmp_path, "mvn", script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(DevError, match=r"connection reset|kafka\.jar"):
        fetch("kafka", "mvn", cache=tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mvn-kafka.lock"]


@pytest.mark.parametrize("tool", ["jgo", *(["mvn"] if shutil.which("mvn") else [])])
def test_every_tool_brings_the_recorded_jars(tool: str) -> None:
    """``fetch_all`` has compared every byte; here the names, so that the record itself cannot be empty."""
    for name, folder in fetch_all(tool).items():
        recorded = {line.split()[1] for line in (POMS / f"{name}.sha256").read_text().splitlines()}
        assert {jar.name for jar in folder.iterdir()} == recorded
        assert len(recorded) > 40
