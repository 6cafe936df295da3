"""Decision records: numbered once each, in the title as in the name, and each ends with what would violate it."""

from __future__ import annotations

from pathlib import Path

RECORDS = sorted(Path("docs/decisions").glob("*.md"))


def test_each_has_a_number_of_its_own() -> None:
    assert [record.name[:4] for record in RECORDS] == [f"{number:04d}" for number in range(1, len(RECORDS) + 1)]


def test_the_title_has_the_number_of_the_name() -> None:
    assert [record.read_text().split(".")[0] for record in RECORDS] == [f"# {int(each.name[:4])}" for each in RECORDS]


def test_each_says_what_would_violate_it() -> None:
    assert [record.name for record in RECORDS if "\nViolated by: " not in record.read_text()] == []
