"""Records of calls that are over and still wait for the statistics of their legs and for their recording.

Invariant: every call that was handed over here is given out as Closed exactly once, at the latest CLOSING_S
after its end.
"""

from __future__ import annotations

from acd.events import Kind
from media import messages as m
from softswitch.call.call import Call
from softswitch.call.events import Closed
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg

CLOSING_S = 3.0


class Closing:
    """The last part of every call."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._closing: dict[str, Call] = {}
        self._recordings: dict[int, Call] = {}

    @property
    def is_settled(self) -> bool:
        """Whether no record waits."""
        return not self._closing

    @property
    def calls(self) -> tuple[str, ...]:
        """Whose records wait."""
        return tuple(self._closing)

    def recording(self, call: Call) -> None:
        """The call is being recorded: its record will wait for the end of that."""
        if call.recording:
            self._recordings[call.recording] = call

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

    def recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> None:
        """A recording is complete, or could not be made."""
        call = self._recordings.pop(event.recording, None)
        if call is None:
            return
        call.recording = 0
        if isinstance(event, m.RecordFailed):
            call.story.recording = ""
            self.hub.warn("a recording failed; the call is not affected", call=call.id, reason=event.reason)
            self.hub.log(now, Kind.RECORDING, call, path=event.path, error=event.reason)
        else:
            self.hub.log(now, Kind.RECORDING, call, path=event.path, duration_ms=event.duration_ms)
        if call.id in self._closing:
            self._close_if_complete(call)

    def recorder_lost(self, call: Call) -> None:
        """Nothing more will be heard of its recording."""
        self._recordings.pop(call.recording, None)

    def _close_if_complete(self, call: Call) -> None:
        if not call.awaiting and call.recording not in self._recordings:
            self._close(call)

    def _close(self, call: Call) -> None:
        if self._closing.pop(call.id, None) is not None:
            self._recordings.pop(call.recording, None)
            self.hub.emit([Closed(call.story.record())])
