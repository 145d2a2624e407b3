"""Flows as graphs, and the check that every caller gets out of them.

Invariant: flows that `check` finds no fault in end for every caller who does nothing, whatever he did before:
the edges that are taken in silence form no circle and each node has one (or ends the flow). All other edges
need a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ivr.check_calls import check_calls
from ivr.check_names import check_names
from ivr.errors import FlowProblem
from ivr.errors import suggest as suggest
from ivr.messages import Prompt
from ivr.node import BACK, FLOW_PREFIX, REPEAT, SPECIAL_TARGETS, Edge, Node, Reference
from ivr.prompt import in_language, spoken_ahead


@dataclass(frozen=True, slots=True)
class Flow:
    """A menu: nodes by name, the one it starts at, and the language of prompts that name none (may be empty).

    `broken` names nodes that exist in the configuration but could not be read: they count as existing, and
    what cannot be known without them is not complained about.
    """

    name: str
    start: str
    nodes: Mapping[str, Node]
    language: str = ""
    broken: frozenset[str] = field(default_factory=frozenset)

    def prompts(self) -> tuple[Prompt, ...]:
        """Everything that the flow may say and that can be made ahead, each once, with its language filled in
        where the flow has one.
        """
        said = (prompt for node in self.nodes.values() for prompt in spoken_ahead(node.prompts()))
        return tuple(dict.fromkeys(in_language(said, self.language)))

    def references(self) -> Iterator[tuple[str, Reference]]:
        """What the nodes name outside the flows: (path of the key, reference)."""
        for name, node in self.nodes.items():
            for reference in node.references():
                yield f"{self.path(name)}.{reference.key}", reference

    def path(self, node: str) -> str:
        """The dotted path of a node in the configuration."""
        return f"flows.{self.name}.nodes.{node}"


Place = tuple[str, str]
"""(flow, node)"""


def check(flows: Mapping[str, Flow]) -> list[FlowProblem]:
    """Everything that is wrong with the flows, in the order of the configuration; empty if they can be
    walked.
    """
    problems: list[FlowProblem] = []
    for flow in flows.values():
        problems += _unknown_targets(flow, flows)
        problems += _dead_ends(flow)
        problems += _unreachable(flow)
    problems += _silent_circles(flows)
    problems += check_calls(flows)
    problems += check_names(flows)
    return problems


def _unknown_targets(flow: Flow, flows: Mapping[str, Flow]) -> Iterator[FlowProblem]:
    known = flow.nodes.keys() | flow.broken
    if flow.start not in known:
        message = f"{flow.start!r} is not a node of this flow; {suggest(flow.start, known)}"
        yield FlowProblem(f"flows.{flow.name}.start", message)
    for name, edge in _edges(flow):
        if edge.silent and edge.target in (BACK, REPEAT):
            message = (
                f"{edge.target} needs a key: a caller who does nothing could go round for ever; name a node"
            )
            yield FlowProblem(f"{flow.path(name)}.{edge.key}", message)
        if edge.target in known or edge.target in SPECIAL_TARGETS:
            continue
        path = f"{flow.path(name)}.{edge.key}"
        if edge.target.startswith(FLOW_PREFIX):
            other = edge.target.removeprefix(FLOW_PREFIX)
            if other not in flows:
                yield FlowProblem(path, f"{other!r} is not a flow; {suggest(other, flows)}")
        elif edge.target.startswith("@"):
            yield FlowProblem(
                path, f"{edge.target!r} is not a target; {suggest(edge.target, SPECIAL_TARGETS)}"
            )
        else:
            yield FlowProblem(
                path, f"{edge.target!r} is not a node of this flow; {suggest(edge.target, known)}"
            )


def _dead_ends(flow: Flow) -> Iterator[FlowProblem]:
    for name, node in flow.nodes.items():
        if not node.ends and not any(edge.silent for edge in node.edges()):
            yield FlowProblem(
                flow.path(name), "a dead end: a caller who does nothing stays here for ever; say what follows"
            )


def _unreachable(flow: Flow) -> Iterator[FlowProblem]:
    if flow.broken or flow.start not in flow.nodes:
        return
    reached = {flow.start}
    ahead = [flow.start]
    while ahead:
        for edge in flow.nodes[ahead.pop()].edges():
            if edge.target in flow.nodes and edge.target not in reached:
                reached.add(edge.target)
                ahead.append(edge.target)
    for name in flow.nodes:
        if name not in reached:
            yield FlowProblem(
                flow.path(name), f"no way leads here from {flow.start!r}; lead one here or remove the node"
            )


def _silent_circles(flows: Mapping[str, Flow]) -> Iterator[FlowProblem]:
    """Depth first over the silent edges of all flows; every edge back into the current path closes a
    circle.
    """
    on_path, seen = 1, 2
    state: dict[Place, int] = {}
    for start in [(flow.name, name) for flow in flows.values() for name in flow.nodes]:
        if start in state:
            continue
        state[start] = on_path
        path = [(start, iter(_silent_next(start, flows)))]
        while path:
            place = next(path[-1][1], None)
            if place is None:
                state[path.pop()[0]] = seen
            elif place not in state:
                state[place] = on_path
                path.append((place, iter(_silent_next(place, flows))))
            elif state[place] == on_path:
                places = [passed for passed, _ in path]
                yield _circle(places[places.index(place) :], flows)


def _circle(places: list[Place], flows: Mapping[str, Flow]) -> FlowProblem:
    flow, node = places[0]
    shown = " -> ".join(f"{f}.{n}" for f, n in [*places, places[0]])
    return FlowProblem(
        flows[flow].path(node),
        f"a loop without an exit: a caller who does nothing goes round for ever ({shown}); "
        "let one of them lead elsewhere",
    )


def _silent_next(place: Place, flows: Mapping[str, Flow]) -> list[Place]:
    flow = flows[place[0]]
    following: list[Place] = []
    for edge in flow.nodes[place[1]].edges():
        if not edge.silent:
            continue
        if edge.target in flow.nodes:
            following.append((flow.name, edge.target))
        elif edge.target.startswith(FLOW_PREFIX):
            other = flows.get(edge.target.removeprefix(FLOW_PREFIX))
            if other is not None and other.start in other.nodes:
                following.append((other.name, other.start))
    return following


def _edges(flow: Flow) -> Iterator[tuple[str, Edge]]:
    for name, node in flow.nodes.items():
        for edge in node.edges():
            yield name, edge
