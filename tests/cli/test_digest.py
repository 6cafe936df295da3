"""faultline digest: a digest at a terminal, and as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultline.adapters.database import Database
from tests.cli.test_sending import database, run
from tests.contracts.values import count, span

__all__ = ["database"]

HOUR = ("--since", "2026-11-22T12:00", "--until", "2026-11-22T13:00")


@pytest.fixture(autouse=True)
def errors(database: Database) -> None:
    database.record_counts([span(0, 1)], [count(12, level="ERROR", sample="\x1b[31mcart 17 is gone")])


def test_it_prints_what_happened_and_obeys_no_log() -> None:
    code, said = run("digest", *HOUR)
    assert code == 0
    assert said.startswith("[DIGEST] 12 errors · 2026-11-22 12:00 – 13:00 UTC")
    assert "  - 12 (0 before) █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ db: \\x1b[31mcart 17 is gone" in said


def test_it_speaks_chinese() -> None:
    assert run("digest", *HOUR, "--language", "zh")[1].startswith("[摘要] 12 个错误")


def test_it_writes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "digest.html"
    code, said = run("digest", *HOUR, "--to", str(file))
    assert (code, said) == (0, f"Written to {file}\n")
    assert "cart 17 is gone" in file.read_text(encoding="utf-8")


def test_programs_get_json() -> None:
    said = run("digest", *HOUR, "--format", "json")[1]
    found = json.loads(said)
    assert (found["errors"], found["top"][0]["count"]) == (12, 12)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--since", "yesterday"), 2, "not a time: 'yesterday'"),
        (("--since", "40d"), 1, "more than 31 days"),
        (("--since", "1h", "--until", "2h"), 1, "has no time in it"),
        (("--to", "/nowhere/digest.html"), 1, "cannot write /nowhere/digest.html: No such file"),
    ],
    ids=["no time", "too long", "ends before it begins", "cannot be written"],
)
def test_a_wrong_call_is_explained(arguments: tuple[str, ...], code: int, said: str) -> None:
    ended, printed = run("digest", *arguments)
    assert ended == code
    assert said in printed
