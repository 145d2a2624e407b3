"""Where the boxes of a directed graph stand: in layers from above to below, by the method of Sugiyama.

Circles are cut by a search from the first box; every edge leads down through all layers between its ends, by
places that are kept free for it (the first of them holds its label, so labels never lie on one another). The
order inside a layer is that of the means of the neighbours, the horizontal place the least-squares one that
keeps the order.

Invariant: the same graph gives the same picture; no box and no label overlaps another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP_X, GAP_Y = 24.0, 28.0
_ROUNDS = 16
_SPREADS = 24


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box or a label."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge from box to box (their indices), and the size of its label (0 by 0 for none)."""

    start: int
    end: int
    label: Size


@dataclass(frozen=True, slots=True)
class Point:
    """A place, y downwards."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """How a link is drawn: through `points`, its label centred on `label`."""

    points: tuple[Point, ...]
    label: Point


@dataclass(frozen=True, slots=True)
class Layout:
    """The centres of the boxes, the lines of the links, in the order they were given, and the whole size."""

    boxes: tuple[Point, ...]
    lines: tuple[Line, ...]
    size: Size


@dataclass(slots=True)
class _Place:
    """A box, or a place kept free for a link."""

    width: float
    height: float
    layer: int
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = 0.0


def lay_out(boxes: Sequence[Size], links: Sequence[Link]) -> Layout:
    """Place everything. Links from a box to itself are not for this function (ValueError)."""
    if any(link.start == link.end for link in links):
        raise ValueError("a link from a box to itself cannot be laid out; write it into the box")
    turned = _back_links(len(boxes), links)
    ends = [
        (link.end, link.start) if back else (link.start, link.end)
        for link, back in zip(links, turned, strict=True)
    ]
    layers_of = _layers(len(boxes), ends)
    places = [_Place(size.width, size.height, layer) for size, layer in zip(boxes, layers_of, strict=True)]
    ways = [_way(places, ends[index], link.label) for index, link in enumerate(links)]
    layers = _ordered(places)
    _spread(places, layers)
    tops, height = _tops(places, layers)
    centre = [Point(place.x, tops[place.layer] + _height(places, layers, place) / 2) for place in places]
    left = min((place.x - place.width / 2 for place in places), default=0.0)
    right = max((place.x + place.width / 2 for place in places), default=0.0)
    moved = [Point(point.x - left, point.y) for point in centre]
    lines = [_line(places, moved, way, back) for way, back in zip(ways, turned, strict=True)]
    return Layout(tuple(moved[: len(boxes)]), tuple(lines), Size(right - left, height))


def _back_links(count: int, links: Sequence[Link]) -> list[bool]:
    """Which links close a circle, seen from the first box on (depth first, without recursion)."""
    out: dict[int, list[int]] = {}
    for index, link in enumerate(links):
        out.setdefault(link.start, []).append(index)
    state = [0] * count  # 0 new, 1 on the path, 2 done
    back = [False] * len(links)
    for first in range(count):
        if state[first]:
            continue
        state[first] = 1
        path = [(first, iter(out.get(first, ())))]
        while path:
            index = next(path[-1][1], -1)
            if index < 0:
                state[path.pop()[0]] = 2
                continue
            end = links[index].end
            if state[end] == 1:
                back[index] = True
            elif state[end] == 0:
                state[end] = 1
                path.append((end, iter(out.get(end, ()))))
    return back


def _layers(count: int, ends: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: twice the length of the longest way to it; odd layers are for labels."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for start, end in ends:
        above[end].append(start)
        below[start].append(end)
    waits = [len(starts) for starts in above]
    ready = [box for box in range(count) if not waits[box]]
    layer = [0] * count
    for box in ready:
        for end in below[box]:
            layer[end] = max(layer[end], layer[box] + 2)
            waits[end] -= 1
            if not waits[end]:
                ready.append(end)
    return layer


def _way(places: list[_Place], ends: tuple[int, int], label: Size) -> tuple[int, ...]:
    """The places of a link from above to below, made where there are none yet."""
    start, end = ends
    way = [start]
    for layer in range(places[start].layer + 1, places[end].layer):
        first = layer == places[start].layer + 1
        places.append(_Place(label.width if first else 0.0, label.height if first else 0.0, layer))
        way.append(len(places) - 1)
    way.append(end)
    for upper, lower in pairwise(way):
        places[upper].below.append(lower)
        places[lower].above.append(upper)
    return tuple(way)


def _ordered(places: Sequence[_Place]) -> list[list[int]]:
    """The places of each layer from left to right, so that few links cross."""
    layers: list[list[int]] = [[] for _ in range(max((place.layer for place in places), default=-1) + 1)]
    for index, place in enumerate(places):
        layers[place.layer].append(index)
    best, fewest = [list(layer) for layer in layers], _crossings(places, layers)
    for turn in range(_ROUNDS):
        down = turn % 2 == 0
        for layer in layers if down else reversed(layers):
            position = _positions(layers)
            layer.sort(key=lambda index: _mean(places[index], position, position[index], down=down))
        crossings = _crossings(places, layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _positions(layers: Sequence[Sequence[int]]) -> dict[int, float]:
    """Where each place is in its layer, 0 to 1."""
    return {index: (at + 0.5) / len(layer) for layer in layers for at, index in enumerate(layer)}


def _mean(place: _Place, position: Mapping[int, float], own: float, *, down: bool) -> float:
    near = place.above if down else place.below
    return sum(position[index] for index in near) / len(near) if near else own


def _crossings(places: Sequence[_Place], layers: Sequence[Sequence[int]]) -> int:
    """How many links cross."""
    total = 0
    for layer in layers[:-1]:
        position = {index: at for below in layers for at, index in enumerate(below)}
        ends = [sorted(position[lower] for lower in places[upper].below) for upper in layer]
        flat = [end for group in ends for end in group]
        total += sum(1 for at, end in enumerate(flat) for later in flat[at + 1 :] if later < end)
    return total


def _spread(places: Sequence[_Place], layers: Sequence[Sequence[int]]) -> None:
    """Give every place its x: near the mean of its neighbours, in order, without overlap."""
    for layer in layers:
        x = 0.0
        for index in layer:
            places[index].x = x + places[index].width / 2
            x += places[index].width + GAP_X
    for turn in range(_SPREADS):
        down = turn % 2 == 0
        for layer in layers if down else reversed(layers):
            wanted = []
            for index in layer:
                place = places[index]
                near = (place.above if down else place.below) or place.above or place.below
                wanted.append(sum(places[n].x for n in near) / len(near) if near else place.x)
            for index, x in zip(layer, _apart(wanted, [places[i].width for i in layer]), strict=True):
                places[index].x = x


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The places nearest to those wanted (least squares) that keep the order and the gaps: the pool of
    adjacent violators.
    """
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    free = [mean for mean, count in pools for _ in range(count)]
    return [x + offset for x, offset in zip(free, offsets, strict=False)]


