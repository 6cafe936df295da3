"""A figure as the chart library wants it: plain values for JSON. Pure.

The library reads a few tags in names, so nothing of a log goes there but as entities. Colours are names of the style
sheet's variables, which the page's script looks up.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from faultline.page.figures import Figure, Series
from faultline.page.templates import plain

_HUES = ("--huea", "--hueb", "--huec", "--hued", "--huee", "--huef", "--hueg", "--hueh")
# A level has the same colour wherever it is shown.
_OF_LEVELS = {"CRITICAL": "--critical", "ERROR": "--error", "WARNING": "--warning", "INFO": "--info"}
_NAME = 48


def bars(figure: Figure, names: Sequence[str], *, levels: bool = False) -> dict[str, Any]:
    """Stacked bars; ``levels`` when each series is a level."""
    data = [
        {
            "type": "bar",
            "x": [_text(start + figure.width / 2) for start in figure.starts],
            "y": list(series.values),
            "name": _safe(names[number]),
            "marker": {"color": _OF_LEVELS.get(series.name, "--none") if levels else _hue(number, series)},
            "hovertemplate": "%{y:,}",
        }
        for number, series in enumerate(figure.series)
    ]
    layout = _layout(figure)
    return {"data": data, "layout": {**layout, "barmode": "stack", "bargap": 0.12}}


def lines(figure: Figure, names: Sequence[str], thresholds: str) -> dict[str, Any]:
    """A line for each series, at the ends of its windows, and one for each threshold."""
    suffix = "%" if figure.percent else ""
    ends = [_text(start + figure.width) for start in figure.starts]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": ends,
            "y": [round(value, 2) for value in series.values],
            "name": _safe(names[number]),
            "line": {"color": _hue(number, series), "width": 1.5, "shape": "hv"},
            "hovertemplate": "%{y:,.4~r}" + suffix,
        }
        for number, series in enumerate(figure.series)
    ]
    data += [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [ends[0], ends[-1]] if ends else [],
            "y": [height, height],
            "name": _safe(thresholds),
            "line": {"color": "--critical", "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        }
        for height in figure.thresholds
    ]
    layout = _layout(figure)
    return {"data": data, "layout": {**layout, "yaxis": {**layout["yaxis"], "ticksuffix": suffix}}}


def _layout(figure: Figure) -> dict[str, Any]:
    starts, width = figure.starts, figure.width
    begin, end = (starts[0], starts[-1] + width) if starts else (None, None)
    return {
        "hovermode": "x unified",
        "dragmode": "zoom",
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.14, "yanchor": "top", "x": 0, "itemwidth": 30},
        "xaxis": {
            "type": "date",
            "range": [_text(begin), _text(end)] if begin and end else None,
            "hoverformat": "%Y-%m-%d %H:%M:%S",
            "showgrid": False,
        },
        "yaxis": {"rangemode": "tozero", "fixedrange": True, "tickformat": "~s", "nticks": 6},
    }


def _hue(number: int, series: Series) -> str:
    return _HUES[number % len(_HUES)] if series.name else "--none"


def _safe(name: str) -> str:
    short = plain(name)
    return html.escape(short if len(short) <= _NAME else short[: _NAME - 1] + "…", quote=False)


def _text(at: datetime) -> str:
    """In UTC, without a zone: the library shows what it is given."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
