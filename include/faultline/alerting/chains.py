"""The graph of causes: which rule may cause which, through which paths, and when two alerts are on such a path.

Pure structure: it knows labels and times of two alerts at most; ``lifecycle`` decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from faultline.alerting.matchers import Condition, matches_all
from faultline.alerting.precedence import Sides, rank, sources_first

LabelPairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Causes that explain an effect only together."""

    name: str
    causes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Edge:
    """A cause and its direct effect; ``equal`` pairs a label of the cause with the one of the effect it must equal.

    ``optional`` are pairs that agree when both labels are missing. No path leads on over an edge with ``stop``. Effects
    that match one of ``never_suppress`` are not its effects; with ``any_time`` it matters not which starts first.
    ``source`` and ``target`` are what the two alerts must match, and an effect that matches both is only that of a
    cause which does not. Cause and effect may be alerts of one rule where these tell them apart.
    """

    cause: str
    effect: str
    equal: LabelPairs
    hold: timedelta
    within: timedelta
    recovery_grace: timedelta
    optional: LabelPairs = frozenset()
    stop: bool = False
    max_suppression: timedelta | None = None
    breakthrough: float | None = None
    never_suppress: tuple[Condition, ...] = ()
    group: AllOf | None = None
    any_time: bool = False
    source: Condition = ()
    target: Condition = ()

    @property
    def is_within_rule(self) -> bool:
        """Whether it is between alerts of one rule, of which ``source`` and ``target`` say which is which."""
        return self.cause == self.effect and bool(self.source or self.target)


@dataclass(frozen=True)
class Path:
    """A way from ``rules[0]``, a possible root, down to ``rules[-1]``, its possible effect, over any number of edges.

    ``equal`` holds the bindings composed along the way. Holds add up, so a cascade that arrives leaf first still
    collapses; ``within``, ``max_suppression`` and ``breakthrough`` are the tightest of the edges', ``recovery_grace``
    the longest. ``groups`` are the causes that must be there together, each with the one that is on this path.
    """

    rules: tuple[str, ...]
    equal: LabelPairs
    hold: timedelta
    within: timedelta
    recovery_grace: timedelta
    optional: LabelPairs = frozenset()
    stop: bool = False
    max_suppression: timedelta | None = None
    breakthrough: float | None = None
    never_suppress: tuple[Condition, ...] = ()
    groups: frozenset[tuple[AllOf, str]] = frozenset()
    any_time: bool = False
    source: Condition = ()
    target: Condition = ()

    def __hash__(self) -> int:
        return hash(self.rules)

    @property
    def cause(self) -> str:
        """The rule the path starts at."""
        return self.rules[0]

    @cached_property
    def cause_names(self) -> tuple[tuple[str, bool], ...]:
        """The labels of a cause that are bound, and whether it may lack them; in the order of ``effect_names``."""
        return tuple((name, (name, other) in self.optional) for name, other in sorted(self.equal))

    @cached_property
    def effect_names(self) -> tuple[str, ...]:
        """The labels of an effect that are bound."""
        return tuple(other for _, other in sorted(self.equal))

    @cached_property
    def _needed(self) -> frozenset[str]:
        return frozenset(other for _, other in self.equal - self.optional)

    def admits(self, cause: Mapping[str, str], effect: Mapping[str, str]) -> bool:
        """Whether the two match what the path asks of them, besides the labels that must be equal."""
        if not self.source:
            return True
        if not matches_all(self.source, cause):
            return False
        return not (matches_all(self.source, effect) and matches_all(self.target, cause))

    def could_bind(self, effect: Mapping[str, str]) -> bool:
        """Whether any cause at all could bind to an effect with these labels."""
        for name in self._needed:
            if name not in effect:
                return False
        if self.never_suppress and any(matches_all(condition, effect) for condition in self.never_suppress):
            return False
        return matches_all(self.target, effect)


