"""Retention and cleaning: whole hours leave the table, the log is shortened, files that nobody needs are deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from faultline.archive.attempts import on_newest
from faultline.archive.hours import Hour
from faultline.archive.ledger import fold, offsets_of
from faultline.archive.table import UpkeepTable

# What ``checkpoint`` is told, in this order. A process may die at any of them.
EXPIRY_STEPS = ("expiry_planned", "before_expiry_commit", "after_expiry_commit")
CLEANING_STEPS = ("before_ledger_commit", "after_ledger_commit", "before_vacuum", "after_vacuum")


def expire_hour(table: UpkeepTable, hour: Hour, *, checkpoint: Callable[[str], None] = lambda step: None) -> int:
    """Take an hour's files out of the table; how many rows they had.

    No row is rewritten; their coordinates are read, so that the commit can say whose rows are gone on purpose.
    """
    checkpoint("expiry_planned")

    def expire() -> int:
        files = [file for file in table.data_files() if file.hour == hour]
        if not files:
            return 0
        offsets = offsets_of(table.topic, table.coordinates([file.path for file in files]))
        checkpoint("before_expiry_commit")
        table.expire([hour], files, offsets)
        checkpoint("after_expiry_commit")
        return sum(file.rows for file in files)

    return on_newest(table, f"{table.topic}, hour {hour}", expire)


def shorten_log(table: UpkeepTable, *, checkpoint: Callable[[str], None] = lambda step: None) -> None:
    """Write down what the log says of offsets, then let go of its old files."""

    def sum_up() -> None:
        ledger = fold(table.ledger())
        checkpoint("before_ledger_commit")
        table.sum_up(ledger)

    on_newest(table, table.topic, sum_up)
    checkpoint("after_ledger_commit")
    table.shorten_log()


def vacuum(
    table: UpkeepTable, grace: timedelta, *, checkpoint: Callable[[str], None] = lambda step: None
) -> Sequence[str]:
    """Delete what left the table longer ago than ``grace``, and what as long ago was written and never committed."""
    checkpoint("before_vacuum")
    table.refresh()
    deleted = table.vacuum(grace)
    checkpoint("after_vacuum")
    return deleted
