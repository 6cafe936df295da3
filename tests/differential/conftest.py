"""The peer that tests compare with, running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.peer import ElastAlert


@pytest.fixture(scope="session")
def elastalert() -> Iterator[ElastAlert]:
    with ElastAlert() as worker:
        yield worker
