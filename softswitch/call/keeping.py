"""What survives the process: which agents are logged in, and as what; where phones are registered; which
queues are closed.

Invariant: the shell is told of every change, in the order of all else, and only of changes. Registrations by
connections are not kept: the connection dies with the process, the phone opens a new one and registers by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from acd.events import Kind, LogEvent
from acd.restart import AgentSnapshot
from softswitch.call.events import AgentKept, PhoneKept, QueueKept
from softswitch.sip.registrar import Binding

if TYPE_CHECKING:
    from softswitch.call.hub import Hub


class Keeping:
    """What the shell was told last."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._agents: dict[str, AgentSnapshot] = {}
        self._closed: set[str] = set()

    def look(self, agents: Iterable[str]) -> None:
        """Something has happened to these agents."""
        for name in agents:
            now_is = self.hub.acd.snapshot_of(name)
            if now_is == self._agents.get(name):
                continue
            if now_is is None:
                del self._agents[name]
            else:
                self._agents[name] = now_is
            self.hub.emit([AgentKept(name, now_is)])

    def phone(self, number: str, now: float) -> None:
        """A registration of this extension has changed."""
        bindings = self.hub.identities.registrar.bindings(number, now)
        self.hub.emit([PhoneKept(number, tuple(one for one in bindings if not one.flow.reliable))])

    def door(self, event: LogEvent) -> None:
        """A queue was opened or closed."""
        queue, is_open = event.queue, event.kind is Kind.QUEUE_OPEN
        if is_open is not (queue in self._closed):
            return
        self._closed ^= {queue}
        self.hub.emit([QueueKept(queue, is_open)])

    # ----- at the start

    def closed_were(self, queues: Iterable[str]) -> list[str]:
        """The closed queues that there still are; the others are forgotten."""
        there = {queue: queue in self.hub.settings.queues for queue in queues}
        self.hub.emit([QueueKept(queue, True) for queue, is_there in there.items() if not is_there])
        self._closed = {queue for queue, is_there in there.items() if is_there}
        return sorted(self._closed)

    def agents_were(self, agents: Iterable[AgentSnapshot]) -> list[AgentSnapshot]:
        """What the shell still has. Those whose phones exist in the configuration can be restored; `look` at
        all of them after that has the others forgotten."""
        self._agents = {agent.agent: agent for agent in agents}
        return [agent for agent in self._agents.values() if self._exists(agent)]

    def phones_were(self, phones: Iterable[tuple[str, tuple[Binding, ...]]], now: float) -> None:
        """Take over the registrations of extensions that still register, and have the others forgotten."""
        registrar, settings = self.hub.identities.registrar, self.hub.settings.phones
        for number, bindings in phones:
            extension = settings.get(number)
            if extension is not None and extension.contact is None:
                registrar.restore({number: bindings}, now)
            if registrar.bindings(number, now) != bindings:
                self.phone(number, now)

    def _exists(self, agent: AgentSnapshot) -> bool:
        care = self.hub.settings.agents.get(agent.agent)
        is_outside = care is not None and bool(care.outside) and care.outside == agent.phone
        return is_outside or agent.phone in self.hub.settings.phones
