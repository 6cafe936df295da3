"""Every example of docs/search.md runs, and the page names every field."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faultline.archive.search.parser import parse_query
from faultline.archive.search.query import FIELDS
from faultline.testing.records import raw_table
from tests.archive.search.brute import append

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "faultline search" in block]
QUERIES = [query for row in re.findall(r"^\| (`.*`) \|", TEXT, re.MULTILINE) for query in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("block", BLOCKS)
def test_its_commands_run(block: str, tmp_path: Path) -> None:
    append(str(tmp_path / "archive"), raw_table([b"{}"]), "app-logs")
    (tmp_path / "topics.yaml").write_text("topics: [{name: app-logs}]")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FAULTLINE_ARCHIVE_URL": str(tmp_path / "archive")}
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=environment, check=True)


@pytest.mark.parametrize("query", QUERIES)
def test_its_queries_are_queries(query: str) -> None:
    parse_query(query)


def test_it_names_every_field() -> None:
    assert [name for name in FIELDS if f"`{name}`" not in TEXT] == []
