"""A graph of causes as a drawing: causes to the left of their effects. Pure; places are in the units of an SVG.

Layers by the longest path from a root (Sugiyama); within a layer a box stands near those that it is joined with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

BOX_WIDTH = 212
BOX_HEIGHT = 44
_ACROSS = 276
_DOWN = 56
_SWEEPS = 4

# A box by its name, or the place in a layer where a way of several layers passes.
_Slot = str | tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Box:
    """Where the box of a name is: its upper left corner."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Way:
    """A line from a cause to its effect, as the ``d`` of a path."""

    cause: str
    effect: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that is drawn, and how large that is."""

    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    width: float
    height: float


def draw(names: Sequence[str], edges: Collection[tuple[str, str]]) -> Drawing:
    """The drawing of a graph without cycles; edges of which an end is not among the names are left out."""
    joined = sorted({(cause, effect) for cause, effect in edges if cause in names and effect in names})
    depths = _depths(names, joined)
    ways = {edge: _slots(edge, depths) for edge in joined}
    layers = _ordered(_layers(names, depths, ways.values()), [pair for way in ways.values() for pair in pairwise(way)])
    most = max((len(layer) for layer in layers), default=0)
    places = {
        slot: (depth * _ACROSS, (row + (most - len(layer)) / 2) * _DOWN)
        for depth, layer in enumerate(layers)
        for row, slot in enumerate(layer)
    }
    return Drawing(
        tuple(Box(name, *places[name]) for name in names),
        tuple(Way(*edge, _path([places[slot] for slot in way])) for edge, way in ways.items()),
        (len(layers) - 1) * _ACROSS + BOX_WIDTH if layers else 0,
        (most - 1) * _DOWN + BOX_HEIGHT if layers else 0,
    )


def families(names: Sequence[str], edges: Collection[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The names that edges join, directly or through others, in their order; what is joined with nothing comes last."""
    joined: dict[str, set[str]] = {name: set() for name in names}
    for cause, effect in edges:
        if cause in joined and effect in joined:
            joined[cause].add(effect)
            joined[effect].add(cause)
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in names:
        if name not in seen:
            family = _reached(name, joined)
            seen |= family
            found.append(tuple(each for each in names if each in family) if len(family) > 1 else (name,))
    return sorted(found, key=lambda family: len(family) == 1)


def _reached(name: str, joined: Mapping[str, Collection[str]]) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        new = set(joined[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _depths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many layers are before each: the longest path that ends there."""
    causes: dict[str, list[str]] = {}
    for cause, effect in edges:
        causes.setdefault(effect, []).append(cause)
    found: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in found:
            found[name] = max((depth(cause) + 1 for cause in causes.get(name, ())), default=0)
        return found[name]

    for name in names:
        depth(name)
    return found


def _slots(edge: tuple[str, str], depths: Mapping[str, int]) -> list[_Slot]:
    """What a way goes through, layer by layer."""
    cause, effect = edge
    between = range(depths[cause] + 1, depths[effect])
    return [cause, *((depth, cause, effect) for depth in between), effect]


def _layers(names: Sequence[str], depths: Mapping[str, int], ways: Collection[Sequence[_Slot]]) -> list[list[_Slot]]:
    layers: list[list[_Slot]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for name in names:
        layers[depths[name]].append(name)
    for way in ways:
        for depth, slot in enumerate(way[1:-1], depths[str(way[0])] + 1):
            layers[depth].append(slot)
    return layers


def _ordered(layers: list[list[_Slot]], steps: Sequence[tuple[_Slot, _Slot]]) -> list[list[_Slot]]:
    """Each layer by the mean place of what its slots are joined with, in the layer before and in the one after."""
    before: dict[_Slot, list[_Slot]] = {}
    after: dict[_Slot, list[_Slot]] = {}
    for left, right in steps:
        before.setdefault(right, []).append(left)
        after.setdefault(left, []).append(right)
    for _ in range(_SWEEPS):
        for fixed, moved in pairwise(layers):
            _sort(moved, fixed, before)
        for fixed, moved in pairwise(reversed(layers)):
            _sort(moved, fixed, after)
    return layers


def _sort(layer: list[_Slot], beside: Sequence[_Slot], joined: Mapping[_Slot, Sequence[_Slot]]) -> None:
    rows = {slot: row for row, slot in enumerate(beside)}
    own = {slot: row for row, slot in enumerate(layer)}

    def mean(slot: _Slot) -> float:
        others = [rows[other] for other in joined.get(slot, ())]
        return sum(others) / len(others) if others else own[slot]

    layer.sort(key=mean)


def _path(places: Sequence[tuple[float, float]]) -> str:
    """An arrow from the right side of a box to the left side of another one; straight through what is between."""
    middle = BOX_HEIGHT / 2
    x, y = places[0][0] + BOX_WIDTH, places[0][1] + middle
    parts = [f"M{x:g} {y:g}"]
    for number, (next_x, top) in enumerate(places[1:], 2):
        next_y, half = top + middle, (x + next_x) / 2
        parts.append(f"C{half:g} {y:g} {half:g} {next_y:g} {next_x:g} {next_y:g}")
        x, y = next_x, next_y
        if number < len(places):
            x += BOX_WIDTH
            parts.append(f"H{x:g}")
    return "".join([*parts, f"M{x - 6:g} {y - 4:g}L{x:g} {y:g}L{x - 6:g} {y + 4:g}"])
