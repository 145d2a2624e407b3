"""Records of calls that are over and still wait for the statistics of their legs and for their recording.

Invariant: every call that was handed over here is given out as Closed exactly once, at the latest CLOSING_S
after its end.
"""

from __future__ import annotations

from softswitch.call.call import Call
from softswitch.call.events import Closed
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.call.recording import Recordings

CLOSING_S = 3.0


class Closing:
    """The last part of every call."""

    def __init__(self, hub: Hub, recordings: Recordings) -> None:
        self.hub = hub
        self.recordings = recordings
        self._closing: dict[str, Call] = {}

    @property
    def is_settled(self) -> bool:
        """Whether no record waits."""
        return not self._closing

    @property
    def calls(self) -> tuple[str, ...]:
        """Whose records wait."""
        return tuple(self._closing)

    def begin(self, call: Call, now: float) -> None:
        """The call is over; `call.awaiting` holds the legs whose statistics are still to come."""
        self._closing[call.id] = call
        self.hub.at(now + CLOSING_S, lambda at: self._close(call))
        self._close_if_complete(call)

    def released(self, leg: Leg) -> None:
        """The statistics of a leg are there, or will never be."""
        call = self._closing.get(leg.call)
        if call is not None:
            call.awaiting.discard(leg.id)
            self._close_if_complete(call)

    def recorded(self, call: Call) -> None:
        """A recording of the call is complete, or could not be made."""
        if call.id in self._closing:
            self._close_if_complete(call)

    def recording_moved(self, name: str, old: str, new: str) -> None:
        """The file of a recording has another name now: the record that is still to be written says so."""
        call = self._closing.get(name) or self.hub.calls.get(name)
        if call is not None and call.story.recording == old:
            call.story.recording = new

    def _close_if_complete(self, call: Call) -> None:
        if not call.awaiting and not self.recordings.awaits(call):
            self._close(call)

    def _close(self, call: Call) -> None:
        if self._closing.pop(call.id, None) is not None:
            self.hub.emit([Closed(call.story.record())])
