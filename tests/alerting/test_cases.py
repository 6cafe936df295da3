"""The stories in ``cases/``: what well-known systems do, in our test format. Where we differ, the story says why."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from faultline.alerting.rehearsal import TestResult, as_lines, rehearse

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*.yaml"))


@cache
def results(file: Path) -> list[TestResult]:
    return rehearse(file.read_text(encoding="utf-8"), file.name, lambda name: (CASES / name).read_text("utf-8"))


def stories() -> list[object]:
    found = [(file, number, result.name) for file in FILES for number, result in enumerate(results(file))]
    return [pytest.param(file, number, id=f"{file.stem}: {name}") for file, number, name in found]


@pytest.mark.parametrize(("file", "number"), stories())
def test_the_story_goes_as_it_says(file: Path, number: int) -> None:
    result = results(file)[number]
    assert result.ok, "\n".join(as_lines(result))
