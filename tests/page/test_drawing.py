"""A graph of causes is drawn with causes to the left of their effects, and nothing over anything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.page.drawing import BOX_HEIGHT, BOX_WIDTH, Drawing, draw, families

NAMES = st.integers(1, 9).map(lambda number: [f"R{each}" for each in range(number)])


@st.composite
def graphs(draw_from: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Names, and edges that lead from earlier ones to later ones."""
    names = draw_from(NAMES)
    pairs = [(names[first], name) for last, name in enumerate(names) for first in range(last)]
    return names, draw_from(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


def columns(drawing: Drawing) -> list[list[str]]:
    """The names from left to right, of each column from above."""
    places = sorted({box.x for box in drawing.boxes})
    boxes = sorted(drawing.boxes, key=lambda box: box.y)
    return [[box.name for box in boxes if box.x == x] for x in places]


def test_a_chain_is_a_row() -> None:
    drawing = draw(["A", "B", "C"], [("A", "B"), ("B", "C")])
    assert columns(drawing) == [["A"], ["B"], ["C"]]
    assert {box.y for box in drawing.boxes} == {0}
    assert drawing.height == BOX_HEIGHT


def test_an_effect_stands_after_the_longest_way_to_it() -> None:
    assert columns(draw(["A", "B", "C"], [("A", "B"), ("B", "C"), ("A", "C")])) == [["A"], ["B"], ["C"]]


def test_ways_cross_only_where_they_must() -> None:
    assert columns(draw(["A", "B", "a", "b"], [("A", "b"), ("B", "a")])) in (
        [["A", "B"], ["b", "a"]],
        [["B", "A"], ["a", "b"]],
    )


def test_an_edge_to_what_is_not_drawn_is_left_out() -> None:
    assert draw(["A"], [("A", "B"), ("C", "A")]).ways == ()
    assert draw([], []) == Drawing((), (), 0, 0)


@given(graphs())
def test_boxes_are_apart_within_the_drawing_and_causes_are_to_the_left(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    names, edges = graph
    drawing = draw(names, edges)
    places = {box.name: (box.x, box.y) for box in drawing.boxes}
    assert list(places) == names
    assert {(way.cause, way.effect) for way in drawing.ways} == set(edges)
    assert all(places[cause][0] + BOX_WIDTH < places[effect][0] for cause, effect in edges)
    assert all(
        0 <= x <= drawing.width - BOX_WIDTH and 0 <= y <= drawing.height - BOX_HEIGHT for x, y in places.values()
    )
    for x, y in places.values():
        near = [(u, v) for u, v in places.values() if abs(u - x) < BOX_WIDTH and abs(v - y) < BOX_HEIGHT]
        assert near == [(x, y)]


@given(graphs())
def test_an_arrow_leads_from_its_cause_to_its_effect(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    drawing = draw(*graph)
    places = {box.name: (box.x, box.y + BOX_HEIGHT / 2) for box in drawing.boxes}
    for way in drawing.ways:
        numbers = re.findall(r"[MCHL]([-\d. ]+)", way.path)
        first, tip = ([float(each) for each in numbers[place].split()] for place in (0, -2))
        x, y = places[way.cause]
        assert first == pytest.approx([x + BOX_WIDTH, y])
        assert tip == pytest.approx(places[way.effect])


def test_families_are_what_edges_join_and_those_of_one_come_last() -> None:
    edges = [("B", "D"), ("E", "D")]
    assert families(["A", "B", "C", "D", "E"], edges) == [("B", "D", "E"), ("A",), ("C",)]
