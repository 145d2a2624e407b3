"""The check of flows that call flows: each comes back, and none calls itself.

Invariant: in flows that pass, a caller is never deeper in calls than there are flows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ivr.errors import FlowProblem
from ivr.node import FLOW_PREFIX, RETURN

if TYPE_CHECKING:
    from ivr.flow import Flow


def check_calls(flows: Mapping[str, Flow]) -> Iterator[FlowProblem]:
    """Every call that cannot come back, or comes to itself."""
    for flow in flows.values():
        for name, node in flow.nodes.items():
            for edge in node.edges():
                called = edge.target.removeprefix(FLOW_PREFIX)
                if not edge.calls or called not in flows:
                    continue
                path = f"{flow.path(name)}.{edge.key}"
                if flow.name in _reached(called, flows, jumps_only=False):
                    message = (
                        f"{called!r} leads to {flow.name!r} again, which would call it again without end; "
                        f"let it come back by {RETURN}, or go there without a call (`flow:{called}`)"
                    )
                    yield FlowProblem(path, message)
                elif not _comes_back(called, flows):
                    message = (
                        f"{called!r} never comes back: no way in it leads to {RETURN}; "
                        f"add one, or go there without a call (`flow:{called}`)"
                    )
                    yield FlowProblem(path, message)


def _comes_back(called: str, flows: Mapping[str, Flow]) -> bool:
    """Whether some way leads to @return, here or where it goes without a call; what cannot be read may."""
    reached = [flows[name] for name in _reached(called, flows, jumps_only=True)]
    return any(
        flow.broken or any(edge.target == RETURN for node in flow.nodes.values() for edge in node.edges())
        for flow in reached
    )


def _reached(start: str, flows: Mapping[str, Flow], *, jumps_only: bool) -> set[str]:
    """The flows that a caller of `start` may come to, with itself."""
    reached = {start}
    ahead = [start]
    while ahead:
        for node in flows[ahead.pop()].nodes.values():
            for edge in node.edges():
                other = edge.target.removeprefix(FLOW_PREFIX)
                if not edge.target.startswith(FLOW_PREFIX) or other not in flows or other in reached:
                    continue
                if not (jumps_only and edge.calls):
                    reached.add(other)
                    ahead.append(other)
    return reached
