"""Layouts of random graphs: nothing overlaps, every link is drawn, the same graph gives the same picture."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.drawing.layers import Layout, Line, Link, Point, Size, lay_out

NO_LABEL = Size(0.0, 0.0)


def overlap(a: tuple[Point, Size], b: tuple[Point, Size]) -> bool:
    (here, size), (there, other) = a, b
    across = (size.width + other.width) / 2 - abs(here.x - there.x)
    down = (size.height + other.height) / 2 - abs(here.y - there.y)
    return across > 0.01 and down > 0.01


def leads_up(line: Line) -> bool:
    return line.points[0].y > line.points[-1].y


def chain(*pairs: tuple[int, int]) -> list[Link]:
    return [Link(start, end, NO_LABEL) for start, end in pairs]


def test_nothing_and_one_box() -> None:
    assert lay_out([], []) == Layout((), (), NO_LABEL)
    assert lay_out([Size(80, 30)], []).boxes == (Point(40, 15),)


def test_a_line_goes_straight_down() -> None:
    layout = lay_out([Size(80, 30), Size(120, 40), Size(60, 30)], chain((0, 1), (1, 2)))
    assert len({round(box.x, 3) for box in layout.boxes}) == 1
    assert [box.y for box in layout.boxes] == sorted(box.y for box in layout.boxes)
    assert not any(leads_up(line) for line in layout.lines)


def test_a_way_back_leads_up() -> None:
    layout = lay_out([Size(80, 30)] * 3, chain((0, 1), (1, 2), (2, 0)))
    assert [leads_up(line) for line in layout.lines] == [False, False, True]


def test_ways_that_need_not_cross_do_not() -> None:
    # Given crosswise: 0 -> 4, 1 -> 3, 2 -> 5, all below one start.
    layout = lay_out([Size(80, 30)] * 7, chain((6, 0), (6, 1), (6, 2), (0, 4), (1, 3), (2, 5)))
    upper = sorted(range(3), key=lambda box: layout.boxes[box].x)
    lower = sorted(range(3, 6), key=lambda box: layout.boxes[box].x)
    assert [{0: 4, 1: 3, 2: 5}[box] for box in upper] == lower


def test_a_link_to_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="to itself"):
        lay_out([Size(1, 1)], chain((0, 0)))


sizes = st.builds(Size, st.floats(20, 300), st.floats(20, 120))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    boxes = draw(st.lists(sizes, min_size=1, max_size=14))
    place = st.integers(0, len(boxes) - 1)
    ends = draw(st.lists(st.tuples(place, place).filter(lambda e: e[0] != e[1]), max_size=25))
    labels = st.sampled_from([NO_LABEL, Size(20, 15), Size(200, 15)])
    return boxes, [Link(start, end, draw(labels)) for start, end in ends]


@given(graphs())
@settings(deadline=None)
def test_any_graph(graph: tuple[list[Size], list[Link]]) -> None:
    boxes, links = graph
    layout = lay_out(boxes, links)
    assert layout == lay_out(boxes, links)
    shown = [*zip(layout.boxes, boxes, strict=True)]
    shown += [(line.label, link.label) for line, link in zip(layout.lines, links, strict=True)]
    assert not any(overlap(a, b) for a, b in combinations(shown, 2))
    for centre, size in shown:
        assert centre.x - size.width / 2 >= -0.01
        assert centre.x + size.width / 2 <= layout.size.width + 0.01
        assert centre.y + size.height / 2 <= layout.size.height + 0.01
    for line, link in zip(layout.lines, links, strict=True):
        ends = [(line.points[0], link.start), (line.points[-1], link.end)]
        for point, box in ends:
            centre, size = layout.boxes[box], boxes[box]
            assert abs(point.x - centre.x) <= size.width / 2
            assert abs(abs(point.y - centre.y) - size.height / 2) < 0.01
