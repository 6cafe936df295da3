"""A figure as the chart library wants it: plain values for JSON. Pure.

Colours are names of the style sheet's variables, which the page's script looks up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultline.dispatch.links import instant
from faultline.page.figures import Figure, Series
from faultline.page.templates import plain

HUES = ("--huea", "--hueb", "--huec", "--hued", "--huee", "--huef", "--hueg", "--hueh")
# A level has the same colour wherever it is shown.
_OF_LEVELS = {"CRITICAL": "--critical", "ERROR": "--error", "WARNING": "--warning", "INFO": "--info"}
_OTHERS = "--others"
_NAME = 48


def stack_colour(number: int, series: Series, *, levels: bool = False) -> str:
    """The colour of the series of that number in a stack; ``levels`` when each series is a level."""
    if levels:
        return _OF_LEVELS.get(series.name, _OTHERS)
    return HUES[number % len(HUES)] if series.labels else _OTHERS


def bars(figure: Figure, names: Sequence[str], colours: Sequence[str]) -> dict[str, Any]:
    """Stacked bars, each in the middle of its step."""
    middles = [instant(start + figure.width / 2) for start in figure.starts]
    data = [
        {
            "type": "bar",
            "x": middles,
            "y": list(series.values),
            "name": _short(name),
            "marker": {"color": colour},
            "hovertemplate": "%{y:,}",
        }
        for series, name, colour in zip(figure.series, names, colours, strict=True)
    ]
    return {"data": data, "layout": {**_layout(figure), "barmode": "stack", "bargap": 0.12}}


def lines(figure: Figure, names: Sequence[str], colours: Sequence[str], threshold: str) -> dict[str, Any]:
    """A line for each series, at the ends of its windows, and one for each threshold."""
    suffix = "%" if figure.percent else ""
    ends = [instant(start + figure.width) for start in figure.starts]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": ends,
            "y": [round(value, 2) for value in series.values],
            "name": _short(name),
            "line": {"color": colour, "width": 1.5, "shape": "hv"},
            "hovertemplate": "%{y:,.4~r}" + suffix,
        }
        for series, name, colour in zip(figure.series, names, colours, strict=True)
    ]
    data += [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [ends[0], ends[-1]],
            "y": [height, height],
            "name": _short(threshold),
            "line": {"color": "--critical", "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        }
        for height in figure.thresholds
        if ends
    ]
    layout = _layout(figure)
    return {"data": data, "layout": {**layout, "yaxis": {**layout["yaxis"], "ticksuffix": suffix}}}


def _layout(figure: Figure) -> dict[str, Any]:
    starts, width = figure.starts, figure.width
    return {
        "hovermode": "x unified",
        "dragmode": "zoom",
        "showlegend": False,
        "xaxis": {
            "type": "date",
            "range": [instant(starts[0]), instant(starts[-1] + width)] if starts else None,
            "hoverformat": "%Y-%m-%d %H:%M:%S",
            "showgrid": False,
        },
        "yaxis": {"rangemode": "tozero", "fixedrange": True, "tickformat": "~s", "nticks": 6},
    }


def _short(name: str) -> str:
    text = plain(name)
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"
