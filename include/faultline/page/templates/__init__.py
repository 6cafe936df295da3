"""What the views look like: Jinja2, with every value escaped for HTML and a misspelt name an error.

The filters show what came out of a log as it is: characters that a reader could not see, or that reorder others, are
written as escapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.filesize import decimal

from faultline.dispatch.text import lines, one_line, shorten
from faultline.durations import format_duration

_LABEL_LENGTH = 120
_SAMPLE_LENGTH = 4000
_UNITS = tuple(timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))


def render_page(name: str, values: Mapping[str, Any]) -> str:
    """The template of that name with these values."""
    return _environment().get_template(name).render(values)


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or __name__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        plain=plain,
        exact=one_line,
        sample=sample,
        number=number,
        measured=measured,
        short=short,
        rate=rate,
        size=decimal,
        span=span,
        duration=format_duration,
        clock=clock,
        precise=precise,
        machine_time=datetime.isoformat,
    )
    return environment


def plain(text: object) -> str:
    """A label, a name or a sentence on one line, not longer than anyone reads."""
    return one_line(shorten(str(text), _LABEL_LENGTH))


def sample(text: str) -> str:
    """A record's text with its own lines."""
    return "\n".join(lines(shorten(text, _SAMPLE_LENGTH)))


def number(value: int) -> str:
    """``1,234``."""
    return f"{value:,}"


def measured(value: float, percent: bool = False) -> str:
    """A number of records, or a share of them; a dot for none, so that what there is stands out."""
    if not value:
        return "·"
    return f"{value:.1f}%" if percent else f"{value:,.0f}"


def short(value: int) -> str:
    """``12k``: what fits into a cell."""
    for unit, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= unit:
            return f"{value / unit:.1f}{sign}" if value < 10 * unit else f"{value // unit}{sign}"
    return str(value)


def rate(value: float) -> str:
    """So many a second; of few with a decimal."""
    return f"{value:,.1f}" if 0 < value < 10 else f"{value:,.0f}"


def span(value: timedelta) -> str:
    """A length of time in its two largest units, such as ``2h5m``: nobody reads the seconds of a day."""
    whole = timedelta(seconds=max(int(value.total_seconds()), 0))
    for larger, smaller in pairwise(_UNITS):
        if whole >= larger:
            return format_duration(whole - whole % smaller)
    return format_duration(whole)


def clock(at: datetime) -> str:
    """The moment in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def precise(at: datetime) -> str:
    """The moment in UTC, to the millisecond."""
    return f"{clock(at)}.{at.microsecond // 1000:03}"