@dataclass(frozen=True)
class ChainGraph:
    """All chains together, without cycles; build it with ``build_graph``."""

    edges: tuple[Edge, ...]
    order: tuple[str, ...]

    @cached_property
    def _paths(self) -> Mapping[str, tuple[Path, ...]]:
        paths: dict[str, tuple[Path, ...]] = {}
        for rule in self.order:
            direct = [edge for edge in self.edges if edge.effect == rule]
            above = [edge for edge in direct if not edge.is_within_rule]
            joined = (_join(path, edge) for edge in above for path in paths[edge.cause])
            longer = (path for path in joined if path is not None)
            paths[rule] = tuple(dict.fromkeys((*(_start(edge) for edge in direct), *longer)))
        return paths

    def paths_to(self, rule: str) -> tuple[Path, ...]:
        """Every path that ends at the rule."""
        return self._paths.get(rule, ())

    def has_effects(self, rule: str, labels: Mapping[str, str]) -> bool:
        """Whether an alert of the rule with these labels may cause anything."""
        return any(matches_all(source, labels) for source in self._sources.get(rule, ()))

    def ancestors(self, rule: str) -> frozenset[str]:
        """Every rule that a path leads from to this one; the rule itself where its alerts may mute each other."""
        return self._ancestors[rule]

    def ranks(self, rule: str) -> int:
        """How many ranks the alerts of a rule have: one, unless they may mute each other."""
        return 2 * len(self._within.get(rule, ())) + 1

    def rank(self, rule: str, labels: Mapping[str, str]) -> int:
        """The place of an alert among those of its rule: it is explained only by those with a lower one."""
        order = self._within.get(rule)
        return rank(order, labels) if order else 0

    @cached_property
    def _sources(self) -> Mapping[str, set[Condition]]:
        found: dict[str, set[Condition]] = {}
        for edge in self.edges:
            found.setdefault(edge.cause, set()).add(edge.source)
        return found

    @cached_property
    def _within(self) -> Mapping[str, tuple[Sides, ...]]:
        return within_rules(self.edges)

    @cached_property
    def _ancestors(self) -> Mapping[str, frozenset[str]]:
        return {rule: frozenset(path.cause for path in self.paths_to(rule)) for rule in self.order}

    def hold(self, rule: str, labels: Mapping[str, str]) -> timedelta:
        """How long an alert of the rule waits for a cause: the longest of the paths that could bind to it."""
        holds = (path.hold for path in self.paths_to(rule) if path.could_bind(labels))
        return max(holds, default=timedelta(0))

    def memory(self, rule: str) -> timedelta:
        """How long after its end an alert of the rule still explains effects, or may come back as the same episode."""
        paths = self._paths_from.get(rule, ())
        return max((max(path.within, path.recovery_grace) for path in paths), default=timedelta(0))

    def grace(self, rule: str) -> timedelta:
        """How long the effects of an alert of the rule have to recover after it."""
        return max((path.recovery_grace for path in self._paths_from.get(rule, ())), default=timedelta(0))

    @cached_property
    def _paths_from(self) -> Mapping[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in (path for end in self.order for path in self.paths_to(end)):
            found.setdefault(path.cause, []).append(path)
        return found


def within_rules(edges: Iterable[Edge]) -> dict[str, tuple[Sides, ...]]:
    """The edges between alerts of one rule, by the rule, sources first."""
    found: dict[str, list[Sides]] = {}
    for edge in edges:
        if edge.is_within_rule:
            found.setdefault(edge.cause, []).append(Sides(edge.source, edge.target))
    return {rule: sources_first(sides) for rule, sides in found.items()}


def build_graph(rules: Sequence[str], edges: Iterable[Edge]) -> ChainGraph:
    """The graph over the named rules, causes before effects; ValueError prints the path of a cycle."""
    every = tuple(dict.fromkeys(edges))
    cycle = find_cycle(every)
    if cycle:
        raise ValueError(f"a cycle: {' → '.join(cycle)}")
    return ChainGraph(every, _sorted(rules, every))


def find_cycle(edges: Sequence[Edge]) -> tuple[str, ...]:
    """The rules along one cycle, its start repeated at the end; empty when there is none."""
    effects: dict[str, list[str]] = {}
    for edge in _between_rules(edges):
        effects.setdefault(edge.cause, []).append(edge.effect)
    done: set[str] = set()
    for start in effects:
        found = _walk(start, effects, (), done)
        if found:
            return found
    return ()


def _walk(rule: str, effects: Mapping[str, list[str]], way: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    if rule in way:
        return (*way[way.index(rule) :], rule)
    if rule in done:
        return ()
    for effect in effects.get(rule, []):
        found = _walk(effect, effects, (*way, rule), done)
        if found:
            return found
    done.add(rule)
    return ()


def _between_rules(edges: Iterable[Edge]) -> list[Edge]:
    return [edge for edge in edges if not edge.is_within_rule]


def _sorted(rules: Sequence[str], edges: Iterable[Edge]) -> tuple[str, ...]:
    order: list[str] = []
    waiting, between = list(rules), _between_rules(edges)
    while waiting:
        ready = next(rule for rule in waiting if not any(e.effect == rule and e.cause in waiting for e in between))
        waiting.remove(ready)
        order.append(ready)
    return tuple(order)


def _start(edge: Edge) -> Path:
    return Path(
        (edge.cause, edge.effect),
        edge.equal,
        edge.hold,
        edge.within,
        edge.recovery_grace,
        edge.optional,
        edge.stop,
        edge.max_suppression,
        edge.breakthrough,
        edge.never_suppress,
        frozenset() if edge.group is None else frozenset({(edge.group, edge.cause)}),
        edge.any_time,
        edge.source,
        edge.target,
    )


def _join(path: Path, edge: Edge) -> Path | None:
    """The path one edge longer. None where one of them says stop, and where both bind labels, but not the same ones, so
    that together they would bind nothing.

    Without that, ``equal: [host]`` followed by ``equal: [service]`` would let any host mute any service. Such an effect
    is still suppressed through a live alert in the middle, whose labels tell what belongs together.
    """
    if path.stop or edge.stop:
        return None
    equal = _composed(path.equal, edge.equal)
    if not equal and path.equal and edge.equal:
        return None
    last = _start(edge)
    return Path(
        (*path.rules, edge.effect),
        equal,
        path.hold + last.hold,
        min(path.within, last.within),
        max(path.recovery_grace, last.recovery_grace),
        _composed(path.optional, last.optional),
        False,
        min((each for each in (path.max_suppression, last.max_suppression) if each is not None), default=None),
        min((each for each in (path.breakthrough, last.breakthrough) if each is not None), default=None),
        (*path.never_suppress, *last.never_suppress),
        path.groups | last.groups,
    )


def _composed(first: LabelPairs, then: LabelPairs) -> LabelPairs:
    return frozenset((cause, effect) for cause, middle in first for same, effect in then if middle == same)
