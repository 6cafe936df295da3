"""What a task did, in its log: a sentence, and a table whose lines stay below each other."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence


def write_report(log: logging.Logger, sentence: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One record for the sentence, and one for each line of the table; no table without a row."""
    log.info("%s", sentence)
    for line in table_lines(columns, rows):
        log.info("%s", line)


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Columns as wide as they need be; numbers, with separators, end below each other."""
    if not (rows := list(rows)):
        return []
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[number], int) for row in rows) for number in range(len(columns))]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if end else text.ljust(width)
            for text, width, end in zip(texts, widths, right, strict=True)
        ).rstrip()

    return [line(columns), line(["-" * width for width in widths]), *map(line, cells)]


def some(items: Sequence[object], most: int = 3) -> str:
    """The first few, and how many more there are."""
    rest = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(map(str, items[:most])) + rest
