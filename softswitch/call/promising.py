"""A menu promises a caller to call him back, without his having waited: he stands in the line from now on."""

from __future__ import annotations

from ivr.messages import Request
from ivr.nodes.callback import PromiseCallback
from softswitch.call.call import Call
from softswitch.call.callbacks import Callbacks
from softswitch.call.hub import Hub
from softswitch.call.menu import Menu


class Promising:
    """Carries out `PromiseCallback`."""

    def __init__(self, hub: Hub, menu: Menu, callbacks: Callbacks) -> None:
        self.hub = hub
        self.menu = menu
        self.callbacks = callbacks
        menu.answerers[PromiseCallback] = self._promise

    def _promise(self, call: Call, ask: int, request: Request, now: float) -> None:
        assert isinstance(request, PromiseCallback)
        self.menu.answered(ask, {"callback": self._result(call, request, now)}, "", now)

    def _result(self, call: Call, request: PromiseCallback, now: float) -> str:
        number = self.hub.settings.statuses.numbering.normal(request.number)
        if request.queue not in self.hub.settings.queues:
            return "impossible"
        if self.callbacks.way_to(number, request.queue) is None:
            return "impossible"
        if self.callbacks.has_promise(number):
            return "already"
        if request.call_type:
            call.story.call_type = request.call_type
        promised = self.callbacks.request(call, number, "", waits=False, now=now, queue=request.queue)
        return "promised" if promised else "impossible"
