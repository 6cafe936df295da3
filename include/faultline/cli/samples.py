"""How sample records are shown: each with the fields it has, and what was found in how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from faultline.cli.common import console
from faultline.dispatch.text import one_line
from faultline.records.samples import Sample

# A stack trace is for recognising, not for reading.
_LONGEST = 300


def print_samples(samples: Sequence[Sample], limit: int) -> None:
    """The first ``limit`` records field by field, and for all of them what is found how often and why some are not."""
    for number, sample in enumerate(samples[:limit], 1):
        console.print(_table(number, sample))
    found = Counter(name for sample in samples for name in sample.found if name != "parse_error")
    errors = Counter(sample.error for sample in samples if sample.error)
    console.print(f"{len(samples)} records, {len(samples) - errors.total()} read", highlight=False)
    if found:
        said = ", ".join(f"{name} in {'all' if count == len(samples) else count}" for name, count in found.items())
        console.print(f"Found: {escape(said)}", highlight=False)
    for error, count in errors.most_common():
        console.print(f"[bold red]Not read:[/] {count} × {escape(error)}", highlight=False)


def _table(number: int, sample: Sample) -> Table:
    table = Table(title=f"{number}", title_justify="left", show_header=False, box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("[dim]record[/]", f"[dim]{_short(sample.value.decode('utf-8', 'replace'))}[/]")
    for name, text in sample.found.items():
        style = "bold red" if name == "parse_error" else "bold"
        table.add_row(f"[{style}]{escape(name)}[/]", _short(text))
    return table


def _short(text: str) -> str:
    line = one_line(text)
    return escape(line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …")
