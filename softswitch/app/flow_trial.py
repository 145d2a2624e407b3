"""What a caller in a flow would find, without a switch that runs: his attributes, the calendars, the queues
as they are when nobody has logged in.

Invariant: reads the configuration only; nothing is asked, called or written.
"""

from __future__ import annotations

from collections.abc import Mapping

from ivr.session import Session
from softswitch.app.rehearsal import idle_switch
from softswitch.call.attributes import Facts, look
from softswitch.config import Config


def trial(config: Config, flow: str, caller: str, number: str, given: Mapping[str, str]) -> Session:
    """A walk through the flow as this caller would have it who dialled `number`. `given` are variables and
    attributes by name; they go before what is found.
    """
    hub = idle_switch(config).hub
    status = hub.settings.statuses.of(caller)
    clients = hub.settings.clients
    client = clients.called_by(number) if clients is not None else None
    facts = Facts(
        caller=caller,
        number=number,
        codecs=("PCMU",),
        status=status.name,
        language=status.language or (client.language if client is not None else ""),
        client=client.name if client is not None else "",
    )
    variables = {
        "caller": str(look(facts, hub, "caller") or ""),
        "number": number,
        "status": status.name,
        "language": facts.language or config.language,
    }

    def found(name: str) -> object | None:
        return given[name] if name in given else look(facts, hub, name)

    return Session(config.menus, flow, variables | dict(given), found, config.world)
