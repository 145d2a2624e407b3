"""What the control surface needs of the switch: snapshots and a few commands.

Invariant: every method is synchronous and quick (it is called in the event loop of the signalling), and a
command that is refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Protocol

from acd.explain import Explanation
from softswitch.api.types import AgentStatus, CallStatus, QueueStatus, Status
from softswitch.errors import LocalError

MAX_NAMES_TOLD = 12


class Refused(LocalError):
    """A command that cannot be obeyed now; `error` says what is wrong, `remedy` what to do instead."""

    def __init__(self, error: str, remedy: str = "") -> None:
        super().__init__(f"{error}: {remedy}" if remedy else error)
        self.error = error
        self.remedy = remedy


class UnknownName(Refused):
    """There is no `what` ("agent", "queue", "call") of this name; tells the ones that look alike."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3)
        if near:
            remedy = "did you mean " + " or ".join(repr(one) for one in near) + "?"
        elif not names:
            remedy = f"there is no {what} at all"
        else:
            more = ", ..." if len(names) > MAX_NAMES_TOLD else ""
            remedy = "there are " + ", ".join(names[:MAX_NAMES_TOLD]) + more
        super().__init__(f"no {what} is called {name!r}", remedy)
        self.name = name


class Control(Protocol):
    """The switch as its administrators see it. Commands raise LocalError (or acd's AcdError) when refused.

    The names of agents and queues are checked against `agents()` and `queues()` before a command is called.
    """

    def status(self) -> Status:
        """The whole at a glance."""
        ...

    def agents(self) -> Sequence[AgentStatus]:
        """All agents of the configuration, logged in or not."""
        ...

    def agent_login(self, name: str, phone: str | None, by: str) -> None:
        """Log in at `phone`, or at the agent's own extension."""
        ...

    def agent_logout(self, name: str, by: str) -> None:
        """Log out, after the talk if there is one."""
        ...

    def agent_pause(self, name: str, reason: str, by: str) -> None:
        """Pause, after the talk if there is one."""
        ...

    def agent_ready(self, name: str, by: str) -> None:
        """End a pause or the wrap-up."""
        ...

    def agent_extend(self, name: str, extra_s: float, by: str) -> None:
        """Give him so many seconds more for his wrap-up."""
        ...

    def queue_open(self, name: str, is_open: bool, by: str) -> None:
        """Open or close a queue; who waits in a closed one is still served."""
        ...

    def call_move(self, call: str, queue: str, by: str) -> None:
        """Let a waiting call wait in another queue."""
        ...

    def call_priority(self, call: str, priority: int, by: str) -> None:
        """Change the priority of a waiting call."""
        ...

    def call_hand(self, call: str, agent: str, by: str) -> None:
        """Make a waiting call the agent's next one."""
        ...

    def queues(self) -> Sequence[QueueStatus]:
        """All queues, with those who wait."""
        ...

    def calls(self) -> Sequence[CallStatus]:
        """The live calls, oldest first."""
        ...

    def call(self, call: str) -> CallStatus | None:
        """One live call, or None."""
        ...

    def explain(self, call: str) -> Sequence[Explanation]:
        """Why a call was offered as it was, as far as that is remembered."""
        ...

    def hangup(self, call: str, by: str) -> None:
        """End a live call."""
        ...
