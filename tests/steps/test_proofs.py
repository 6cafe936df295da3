"""How the last proof came out is there for whoever asks later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from faultline.adapters.delta import TopicTable
from faultline.adapters.markers import markers
from faultline.settings import Settings
from faultline.steps.archive import verify_topics
from faultline.steps.proofs import Proof, last_proof, note_proof
from faultline.testing.records import NOON
from tests.archive.upkeep import fill

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An archive of which the table ``app`` has a hundred rows."""
    (tmp_path / "topics.yaml").write_text("topics: [{name: app}]")
    fill(TopicTable.open_or_create(str(tmp_path / "archive"), "app"))
    return Settings(archive_url=str(tmp_path / "archive"), topics_file=tmp_path / "topics.yaml")


def last(settings: Settings) -> Proof | None:
    store = markers(settings.archive_url, None)
    assert store is not None
    return last_proof(store, "app")


def test_a_proof_is_noted_in_the_place_of_the_one_before(settings: Settings) -> None:
    assert last(settings) is None
    verify_topics(settings, None, clock=lambda: NOON)
    first = Proof(NOON, version=10, rows=100, deep=False, kafka=False)
    assert last(settings) == first
    verify_topics(settings, None, deep=True, since=NOON - HOUR, clock=lambda: NOON + HOUR)
    assert last(settings) == replace(first, at=NOON + HOUR, deep=True, since=NOON - HOUR)


def test_what_was_found_is_noted_by_its_first_faults(settings: Settings) -> None:
    for file in sorted(Path(settings.archive_url).glob("app/dt=*/hr=*/*.parquet"))[:7]:
        file.unlink()
    [report] = verify_topics(settings, None)
    proof = last(settings)
    assert proof is not None
    assert (proof.ok, proof.found, len(proof.faults)) == (False, len(report.faults), 5)
    assert proof.faults[0] == report.faults[0].message


def test_a_proof_stands_that_cannot_be_noted(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    (Path(settings.archive_url) / "_verified").write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING):
        [report] = verify_topics(settings, None)
    assert report.ok
    assert "app: how the proof came out is not written down" in caplog.text


def test_without_a_place_for_it_a_proof_is_not_noted(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    [report] = verify_topics(settings, None)
    elsewhere = settings.model_copy(update={"archive_url": "s3://bucket/archive"})
    with caplog.at_level(logging.WARNING):
        note_proof(elsewhere, report, at=NOON, deep=False, kafka=False, since=None)
    assert caplog.text == ""


@pytest.mark.parametrize("said", [{}, {"at": "yesterday"}, {"at": None}], ids=str)
def test_what_is_no_proof_is_none(settings: Settings, said: Mapping[str, Any]) -> None:
    store = markers(settings.archive_url, None)
    assert store is not None
    store.write_proof("app", said)
    assert last(settings) is None
