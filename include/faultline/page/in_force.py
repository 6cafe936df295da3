"""The rules that the last evaluation worked with, as the database has them: their file may be on another machine.

Reading a text of a thousand rules takes seconds, so what came of it is remembered.
"""

from __future__ import annotations

from functools import lru_cache

from faultline.adapters.database import Database, Evaluated
from faultline.alerting.rules import Rules, load_rules
from faultline.errors import ConfigurationError


def rules_in_force(database: Database, evaluated: Evaluated | None) -> Rules | None:
    """None before the first evaluation, or when this version of Faultline cannot read them."""
    version = database.rules_version(evaluated.rules_hash) if evaluated else None
    return readable(version.text) if version else None


@lru_cache(maxsize=8)
def readable(text: str) -> Rules | None:
    """The rules of a text; None when it is faulty."""
    try:
        return load_rules(text)
    except ConfigurationError:
        return None
