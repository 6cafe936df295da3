"""The rules that the last evaluation worked with, as the database has them: their file may be on another machine."""

from __future__ import annotations

from functools import lru_cache

from faultline.adapters.database import Database, Evaluated
from faultline.alerting.rules import Rules, load_rules
from faultline.errors import ConfigurationError


def rules_in_force(database: Database, evaluated: Evaluated | None) -> Rules | None:
    """None before the first evaluation, or when this version of Faultline cannot read them."""
    version = database.rules_version(evaluated.rules_hash) if evaluated else None
    return _load(version.text, version.file) if version else None


@lru_cache(maxsize=8)
def _load(text: str, file: str) -> Rules | None:
    try:
        return load_rules(text, file)
    except ConfigurationError:
        return None
