"""The graph of causes: which rule may cause which, through which paths, and when two alerts are on such a path.

Pure structure: it knows labels and times of two alerts at most; ``lifecycle`` decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

LabelPairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Edge:
    """A cause and its direct effect; ``equal`` pairs a label of the cause with the one of the effect it must equal."""

    cause: str
    effect: str
    equal: LabelPairs
    hold: timedelta
    within: timedelta
    recovery_grace: timedelta


@dataclass(frozen=True, slots=True)
class Path:
    """A way from ``rules[0]``, a possible root, down to ``rules[-1]``, its possible effect, over any number of edges.

    ``equal`` holds the bindings composed along the way. Holds add up, so a cascade that arrives leaf first still
    collapses; ``within`` is the tightest of the edges', ``recovery_grace`` the longest.
    """

    rules: tuple[str, ...]
    equal: LabelPairs
    hold: timedelta
    within: timedelta
    recovery_grace: timedelta

    @property
    def cause(self) -> str:
        """The rule the path starts at."""
        return self.rules[0]

    def binds(self, cause: Mapping[str, str], effect: Mapping[str, str]) -> bool:
        """Whether the labels agree; a label missing on either side matches nothing."""
        return all(name in cause and other in effect and cause[name] == effect[other] for name, other in self.equal)

    def could_bind(self, effect: Mapping[str, str]) -> bool:
        """Whether any cause at all could bind to an effect with these labels."""
        return all(other in effect for _, other in self.equal)


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
            joined = (_join(path, edge) for edge in direct for path in paths[edge.cause])
            longer = (path for path in joined if path is not None)
            paths[rule] = tuple(dict.fromkeys((*(_start(edge) for edge in direct), *longer)))
        return paths

    def paths_to(self, rule: str) -> tuple[Path, ...]:
        """Every path that ends at the rule."""
        return self._paths.get(rule, ())

    def has_effects(self, rule: str) -> bool:
        """Whether the rule causes anything."""
        return rule in self._causing

    def ancestors(self, rule: str) -> frozenset[str]:
        """Every rule that a path leads from to this one."""
        return self._ancestors[rule]

    @cached_property
    def _causing(self) -> frozenset[str]:
        return frozenset(edge.cause for edge in self.edges)

    @cached_property
    def _ancestors(self) -> Mapping[str, frozenset[str]]:
        return {rule: frozenset(path.cause for path in self.paths_to(rule)) for rule in self.order}

    def hold(self, rule: str, labels: Mapping[str, str]) -> timedelta:
        """How long an alert of the rule waits for a cause: the longest of the paths that could bind to it."""
        holds = (path.hold for path in self.paths_to(rule) if path.could_bind(labels))
        return max(holds, default=timedelta(0))

    def memory(self, rule: str) -> timedelta:
        """How long after its end an alert of the rule still explains effects."""
        paths = (path for end in self.order for path in self.paths_to(end))
        return max((path.within for path in paths if path.cause == rule), default=timedelta(0))


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
    for edge in edges:
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


def _sorted(rules: Sequence[str], edges: Sequence[Edge]) -> tuple[str, ...]:
    order: list[str] = []
    waiting = list(rules)
    while waiting:
        ready = next(rule for rule in waiting if not any(e.effect == rule and e.cause in waiting for e in edges))
        waiting.remove(ready)
        order.append(ready)
    return tuple(order)


def _start(edge: Edge) -> Path:
    return Path((edge.cause, edge.effect), edge.equal, edge.hold, edge.within, edge.recovery_grace)


def _join(path: Path, edge: Edge) -> Path | None:
    """The path one edge longer; None when both bind labels, but not the same ones, so that together they bind nothing.

    Without this, ``equal: [host]`` followed by ``equal: [service]`` would let any host mute any service. Such an effect
    is still suppressed through a live alert in the middle, whose labels tell what belongs together.
    """
    equal = frozenset((cause, effect) for cause, middle in path.equal for same, effect in edge.equal if middle == same)
    if not equal and path.equal and edge.equal:
        return None
    return Path(
        (*path.rules, edge.effect),
        equal,
        path.hold + edge.hold,
        min(path.within, edge.within),
        max(path.recovery_grace, edge.recovery_grace),
    )
