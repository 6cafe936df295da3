"""Alerts that go on as trees: a root, and under it what it explains. Pure: outlines in, trees out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from faultline.adapters.database import Outline
from faultline.alerting.matchers import Matcher, matches_all
from faultline.alerting.severities import rank
from faultline.model import AlertState

ENDED = frozenset({AlertState.INACTIVE, AlertState.RESOLVED, AlertState.EXPIRED})
# What a person may have to do something about comes first.
URGENCY = (
    *(AlertState.FIRING, AlertState.ACKED, AlertState.HELD, AlertState.RECOVERING, AlertState.SUPPRESSED),
    *(AlertState.PENDING, *ENDED),
)


@dataclass(frozen=True)
class Tree:
    """A root and everything it explains that goes on, in the order in which it began."""

    root: Outline
    effects: tuple[Outline, ...] = ()

    @property
    def members(self) -> tuple[Outline, ...]:
        """The root and its effects."""
        return (self.root, *self.effects)

    @cached_property
    def states(self) -> list[tuple[AlertState, int]]:
        """How many effects are in each state, the most urgent state first."""
        counted = Counter(effect.state for effect in self.effects)
        return [(state, counted[state]) for state in URGENCY if counted[state]]

    @cached_property
    def records(self) -> int:
        """The records of all effects."""
        return sum(effect.records for effect in self.effects)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts somebody wants to see; what is empty asks for nothing."""

    states: frozenset[AlertState] = frozenset()
    severity: str = ""
    matchers: tuple[Matcher, ...] = ()
    episode: str = ""
    rule: str = ""
    text: str = ""

    def admits(self, outline: Outline) -> bool:
        """Whether it is one of them."""
        return (
            (not self.rule or outline.rule == self.rule)
            and (not self.text or _has(outline, self.text.casefold()))
            and (not self.states or outline.state in self.states)
            and (not self.severity or outline.severity == self.severity)
            and (not self.episode or outline.episode == self.episode)
            and matches_all(self.matchers, outline.labels)
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Trees whose roots are alerts of one rule, and the labels that all of these have."""

    rule: str
    shared: Mapping[str, str]
    trees: tuple[Tree, ...]


def plant(outlines: Iterable[Outline], *, ended: bool = False) -> list[Tree]:
    """Every alert that goes on is in one tree; a root that has ended stays while something under it goes on.

    With ``ended`` every alert is.
    """
    known = {outline.episode: outline for outline in outlines}
    under: dict[str, list[Outline]] = {}
    for outline in sorted(known.values(), key=lambda each: (each.starts_at, each.episode)):
        if ended or outline.state not in ENDED:
            root = _root_of(outline, known)
            effects = under.setdefault(root.episode, [])
            if root is not outline:
                effects.append(outline)
    trees = [Tree(known[root], tuple(effects)) for root, effects in under.items()]
    return sorted(trees, key=_urgency)


def prune(trees: Iterable[Tree], wanted: Filter) -> list[Tree]:
    """The trees with an alert that is wanted; under a root that is not only the effects that are."""
    shown = []
    for tree in trees:
        effects = tuple(filter(wanted.admits, tree.effects))
        if wanted.admits(tree.root) or (effects and wanted.episode):
            shown.append(tree)
        elif effects:
            shown.append(replace(tree, effects=effects))
    return shown


def grouped(trees: Sequence[Tree]) -> list[Group]:
    """The trees by the rules of their roots, in the order of the first of each."""
    rules: dict[str, list[Tree]] = {}
    for tree in trees:
        rules.setdefault(tree.root.rule, []).append(tree)
    return [Group(rule, _shared(group), tuple(group)) for rule, group in rules.items()]


def count_states(trees: Iterable[Tree]) -> list[tuple[AlertState, int]]:
    """How many alerts are in each state, the most urgent state first; ended roots are not counted."""
    return [(state, number) for state, number in count_all(trees) if state not in ENDED]


def count_all(trees: Iterable[Tree]) -> list[tuple[AlertState, int]]:
    """How many alerts are in each state, the most urgent state first."""
    counted = Counter(outline.state for tree in trees for outline in tree.members)
    return [(state, counted[state]) for state in URGENCY if counted[state]]


def _root_of(outline: Outline, known: Mapping[str, Outline]) -> Outline:
    """The top of the tree it is in; a cause that nobody remembers is none."""
    seen, top = {outline.episode}, outline
    while top.root is not None and top.root in known and top.root not in seen:
        seen.add(top.root)
        top = known[top.root]
    return top


def _has(outline: Outline, text: str) -> bool:
    """Whether its name or its labels have the text, which is in lower case."""
    return any(text in part.casefold() for part in (outline.rule, *outline.labels, *outline.labels.values()))


def _shared(trees: Sequence[Tree]) -> dict[str, str]:
    if len(trees) < 2:
        return {}
    first, *others = (tree.root.labels for tree in trees)
    return {name: value for name, value in first.items() if all(labels.get(name) == value for labels in others)}


def _urgency(tree: Tree) -> tuple[int, int, float, str]:
    root = tree.root
    return URGENCY.index(root.state), -rank(root.severity), -root.starts_at.timestamp(), root.episode
