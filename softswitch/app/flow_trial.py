"""What a caller in a flow would find, without a switch that runs: his attributes, the calendars, the queues
as they are when nobody has logged in.

Invariant: reads the configuration only; nothing is asked, called or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ivr.messages import Request
from ivr.nodes.client import IdentifyClient
from ivr.session import Session
from softswitch.app.rehearsal import idle_switch
from softswitch.call.attributes import Facts, look
from softswitch.config import Config


class Trial:
    """A walk through a flow (`session`) as this caller would have it who dialled `number`. `given` are
    variables and attributes by name; they go before what is found.
    """

    def __init__(self, config: Config, flow: str, caller: str, number: str, given: Mapping[str, str]) -> None:
        self._hub = idle_switch(config).hub
        self._given = given
        status = self._hub.settings.statuses.of(caller)
        clients = self._hub.settings.clients
        client = clients.called_by(number) if clients is not None else None
        self._facts = facts = Facts(
            caller=caller,
            number=number,
            codecs=("PCMU",),
            status=status.name,
            language=status.language or (client.language if client is not None else ""),
            client=client.name if client is not None else "",
        )
        variables = {
            "caller": str(look(facts, self._hub, "caller") or ""),
            "number": number,
            "status": status.name,
            "language": facts.language or config.language,
        }
        self.session = Session(config.menus, flow, variables | dict(given), self._look, config.world)

    def known(self, request: Request) -> Mapping[str, str] | None:
        """The answer to what a node asks for, if the configuration has it; None: somebody else must know."""
        if not isinstance(request, IdentifyClient):
            return None
        clients, wanted = self._hub.settings.clients, request.client.strip()
        client = (clients.of(wanted) or clients.called_by(wanted)) if clients is not None else None
        if client is None:
            return {}
        self._facts = replace(self._facts, client=client.name)
        return {"client": client.name, "language": client.language}

    def _look(self, name: str) -> object | None:
        return self._given[name] if name in self._given else look(self._facts, self._hub, name)
