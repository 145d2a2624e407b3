"""Where a step of a walk leads: to a node of the flow, another flow, back, or out; and the language in force
there.

Invariant: what is given exists, or the walk ends. The language is that of the flow that was entered last, or
what was chosen since; who comes back from a flow that was called, by `@return` or `@back`, has the one that
he had before, unless he has chosen another meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.flow import Flow
from ivr.messages import HangUp
from ivr.node import BACK, FLOW_PREFIX, HANG_UP, REPEAT, RETURN, Enter, Go
from ivr.trail import MAX_CALLS, Call, Place, Trail

NOWHERE: Place = ("", "")
"""Before the first node."""


class Way:
    """The way of one caller through `flows`; `variables` are his, for the language; `trail` leads back."""

    __slots__ = ("_flows", "_variables", "trail")

    def __init__(self, flows: Mapping[str, Flow], variables: dict[str, str]) -> None:
        self._flows = flows
        self._variables = variables
        self.trail = Trail()

    def follow(self, step: Go | Enter, here: Place) -> Place | HangUp:
        """The place that a step from here means, or how the walk ends. Keeps the way back."""
        if isinstance(step, Enter):
            return self._call(step, here)
        if step.target == HANG_UP:
            return HangUp("no-choice" if step.data.keys() & {"timeout", "invalid"} else "completed")
        if step.target == RETURN:
            return self._return(step)
        if step.target == BACK:
            return self._back(here)
        if step.target == REPEAT:
            return self._known(here, REPEAT, here)
        return self._go(step.target, here)

    def knows(self, place: Place) -> bool:
        """Whether there is such a place."""
        return place[0] in self._flows and place[1] in self._flows[place[0]].nodes

    @property
    def _language(self) -> str:
        return self._variables.get("language", "")

    def _go(self, target: str, here: Place) -> Place | HangUp:
        if target.startswith(FLOW_PREFIX):
            flow = self._flows.get(target.removeprefix(FLOW_PREFIX))
            there = (flow.name, flow.start) if flow is not None else NOWHERE
        else:
            there = (here[0], target)
        found = self._known(there, target, here)
        if found == there:
            is_menu = bool(here[1]) and self._flows[here[0]].nodes[here[1]].returnable
            self.trail.went(here, there, is_menu=is_menu)
            self._enter(there[0], here[0])
        return found

    def _call(self, enter: Enter, here: Place) -> Place | HangUp:
        """The beginning of a flow that is to come back here."""
        flow = self._flows.get(enter.flow)
        during = flow.language if flow is not None else ""
        if not self.trail.call(Call(here[0], enter.then, self._language, during or self._language)):
            return _failure(here, f"flows call one another over {MAX_CALLS} deep")
        return self._go(FLOW_PREFIX + enter.flow, here)

    def _return(self, go: Go) -> Place | HangUp:
        """Where the flow that called this one goes on."""
        call = self.trail.over()
        if call is None:
            return HangUp()
        self._left(call)
        return self.follow(Go(call.then, go.data), (call.flow, ""))

    def _back(self, here: Place) -> Place | HangUp:
        """The menu before; the same place again if there is none."""
        place, left = self.trail.back()
        if place is None:
            return self._known(here, BACK, here)
        for call in reversed(left):
            self._left(call)
        if not left:
            self._enter(place[0], here[0])
        return place

    def _left(self, call: Call) -> None:
        """A flow that was called is over. A language that was chosen meanwhile stays."""
        if self._language == call.during:
            self._variables["language"] = call.before

    def _enter(self, flow: str, before: str) -> None:
        if flow != before and (language := self._flows[flow].language):
            self._variables["language"] = language

    def _known(self, place: Place, target: str, here: Place) -> Place | HangUp:
        if self.knows(place):
            return place
        return _failure(here, f"there is no {target!r}")


def _failure(here: Place, why: str) -> HangUp:
    return HangUp("failure", f"node {'.'.join(here)}: {why}")
