"""How many channels of each peer are in use, calls in and calls out together.

Invariant: whoever takes a channel gives it back once; a peer without a limit is not counted.
"""

from __future__ import annotations

from softswitch.call.hub import Hub
from softswitch.errors import PeerError


class Channels:
    """The channels of all peers."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.taken: dict[str, int] = {}
        """How many are taken, by peer."""

    def take(self, name: str) -> None:
        """One more call with this peer. Raises PeerError 503 when all its channels are taken."""
        taken, most = self.taken.get(name, 0), self._hub.settings.peers[name].max_calls
        if most is not None and taken >= most:
            raise PeerError(503, f"All {taken} channels of {name} are taken", (("Retry-After", "5"),))
        self.taken[name] = taken + 1

    def give(self, name: str) -> None:
        """A call with this peer is over."""
        self.taken[name] -= 1
