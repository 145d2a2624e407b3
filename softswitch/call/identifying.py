"""A menu learns which client a caller wants: from there on the call is that client's."""

from __future__ import annotations

from ivr.messages import Request
from ivr.nodes.client import IdentifyClient
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.menu import Menu


class Identifying:
    """Carries out `IdentifyClient`."""

    def __init__(self, hub: Hub, menu: Menu) -> None:
        self.hub = hub
        self.menu = menu
        menu.answerers[IdentifyClient] = self._identify

    def _identify(self, call: Call, ask: int, request: Request, now: float) -> None:
        assert isinstance(request, IdentifyClient)
        clients, wanted = self.hub.settings.clients, request.client.strip()
        client = (clients.of(wanted) or clients.called_by(wanted)) if clients is not None else None
        if client is None:
            self.menu.answered(ask, {}, "", now)
            return
        call.client = call.story.client = client.name
        if client.call_type and not call.story.call_type:
            call.story.call_type = client.call_type
        self.menu.answered(ask, {"client": client.name, "language": client.language}, "", now)
