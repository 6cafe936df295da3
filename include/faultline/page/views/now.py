"""Now: what fires, as trees, each effect under its root; and why nobody is told of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Response

from faultline.adapters.database import Evaluated, Message
from faultline.alerting.acks import sounding_only
from faultline.alerting.alerts import LEASE, Alert
from faultline.alerting.matchers import Matcher, parse_matchers
from faultline.alerting.rules import Rules
from faultline.model import Ack, AlertState
from faultline.page.asked import Asked, AskedNow
from faultline.page.in_force import rules_in_force
from faultline.page.rows import Knowledge, Row
from faultline.page.trees import ENDED, Filter, Group, Tree, count_states, grouped, plant, prune
from faultline.page.views import silences

NAME = "now"
router = APIRouter()
router.include_router(silences.router)

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
    rules = rules_in_force(asked.database, evaluated)
    query = {"state": [*(state or ())], "severity": severity, "q": q, "episode": episode}
    return asked.render(
        "now.html.j2",
        groups=_shown(asked, grouped(here), rules, effects, EFFECTS_ALONE if episode else EFFECTS),
        counts=dict(count_states(planted)),
        severities=sorted({each.severity for each in outlines if each.severity}),
        states=STATES,
        query=query,
        fault=fault,
        over=asked.database.alerts_of([episode]).get(episode) if episode and not trees else None,
        page=min(page, pages),
        pages=pages,
        most=MOST if len(outlines) == MOST else None,
        evaluated=evaluated,
        late=_is_late(evaluated, asked.at),
    )


def _shown(asked: Asked, groups: Sequence[Group], rules: Rules | None, first: int, most: int) -> list[ShownGroup]:
    """The groups with what is known of the alerts that are shown."""
    roots = {tree.root.episode for group in groups for tree in group.trees}
    effects = (each for group in groups for tree in group.trees for each in tree.effects[first : first + most])
    visible = roots | {outline.episode for outline in effects}
    messages: dict[str, list[Message]] = {}
    for message in asked.database.messages_of(visible, _MESSAGES):
        messages.setdefault(message.episode, []).append(message)
    silences, acks = asked.database.interventions(asked.at)
    knowledge = Knowledge(
        alerts=asked.database.alerts_of(visible),
        messages=messages,
        last=asked.database.last_notifications(roots),
        silences=[*(rules.file.silences if rules else ()), *silences],
        acks={ack.episode: ack for ack in acks},
        at=asked.at,
    )
    return [_show_group(group, knowledge, first, most) for group in groups]


def _show_group(group: Group, known: Knowledge, first: int, most: int) -> ShownGroup:
    shown = []
    for tree in group.trees:
        if root := known.alerts.get(tree.root.episode):  # what was deleted since the outlines were read is left out
            found = (known.alerts.get(each.episode) for each in tree.effects[first : first + most])
            effects = nested(root, [effect for effect in found if effect])
            rows = tuple(known.row(effect, root.labels, depth) for depth, effect in effects)
            shown.append(ShownTree(tree, known.row(root, group.shared), rows, first))
    return ShownGroup(group.rule, group.shared, tuple(shown))


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


@router.post("/ack")
def acknowledge(asked: AskedNow, episode: Annotated[str, Form()], comment: Annotated[str, Form()] = "") -> Response:
    """Take an alert on: it is not sent again, and whoever was told hears who has it."""
    alert = asked.database.alerts_of([episode]).get(episode)
    if alert is None:
        raise HTTPException(404)
    if sounding_only(alert).ack is None:
        asked.database.add_ack(Ack(episode, asked.by, asked.at, comment.strip()))
    return asked.go("/now", episode=episode)


def _read_matchers(text: str) -> tuple[tuple[Matcher, ...], str]:
    """What somebody typed, or what is wrong with it."""
    try:
        return (parse_matchers(text) if text.strip() else ()), ""
    except ValueError as error:
        return (), str(error)


def _is_late(evaluated: Evaluated | None, at: datetime) -> bool:
    return evaluated is None or at - evaluated.at > _LATE
