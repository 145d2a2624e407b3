"""What any part may ask to be done next with a call."""

from __future__ import annotations

from typing import Protocol

from acd.messages import Input
from softswitch.call.call import Attempt, Call
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition, EndedBy
from softswitch.call.settings import Target
from softswitch.errors import PeerError


class Steps(Protocol):
    """Implemented by the desk."""

    def go(self, call: Call, target: Target, now: float) -> None:
        """Send the caller to the target."""

    def farewell(self, call: Call, clips: tuple[str, ...], cause: str, now: float) -> None:
        """Let him hear the clips, then hang up."""

    def talk(self, call: Call, leg: Leg, party: str, agent: str, now: float) -> None:
        """Connect him with an answered leg."""

    def mailbox(self, call: Call, name: str, now: float) -> None:
        """Let him listen to a mailbox ("": his own)."""

    def next_step(self, call: Call, now: float) -> bool:
        """Where he was to go cannot be reached: on to the next step of the overflow that sent him there.
        False: no overflow did."""

    def tell(self, message: Input, now: float) -> None:
        """Tell the distributor, and do what it says. Raises AcdError when it refuses."""

    def dial(self, call: Call, target: Target, now: float) -> Attempt:
        """Make an extension or a number behind a peer ring for the call. Raises PeerError 503."""

    def refuse(self, call: Call, error: PeerError, disposition: Disposition, now: float) -> None:
        """End a call that was not answered, with a status for its INVITE."""

    def end(self, call: Call, disposition: Disposition | None, cause: str, by: EndedBy, now: float) -> None:
        """End the call; None: the disposition that its stage means."""
