"""History: the episodes of a span of time as bars, what was kept back in it, and what became of its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from faultline.adapters.database import Outline
from faultline.dispatch.delivery import OutboxState
from faultline.model import AlertState, Interval
from faultline.page.asked import AskedNow
from faultline.page.lanes import Bar, bar, ticks
from faultline.page.rows import below
from faultline.page.spans import read_span
from faultline.page.trees import Filter, Tree, count_all, plant, prune
from faultline.page.views import episode

NAME = "history"
router = APIRouter()
router.include_router(episode.router)

DEFAULT_SINCE = "24h"
# More episodes than these are not looked at, and the page says so.
MOST = 10_000
TREES = 25
EFFECTS = 5
# Of a tree that is looked at by itself.
EFFECTS_ALONE = 100
ROWS = 50


@dataclass(frozen=True, slots=True)
class Past:
    """What an address asks of the past: when, of which rule, and with which text in a name or a label."""

    since: str = ""
    until: str = ""
    rule: str = ""
    q: str = ""
    page: Annotated[int, Query(ge=1, le=100_000)] = 1

    def span(self, now: datetime) -> tuple[Interval, str]:
        """From when to when, and what is wrong with how it is written; then it is the day before now."""
        return read_span(self.since, self.until, DEFAULT_SINCE, now, future=True)

    @property
    def query(self) -> dict[str, Any]:
        """The parameters of an address that asks the same."""
        return {"since": self.since, "until": self.until, "rule": self.rule, "q": self.q}

    @property
    def rows(self) -> range:
        """The rows of the page, and one more to know of a next page."""
        return range((self.page - 1) * ROWS, self.page * ROWS + 1)


AskedPast = Annotated[Past, Depends()]


@dataclass(frozen=True, slots=True)
class Lane:
    """An episode's row: the labels that nothing above it has, and its bar."""

    outline: Outline
    labels: Mapping[str, str]
    bar: Bar


@dataclass(frozen=True, slots=True)
class Family:
    """A root and as many of its effects as are shown at once."""

    tree: Tree
    root: Lane
    effects: tuple[Lane, ...]
    first: int

    @property
    def more(self) -> int:
        """How many effects come after those shown."""
        return len(self.tree.effects) - self.first - len(self.effects)


@router.get("/history")
def history(
    asked: AskedNow,
    past: AskedPast,
    state: Annotated[list[AlertState] | None, Query()] = None,
    severity: str = "",
    episode: str = "",
    effects: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Episodes as bars, a page of trees of them, what began last first."""
    span, fault = past.span(asked.at)
    outlines = asked.database.outlines_between(span, MOST)
    planted = plant(outlines, ended=True)
    wanted = Filter(frozenset(state or ()), severity, episode=episode, rule=past.rule, text=past.q)
    trees = sorted(prune(planted, wanted), key=lambda tree: tree.root.starts_at, reverse=True)
    pages = max(-(-len(trees) // TREES), 1)
    here = trees[(min(past.page, pages) - 1) * TREES :][:TREES]
    most = EFFECTS_ALONE if episode else EFFECTS
    return asked.render(
        "history.html.j2",
        view="history",
        families=[_family(tree, span, asked.at, effects, most) for tree in here],
        counts=dict(count_all(planted)),
        severities=sorted({each.severity for each in outlines if each.severity}),
        rules=sorted({each.rule for each in outlines}),
        ticks=ticks(span),
        span=span,
        default_since=DEFAULT_SINCE,
        query={**past.query, "state": [*(state or ())], "severity": severity, "episode": episode},
        fault=fault,
        page=min(past.page, pages),
        pages=pages,
        most=MOST if len(outlines) == MOST else None,
    )


def _family(tree: Tree, span: Interval, now: datetime, first: int, most: int) -> Family:
    def lane(outline: Outline, above: Mapping[str, str]) -> Lane:
        drawn = bar(span, outline.starts_at, outline.over_at, now)
        return Lane(outline, below(above, outline.labels), drawn)

    shown = tree.effects[first : first + most]
    return Family(tree, lane(tree.root, {}), tuple(lane(each, tree.root.labels) for each in shown), first)


@router.get("/history/suppressed")
def suppressed(asked: AskedNow, past: AskedPast) -> Response:
    """What was kept from people, by what, and how that ended."""
    span, fault = past.span(asked.at)
    found = asked.database.ledger_between(span, past.q, past.rule, past.rows)
    return _list(asked, past, span, fault, "suppressed", found)


@router.get("/history/messages")
def messages(asked: AskedNow, past: AskedPast, state: Annotated[list[OutboxState] | None, Query()] = None) -> Response:
    """What people were told, and what the providers said."""
    span, fault = past.span(asked.at)
    found = asked.database.messages_between(span, past.q, past.rule, state or (), past.rows)
    return _list(asked, past, span, fault, "messages", found, state=[*(state or ())])


def _list(
    asked: AskedNow, past: Past, span: Interval, fault: str, view: str, found: Sequence[Any], **more: Any
) -> Response:
    return asked.render(
        f"{view}.html.j2",
        view=view,
        rows=found[:ROWS],
        following=len(found) > ROWS,
        states=tuple(OutboxState),
        rules=asked.database.rules_with_alerts(),
        span=span,
        default_since=DEFAULT_SINCE,
        query={**past.query, **more},
        fault=fault,
        page=past.page,
    )
