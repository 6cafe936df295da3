"""A change that other commits may overtake: made anew on the newest snapshot until it is the next commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from faultline.archive.table import UpkeepTable
from faultline.errors import Superseded, TransientError

Result = TypeVar("Result")

# Between two looks at the snapshot lies one commit of somebody else: nobody is overtaken so often.
_ATTEMPTS = 200


def on_newest(table: UpkeepTable, what: str, change: Callable[[], Result]) -> Result:
    """What ``change`` answers, called again on a newer snapshot after Superseded; at last TransientError."""
    for _ in range(_ATTEMPTS):
        table.refresh()
        try:
            return change()
        except Superseded:
            continue
    raise TransientError(f"{what}: overtaken by other commits {_ATTEMPTS} times")
