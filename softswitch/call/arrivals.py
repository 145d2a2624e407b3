"""How calls come in: who is calling, where he may go, his port, our answer.

Invariant: whoever is let in has a call and a record from here on, and nothing is done for him before his
phone has acknowledged our answer; an extension or a peer that he calls directly rings first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from acd.events import Kind
from media import messages as m
from softswitch.call.attributes import facts_of
from softswitch.call.call import Call, Stage
from softswitch.call.events import Confirmed, Incoming, Opened
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition
from softswitch.call.router import lead
from softswitch.call.settings import Route, Target
from softswitch.call.story import Story
from softswitch.errors import PeerError

if TYPE_CHECKING:
    from softswitch.call.desk import Desk

# One in so many places for calls is kept for those whom we know: strangers cannot lock the house.
RESERVED_PART = 10
REFUSALS = {
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
}
"""What a route to `hangup` may tell the caller's phone (RFC 3261, 21)."""


class Arrivals:
    """Takes calls in and hands them to the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.hub = desk.hub

    def incoming(self, event: Incoming, now: float) -> None:
        """A new INVITE."""
        hub, leg = self.hub, event.leg
        try:
            identity = hub.identities.caller(leg.invite, leg.flow, now)
        except PeerError as error:
            leg.gone = True
            hub.warn_of_login(error, leg.flow, now)
            hub.do(hub.ua.refuse(leg, error, now))
            return
        call = self._open(leg, identity, now)
        found = self._lead(call, now)
        self._begin(call, found, now)
        if isinstance(found, PeerError):
            self.desk.refuse(call, found, Disposition.REFUSED, now)
            return
        try:
            call.target, call.priority = found.target, found.priority
            call.fallback, call.agent_wait_s = found.fallback, found.agent_wait_s
            call.record = found.record
            call.language = call.status.language or found.language or self._language(call)
            call.story.call_type = found.call_type
            if found.target.kind == "hangup":
                refusal = PeerError(found.sip_status, REFUSALS.get(found.sip_status, "Refused"))
                self.desk.refuse(call, refusal, Disposition.REFUSED, now, cause="route")
                return
            self.desk.direct.claim(call, identity.name if identity.kind == "peer" else "")
            worker = self.desk.worker_for(found.target)
            hub.emit(hub.terminating.allocate_for_offer(leg, worker, identity.kind, identity.name))
        except PeerError as error:
            self.desk.refuse(call, error, Disposition.REFUSED, now)

    def _open(self, leg: Leg, identity: Identity, now: float) -> Call:
        name, settings = self.hub.token(), self.hub.settings
        story = Story.begun(name, leg.invite, leg.flow.transport, identity, now)
        call = Call(name, leg, identity, Target("hangup"), story, since=now)
        leg.call = name
        known = settings.peers if identity.kind == "peer" else settings.phones
        leg.srtp = settings.srtp_of(known.get(identity.name))
        call.status = settings.statuses.of(identity.number)
        story.status = call.status.name
        clients = settings.clients
        if clients is not None and (client := clients.called_by(story.to_number)) is not None:
            call.client = story.client = client.name
        self.hub.open(call)
        story.leg(leg, "caller", story.from_number, now)
        return call

    def _lead(self, call: Call, now: float) -> Route | PeerError:
        """Where he may go."""
        hub, identity = self.hub, call.identity
        limit = hub.settings.max_calls
        if len(hub.calls) > (limit if identity.kind != "guest" else limit - limit // RESERVED_PART):
            return PeerError(503, "Service Unavailable", (("Retry-After", "5"),))
        clients = hub.settings.clients
        client = clients.of(call.client) if clients is not None else None
        number, facts = call.story.to_number, partial(facts_of, call)
        try:
            return lead(hub, number, identity, facts, now, status=call.status, client=client)
        except PeerError as error:
            return error

    def _language(self, call: Call) -> str:
        """The language of the client whom he called."""
        clients = self.hub.settings.clients
        client = clients.of(call.client) if clients is not None else None
        return client.language if client is not None else ""

    def _begin(self, call: Call, found: Route | PeerError, now: float) -> None:
        """The beginning of his record."""
        story = call.story
        data = {"from": story.from_number, "to": story.to_number, "direction": story.direction}
        if call.identity.kind == "peer":
            data["trunk"] = call.identity.name
        if story.status:
            data["status"] = story.status
        if story.client:
            data["client"] = story.client
        if isinstance(found, Route) and found.rule:
            data["route"] = found.rule
        self.hub.log(now, Kind.CALL_START, call, transport=story.transport, **data)
        self.hub.emit([Opened(story.record())])

    def allocated(self, leg: Leg, event: m.Allocated, now: float) -> None:
        """A leg has its port."""
        call = self.hub.call_of(leg)
        if call is None:
            return
        if (terminal := self.hub.terminating.of(leg.id)) is None:
            self.hub.plane.allocated(leg, event)
        elif not self.hub.terminating.allocated(terminal, event, now):
            return
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.desk.ringing.allocated(attempt, leg, now)
        elif leg is call.leg:
            self._prepare(call, now)
        else:
            self.desk.links.allocated(call, leg, now)

    def not_allocated(self, leg: Leg, reason: str, now: float) -> None:
        """No port was left."""
        self.hub.warn(reason, leg=str(leg.id))
        call = self.hub.call_of(leg)
        if leg.audio is not None:
            leg.audio.released = True  # there is nothing to give back
        self.hub.plane.released(m.Released(leg.id, m.Quality(0, 0, 0, 0.0, 0.0)))
        self.desk.closing.released(leg)
        if call is None:
            return
        error = PeerError(503, "No media port is left", (("Retry-After", "5"),))
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.desk.ringing.failed(attempt, leg, 503, reason, now)
        elif leg is call.leg:
            self.desk.refuse(call, error, Disposition.MEDIA_FAILURE, now)
        else:
            self.desk.end(call, Disposition.MEDIA_FAILURE, reason, "system", now)

    def _prepare(self, call: Call, now: float) -> None:
        """The caller's port is there: make our answer (or our offer), then go where he wants to."""
        hub = self.hub
        try:
            if call.leg.invite.body:
                call.answer, effects = self.hub.plane.answer(call.leg, call.leg.invite.body)
                self.hub.emit(effects)
            else:
                call.answer = self.hub.plane.offer(call.leg)
        except PeerError as error:
            hub.warn_of_media(error, call.id, call.leg)
            self.desk.refuse(call, error, Disposition.REFUSED, now)
            return
        hub.terminating.agreed(call.leg, now)
        if call.target.kind == "feature":
            agent = self.desk.features.occupies(call, call.target.name, call.target.number)
            self.desk.own_calls.begin(call, agent, "outbound")
        elif call.identity.kind == "extension":
            self.desk.own_calls.begin(call, hub.acd.agent_of_phone(call.identity.name), "outbound")
        if call.target.kind in ("extension", "peer"):
            self.desk.go(call, call.target, now)
        else:
            self.answer(call, now)

    def answer(self, call: Call, now: float, partner: Leg | None = None) -> None:
        """Answer the caller; in the codec of his partner, if they have one in common."""
        if partner is not None and call.leg.invite.body:
            call.answer, effects = self.hub.plane.answer(call.leg, call.leg.invite.body, partner)
            self.hub.emit(effects)
        call.enter(Stage.ANSWERED, now)
        call.story.sip_status = 200
        call.story.leg_answered(call.leg, now)
        self.hub.do(self.hub.ua.answer(call.leg, call.answer, now))

    def confirmed(self, call: Call, event: Confirmed, now: float) -> None:
        """An ACK came: the caller's first one starts what he called for. It may hold the answer to our
        offer."""
        audio = event.leg.audio
        if event.leg is call.leg and audio is not None and audio.agreed is None:
            try:
                self.hub.emit(self.hub.plane.accept(event.leg, event.body))
            except PeerError as error:
                self.hub.warn_of_media(error, call.id, event.leg)
                self.desk.end(call, None, error.reason, "system", now)
                return
            self.hub.terminating.agreed(event.leg, now)
        else:
            self.desk.talking.confirmed(call, event, now)
            self.desk.held(call)
        if event.leg is call.leg and call.stage is Stage.ANSWERED:
            self.hub.keep(call)
            self.desk.go(call, call.target, now)
