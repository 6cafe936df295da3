"""Now: what fires, as trees, each effect under its root; and why nobody is told of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from faultline.adapters.database import Evaluated, Message
from faultline.alerting.alerts import Alert
from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.silences import Silence
from faultline.model import AlertState
from faultline.page.asked import AskedNow
from faultline.page.rows import Row, make_row, own_labels
from faultline.page.trees import ENDED, Filter, Group, Tree, count_states, grouped, plant, prune
from faultline.steps.alerts import LEASE

NAME = "now"
router = APIRouter()

# More alerts than these are not looked at, and the page says so.
MOST = 20_000
TREES = 25
EFFECTS = 10
# Of a tree that is looked at by itself.
EFFECTS_ALONE = 100
_MESSAGES = 2_000
_LATE = timedelta(minutes=1)
STATES = tuple(state for state in AlertState if state not in ENDED)


@dataclass(frozen=True, slots=True)
class ShownTree:
    """A tree with the rows of the root and of as many effects as are shown at once."""

    tree: Tree
    root: Row
    effects: tuple[Row, ...]
    first: int

    @property
    def more(self) -> int:
        """How many effects come after those shown."""
        return len(self.tree.effects) - self.first - len(self.effects)


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """Trees of one rule and what they have in common."""

    rule: str
    shared: Mapping[str, str]
    trees: tuple[ShownTree, ...]


@router.get("/now")
def now(
    asked: AskedNow,
    state: Annotated[list[AlertState] | None, Query()] = None,
    severity: str = "",
    q: str = "",
    episode: str = "",
    page: Annotated[int, Query(ge=1)] = 1,
    effects: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Alerts that go on, a page of trees of them."""
    matchers, fault = _read_matchers(q)
    wanted = Filter(frozenset(state or ()), severity, matchers, episode)
    outlines = asked.database.live_outlines(MOST)
    planted = plant(outlines)
    trees = prune(planted, wanted)
    pages = max(-(-len(trees) // TREES), 1)
    here = trees[(min(page, pages) - 1) * TREES :][:TREES]
    evaluated = asked.database.evaluated(LEASE)
    query = {"state": [*(state or ())], "severity": severity, "q": q, "episode": episode}
    return asked.render(
        "now.html.j2",
        groups=_shown(asked, grouped(here), first=effects, most=EFFECTS_ALONE if episode else EFFECTS),
        counts=dict(count_states(planted)),
        severities=sorted({each.severity for each in outlines if each.severity}),
        states=STATES,
        query=query,
        fault=fault,
        found=len(trees),
        page=min(page, pages),
        pages=pages,
        most=MOST if len(outlines) == MOST else None,
        evaluated=evaluated,
        late=_is_late(evaluated, asked.at),
    )


def _shown(asked: AskedNow, groups: Sequence[Group], *, first: int, most: int) -> list[ShownGroup]:
    """The groups with what is known of the alerts that are shown."""
    visible = {
        outline.episode
        for group in groups
        for tree in group.trees
        for outline in (tree.root, *tree.effects[first : first + most])
    }
    alerts = asked.database.alerts_of(visible)
    messages: dict[str, list[Message]] = {}
    for message in asked.database.messages_of(visible, _MESSAGES):
        messages.setdefault(message.episode, []).append(message)
    silences = [stored.silence for stored in asked.database.silences(asked.at)]
    return [_show_group(group, alerts, messages, silences, asked.at, first, most) for group in groups]


def _show_group(
    group: Group,
    alerts: Mapping[str, Alert],
    messages: Mapping[str, Sequence[Message]],
    silences: Sequence[Silence],
    at: datetime,
    first: int,
    most: int,
) -> ShownGroup:
    def row(alert: Alert, above: Mapping[str, str], depth: int = 0) -> Row:
        said = messages.get(alert.episode, ())
        return make_row(alert, above=above, messages=said, silences=silences, at=at, depth=depth)

    shown = []
    for tree in group.trees:
        if root := alerts.get(tree.root.episode):  # what ended since the outlines were read is left out
            effects = [alerts[each.episode] for each in tree.effects[first : first + most] if each.episode in alerts]
            rows = tuple(row(effect, root.labels, depth) for depth, effect in nested(root, effects))
            shown.append(ShownTree(tree, row(root, group.shared), rows, first))
    return ShownGroup(group.rule, own_labels(group.shared, {}), tuple(shown))


def nested(root: Alert, effects: Sequence[Alert]) -> list[tuple[int, Alert]]:
    """The effects with how deep they are, each below the nearest of its causes that is there."""
    children: dict[str, list[Alert]] = {}
    there = {root.episode, *(effect.episode for effect in effects)}
    for effect in effects:
        near = [cause.episode for cause in effect.causes if cause.episode in there]
        children.setdefault(near[-1] if near else root.episode, []).append(effect)
    found: list[tuple[int, Alert]] = []
    waiting = [(1, child) for child in reversed(children.get(root.episode, ()))]
    while waiting:
        depth, effect = waiting.pop()
        found.append((depth, effect))
        waiting += [(depth + 1, child) for child in reversed(children.get(effect.episode, ()))]
    # Rules that were turned round meanwhile can have made two alerts each other's cause: none of them is lost.
    shown = {effect.episode for _, effect in found}
    return [*found, *((1, effect) for effect in effects if effect.episode not in shown)]


def _read_matchers(text: str) -> tuple[tuple[Matcher, ...], str]:
    """What somebody typed, or what is wrong with it."""
    try:
        return (parse_matchers(text) if text.strip() else ()), ""
    except ValueError as error:
        return (), str(error)


def _is_late(evaluated: Evaluated | None, at: datetime) -> bool:
    return evaluated is None or at - evaluated.at > _LATE
