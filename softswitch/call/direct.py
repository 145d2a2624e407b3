"""Calls to one phone: an extension, or a number behind a peer, without a queue."""

from __future__ import annotations

from softswitch.call.call import Attempt, Call, Heard, Stage
from softswitch.call.channels import Channels
from softswitch.call.hub import Hub
from softswitch.call.outcome import passed_on
from softswitch.call.own_calls import OwnCalls
from softswitch.call.record import Disposition
from softswitch.call.ringing import Ringing
from softswitch.call.settings import Target
from softswitch.call.steps import Steps
from softswitch.errors import LocalError, PeerError


class Direct:
    """Makes phones ring for calls, and says what becomes of a call that nobody answers."""

    def __init__(
        self, hub: Hub, ringing: Ringing, channels: Channels, own_calls: OwnCalls, steps: Steps
    ) -> None:
        self.hub = hub
        self.ringing = ringing
        self.channels = channels
        self.own_calls = own_calls
        self.steps = steps

    def extension(self, call: Call, target: Target, now: float) -> None:
        """Send the caller to an extension."""
        self.own_calls.begin(call, self.hub.acd.agent_of_phone(target.name), "inbound")
        self._ring(call, now)
        self._watch(call, self.dial(call, target, now), now)

    def peer(self, call: Call, target: Target, now: float) -> None:
        """Send the caller to a number behind a peer."""
        try:
            attempt = self.dial(call, target, now)
        except LocalError as error:
            self.hub.warn(str(error), call=call.id)
            self._no_channel(call, PeerError(404, "Not Found"), now)
            return
        except PeerError as error:
            self._no_channel(call, error, now)
            return
        self._ring(call, now)
        self._watch(call, attempt, now)

    def dial(self, call: Call, target: Target, now: float) -> Attempt:
        """Make an extension or a number behind a peer ring for the call. Raises PeerError 503, and LocalError
        when the peer has nowhere to go."""
        if target.kind == "extension":
            return self.ringing.extension(call, target.name, now)
        if call.identity.kind == "extension":
            call.story.direction = "outbound"
        peer = self.hub.settings.peers[target.name]
        uri = peer.number(target.number or call.story.to_number)
        self.claim(call, peer.name)
        return self.ringing.peer(call, uri, peer.name, now)

    def claim(self, call: Call, name: str) -> None:
        """The call takes one of the peer's channels until it ends. Raises PeerError 503."""
        if name in self.hub.settings.peers and name not in call.channels:
            self.channels.take(name)
            call.channels.append(name)

    def nobody(self, attempt: Attempt, now: float) -> None:
        """The call was not answered."""
        call = attempt.call
        if call.stage not in (Stage.SETUP, Stage.RINGING):
            return
        busy = attempt.status in (486, 600, 603)
        disposition = Disposition.BUSY if busy else Disposition.NO_ANSWER
        self._leave(call, attempt)
        if call.stage is Stage.RINGING and self.steps.next_step(call, now):
            return
        phone = self.hub.settings.phones.get(attempt.phone)
        if phone is not None and phone.voicemail:
            call.story.disposition = disposition
            self.steps.go(call, Target("voicemail", phone.voicemail), now)
            return
        if call.stage is Stage.SETUP:
            self.steps.refuse(call, passed_on(attempt.status, attempt.reason), disposition, now)
            return
        call.story.disposition = disposition
        self.steps.farewell(call, ("tone:busy" if busy else "tone:congestion",), attempt.reason, now)

    def _leave(self, call: Call, attempt: Attempt) -> None:
        """Whoever works at the phone that was called has this call no longer."""
        agent = self.hub.acd.agent_of_phone(attempt.phone) if attempt.phone else None
        if agent is not None and call.identity.name != attempt.phone:
            self.own_calls.let_go(call, agent)

    def _no_channel(self, call: Call, error: PeerError, now: float) -> None:
        if call.stage is Stage.SETUP:
            self.steps.refuse(call, error, Disposition.REFUSED, now)
        elif not self.steps.next_step(call, now):
            call.story.disposition = Disposition.REFUSED
            self.steps.farewell(call, ("tone:congestion",), error.reason, now)

    def _ring(self, call: Call, now: float) -> None:
        """It is about to ring: an answered caller hears ringback, another one his own phone."""
        if call.stage is not Stage.SETUP:
            call.enter(Stage.RINGING, now)
            call.heard = Heard.RINGBACK
            self.hub.emit(self.hub.plane.play(call.leg, ("tone:ringback",), loop=True))

    def _watch(self, call: Call, attempt: Attempt, now: float) -> None:
        """It does not ring for ever."""
        phone = self.hub.settings.phones.get(attempt.phone)
        ring_s = self.hub.settings.ring_s
        if phone is not None and phone.voicemail:
            ring_s = min(ring_s, phone.voicemail_after_s)
        self.hub.at(now + ring_s, lambda at: self._unanswered(call, attempt, at))

    def _unanswered(self, call: Call, attempt: Attempt, now: float) -> None:
        if call.attempts.get(0) is attempt:
            self.ringing.cancel(attempt, now)
            attempt.status, attempt.reason = 480, "no answer"
            self.nobody(attempt, now)
