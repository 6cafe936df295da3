"""What is not records: the rows of an SQL query, and bars of counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from faultline.dispatch.text import one_line

_BAR = 50


def sql_table(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Numbers to the right; everything escaped that a terminal would obey."""
    console, values = Console(), list(rows)
    table = Table(box=box.SIMPLE_HEAD)
    for name in names:
        numeric = values and all(isinstance(row[name], int | float | None) for row in values)
        table.add_column(Text(one_line(name)), justify="right" if numeric else "left")
    for row in values:
        table.add_row(*(Text(_cell(row[name])) for name in names))
    with console.capture() as captured:
        console.print(table)
    return captured.get().encode("utf-8", "replace")


def histogram_bars(counts: list[dict[str, Any]], starts: Iterable[datetime]) -> Iterator[bytes]:
    """A line for each bucket; what is ERROR and above is red."""
    console = Console()
    totals: dict[datetime, dict[str, int]] = {}
    for row in counts:
        totals.setdefault(row["bucket_start"], {})[row["level"]] = row["count"]
    most = max((sum(levels.values()) for levels in totals.values()), default=1)
    for start in starts:
        levels = totals.get(start, {})
        total, bad = sum(levels.values()), levels.get("ERROR", 0) + levels.get("CRITICAL", 0)
        full, red = -(-total * _BAR // most), -(-bad * _BAR // most)
        line = Text.assemble(
            (f"{start:%Y-%m-%d %H:%M:%S}  ", "cyan"), ("█" * red, "red"), ("█" * (full - red), "green")
        )
        line.append(f"{' ' if total else ''}{total:,}" + (f" ({bad:,} of ERROR and above)" if bad else ""))
        with console.capture() as captured:
            console.print(line, soft_wrap=True, highlight=False)
        yield captured.get().encode()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return one_line(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value))
