"""The check of the names in flows: each variable that a text or a condition asks for is set by some node, or
is an attribute that the switch knows.

Invariant: a name that passes has a value if the caller's way has led past the node that sets it; the order is
not checked, what has no value is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ivr.choice import WORDS
from ivr.errors import FlowProblem
from ivr.names import ATTRIBUTES, is_attribute, is_set, unknown
from ivr.template import slots

if TYPE_CHECKING:
    from ivr.flow import Flow


def check_names(flows: Mapping[str, Flow]) -> Iterator[FlowProblem]:
    """Every name that nothing gives a value. What nodes that cannot be read would set is not known: then
    nothing is said.
    """
    if any(flow.broken for flow in flows.values()):
        return
    given = {name for flow in flows.values() for node in flow.nodes.values() for name in node.sets()}
    known = {name for name in given if not name.endswith("*")} | ATTRIBUTES.keys()
    for flow in flows.values():
        for name, node in flow.nodes.items():
            asked = [(key, slot.name) for key, text in node.templates() for slot in slots(text)]
            for key, variable in dict.fromkeys([*asked, *node.reads()]):
                if not is_attribute(variable) and not is_set(variable, given):
                    names = known.union(WORDS) if key.endswith(".when") else known
                    message = f"no node sets {variable!r}, and no call has it; {unknown(variable, names)}"
                    yield FlowProblem(f"{flow.path(name)}.{key}", message)