def _height(places: Sequence[_Place], layers: Sequence[Sequence[int]], place: _Place) -> float:
    return max(places[index].height for index in layers[place.layer])


def _tops(places: Sequence[_Place], layers: Sequence[Sequence[int]]) -> tuple[list[float], float]:
    """The upper edge of each layer, and the height of all."""
    tops, y = [], 0.0
    for layer in layers:
        tops.append(y)
        y += max(places[index].height for index in layer) + GAP_Y
    return tops, max(0.0, y - GAP_Y)


def _line(places: Sequence[_Place], centre: Sequence[Point], way: Sequence[int], back: bool) -> Line:
    """From the lower edge of the upper box to the upper edge of the lower one; turned round if it leads
    back.
    """
    first, last = way[0], way[-1]
    points = [
        Point(_port(places, centre, first, way[1], below=True), centre[first].y + places[first].height / 2),
        *(centre[index] for index in way[1:-1]),
        Point(_port(places, centre, last, way[-2], below=False), centre[last].y - places[last].height / 2),
    ]
    return Line(tuple(reversed(points) if back else points), centre[way[1]])


def _port(places: Sequence[_Place], centre: Sequence[Point], box: int, other: int, *, below: bool) -> float:
    """Where on the edge of a box a link begins or ends: they are spread in the order of where they lead."""
    near = sorted(places[box].below if below else places[box].above, key=lambda index: centre[index].x)
    step = places[box].width * 0.7 / max(1, len(near))
    return centre[box].x + (near.index(other) - (len(near) - 1) / 2) * step
