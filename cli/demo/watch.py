"""What the switch is doing, asked again and again from its API: for the view, and for people who wait for it.

Invariant: `until` misses no state that lasts longer than one look; a switch that does not answer ends
whoever waits, by LocalError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from softswitch.errors import LocalError

LOOK_S = 0.25


class Answers(Protocol):
    """The part of the switch that is asked."""

    async def get(self, *parts: str) -> Any:
        """The decoded answer."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live lists of the API at one moment (epoch seconds)."""

    at: float = 0.0
    queues: list[dict[str, Any]] = field(default_factory=list)
    agents: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def call(self, number: str) -> dict[str, Any]:
        """The live call from this number; with the state `none` where there is none."""
        found = [call for call in self.calls if call["from_number"] == number]
        return found[0] if found else {"id": "", "state": "none", "path": [], "queue": "", "agent": ""}

    def agent(self, name: str) -> dict[str, Any]:
        """One agent."""
        return next(agent for agent in self.agents if agent["name"] == name)


class Watch:
    """Looks at the switch every LOOK_S while `run` runs."""

    def __init__(self, switch: Answers) -> None:
        self._switch = switch
        self._changed = asyncio.Condition()
        self.now = Snapshot()

    async def look(self) -> None:
        """One look."""
        queues = await self._switch.get("queues")
        agents = await self._switch.get("agents")
        calls = await self._switch.get("calls")
        async with self._changed:
            self.now = Snapshot(time.time(), queues, agents, calls)
            self._changed.notify_all()

    async def run(self) -> None:
        """Look until cancelled. Raises LocalError when the switch does not answer."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def next(self) -> Snapshot:
        """The next look."""
        async with self._changed:
            await self._changed.wait()
            return self.now

    async def until(self, what: Callable[[Snapshot], bool], timeout_s: float, label: str) -> Snapshot:
        """The first look that `what` is true of. Raises LocalError when it does not come to that."""
        async with self._changed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait_for(lambda: what(self.now))
            except TimeoutError:
                raise LocalError(f"{label}: it did not come to that in {timeout_s:g} s") from None
            return self.now
