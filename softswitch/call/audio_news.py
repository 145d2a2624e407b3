"""What media workers tell of the audio of a leg: its port, keys that were pressed, what was played, how well
it is heard, and that it is heard no longer.

Invariant: who cannot be heard and will not be is in no call; a phone on hold may be silent for as long as it
answers.
"""

from __future__ import annotations

from collections.abc import Callable

from media import messages as m
from softswitch.call.call import Call
from softswitch.call.desk import Desk
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition

PROBE_S = 10.0
"""How often at most a phone on hold that sends nothing is asked whether it is still there."""


class AudioNews:
    """Of all legs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._hub = desk.hub

    def heard(self, leg: Leg, event: m.Event, now: float) -> None:
        """This happened to the leg."""
        match event:
            case m.Allocated():
                self._desk.arrivals.allocated(leg, event, now)
            case m.AllocateFailed(number, reason) if number != leg.id:
                self._hub.terminating.failed(leg, reason, now)
            case m.AllocateFailed():
                self._desk.arrivals.not_allocated(leg, event.reason, now)
            case m.Digit(_, digit, method, late):
                self._desk.digit(leg, digit, method, now, late=late)
            case m.Played():
                self._desk.played(leg, event, now)
            case m.Measured(_, quality):
                if leg.audio is not None:
                    leg.audio.quality = quality
            case m.MediaLost():
                self._media_lost(leg, event, now)
            case m.HandshakeFailed(_, reason):
                self._handshake_failed(leg, reason, now)

    def _media_lost(self, leg: Leg, event: m.MediaLost, now: float) -> None:
        call = self._hub.call_of(leg)
        if call is None or leg.audio is None:
            return
        if leg.audio.held:  # a phone on hold may be silent for as long as it likes, but it must be there
            if not leg.audio.probed:
                leg.audio.probed = True
                self._probe(leg, max(event.silent_s, PROBE_S), now)
        else:
            self._unheard(call, leg, lambda who: f"no audio from {who} for {event.silent_s:.0f} s", now)

    def _handshake_failed(self, leg: Leg, reason: str, now: float) -> None:
        call = self._hub.call_of(leg)
        if call is not None:
            self._hub.warn("no encryption with a browser", call=call.id, reason=reason)
            self._unheard(call, leg, lambda who: f"no encryption with {who}: {reason}", now)

    def _unheard(self, call: Call, leg: Leg, cause: Callable[[str], str], now: float) -> None:
        """Somebody cannot be heard, and will not be."""
        if leg is call.leg or leg is call.partner:
            who = "caller" if leg is call.leg else call.story.agent
            disposition = None if call.partner is not None else Disposition.MEDIA_FAILURE
            self._desk.end(call, disposition, cause(who), "system", now)

    def _probe(self, leg: Leg, every_s: float, now: float) -> None:
        if self._hub.call_of(leg) is not None:
            self._hub.do(self._hub.ua.probe(leg, now))
            self._hub.at(now + every_s, lambda at: self._probe(leg, every_s, at))
