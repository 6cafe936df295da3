"""A table per test, on a local folder and on real HDFS, and a topic in memory."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from faultline.testing.kafka import MemorySource


@pytest.fixture
def source() -> MemorySource:
    memory = MemorySource()
    memory.create("app", 3)
    return memory


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """An archive in a local folder."""
    return str(tmp_path)


@pytest.fixture(params=["local", "hdfs"])
def archive(request: pytest.FixtureRequest) -> str:
    """An archive url: once a local folder, once HDFS."""
    if request.param == "local":
        return str(request.getfixturevalue("tmp_path"))
    return f"{request.getfixturevalue('hdfs').url}/{uuid.uuid4().hex[:12]}"
