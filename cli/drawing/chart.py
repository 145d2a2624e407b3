"""A flow as a graph for people: boxes with what is said in them, edges with the keys and conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ivr.flow import Flow
from ivr.node import BACK, FLOW_PREFIX, REPEAT, Edge, Node
from ivr.prompt import every

Kind = Literal["start", "node", "end", "away"]
"""`start` is the node that the flow begins with, `end` one with which it ends; `away` stands for another
flow, or for hanging up and going back.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """One node, or a place outside the flow. `lines` is what is told about it."""

    name: str
    kind: Kind
    type: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way from box to box, by their names; `label` says when it is taken, `silent` that it may be taken
    though the caller does nothing.
    """

    start: str
    end: str
    label: str
    silent: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One flow."""

    flow: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def chart_of(flow: Flow, types: Mapping[type[Node], str]) -> Chart:
    """The chart of a flow. `types` gives the name of each node type."""
    boxes: dict[str, Box] = {}
    arrows: dict[tuple[str, str, bool, str], list[str]] = {}
    names = [flow.start, *(name for name in flow.nodes if name != flow.start)]
    for name in names:
        node = flow.nodes[name]
        own: list[str] = []
        for edge in node.edges():
            label = _label(node, edge)
            if edge.target in (REPEAT, name):
                own.append(f"{label or edge.key}: again")
            elif edge.target == BACK:
                own.append(f"{label or edge.key}: back to the menu before")
            else:
                # Keys that lead to the same place share an arrow; conditions have one each.
                apart = "" if edge.key.startswith("keys.") else edge.key
                arrows.setdefault((name, edge.target, edge.silent, apart), []).append(label)
        kind: Kind = "start" if name == flow.start else "end" if node.ends else "node"
        boxes[name] = Box(name, kind, types.get(type(node), type(node).__name__.lower()), _told(node, own))
    for _, target, *_ in arrows:
        if target not in boxes:
            boxes[target] = Box(target, "away", _away(target), ())
    drawn = tuple(
        Arrow(start, end, ", ".join(filter(None, labels)), silent)
        for (start, end, silent, _), labels in arrows.items()
    )
    return Chart(flow.name, tuple(boxes.values()), drawn)


def _away(target: str) -> str:
    return "flow" if target.startswith(FLOW_PREFIX) else "end of the walk"


def _told(node: Node, own: Iterable[str]) -> tuple[str, ...]:
    """What is said, what is named outside the flow, and the ways that stay here."""
    said = [f"“{prompt.text}”" if prompt.text else f"♪ {prompt.file}" for prompt in node.prompts()[:2]]
    more = sum(1 for _ in every(node.prompts())) - len(said)
    if more > 0:
        said.append(f"and {more} more")
    named = [reference.target for reference in node.references()]
    return (*said, *dict.fromkeys(named), *own)


def _label(node: Node, edge: Edge) -> str:
    """When the edge is taken: the key, the condition, or the name of the way (nothing for the only one)."""
    section, _, rest = edge.key.partition(".")
    if section == "keys":
        return rest
    if section == "cases":
        case: object = node
        for part in edge.key.split(".")[:-1]:
            case = case[int(part)] if isinstance(case, Sequence) else getattr(case, part, None)
        return str(getattr(case, "when", "") or rest)
    if len(node.edges()) == 1 and edge.key in ("next", "target"):
        return ""
    return "calls" if edge.key == "flow" else edge.key.replace("_", " ").replace(".", " ")
