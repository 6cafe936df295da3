"""What the tests of dispatch share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faultline.adapters.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database: SQLite and PostgreSQL in turn."""
    with Database(database_url) as opened:
        opened.migrate()
        yield opened
