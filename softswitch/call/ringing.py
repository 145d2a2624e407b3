"""Making a phone ring for a caller: one attempt, a leg for each place where the phone is registered.

The first leg that is answered wins, the others are cancelled. An attempt that is cancelled or fails leaves
nothing: its legs are let go of, its entries are gone.
"""

from __future__ import annotations

from acd import messages as acd
from softswitch.call import carrying
from softswitch.call.call import Attempt, Call
from softswitch.call.channels import Channels
from softswitch.call.endpoint import is_literal
from softswitch.call.events import Accepted, Ended, Progress, Resolve
from softswitch.call.hub import Hub
from softswitch.call.identity import Reach, peer_number
from softswitch.call.leg import Leg
from softswitch.call.settings import Peer, Phone
from softswitch.call.story import Role
from softswitch.call.whisper import display
from softswitch.errors import PeerError
from softswitch.sip.flow import DEFAULT_PORTS, Flow, Places, Transport
from softswitch.sip.headers import NameAddr
from softswitch.sip.uri import Uri

MAX_LEGS = 10
# What says that the phone is there and its owner does not want the call; all else means that it is not there.
REFUSALS = frozenset((480, 486, 487, 600, 603))


class Ringing:
    """All phones that ring."""

    def __init__(self, hub: Hub, bound: Places, channels: Channels) -> None:
        self.hub = hub
        self.bound = bound
        self.channels = channels
        self._resolving: dict[int, tuple[Attempt, Leg]] = {}

    def offer(self, call: Call, offer: acd.Offer, now: float) -> None:
        """The distributor wants this agent's phone to ring."""
        attempt = Attempt(call, offer.agent, offer.offer, now, phone=offer.phone)
        self.hub.offers[offer.offer] = attempt
        call.story.begin("ring", now)
        reachable = self._placed(call) and self._claim(attempt)
        ways = self.hub.identities.reach(offer.phone, now) if reachable else []
        self._start(attempt, ways, now)

    def extension(self, call: Call, number: str, now: float) -> Attempt:
        """A caller wants this extension."""
        attempt = Attempt(call, number, 0, now, phone=number)
        self._start(attempt, self.hub.identities.reach(number, now), now)
        return attempt

    def peer(self, call: Call, target: Uri, peer: str, now: float) -> Attempt:
        """A caller wants a number behind a peer."""
        attempt = Attempt(call, str(target.user or target.host), 0, now, peer=peer)
        self._start(attempt, [Reach(target, None)], now)
        return attempt

    def cancel(self, attempt: Attempt, now: float) -> None:
        """Stop it ringing."""
        for leg in list(attempt.legs.values()):
            self._drop(attempt, leg, now, 487)
        self.over(attempt, now)

    def connected(self, attempt: Attempt, now: float) -> None:
        """The attempt has come to a talk: the call keeps its channel until its own end."""
        if attempt.channel:
            attempt.call.channels.append(attempt.channel)
            attempt.channel = ""
        self.over(attempt, now)

    def sweep(self, call: Call, now: float) -> None:
        """Let go of every leg that rings for the call, also of those that no attempt knows any more."""
        for number, attempt in list(self.hub.attempts.items()):
            if attempt.call is call:
                leg = attempt.legs.get(number) or self.hub.plane.leg(number)
                self.hub.attempts.pop(number)
                if leg is not None:
                    self._drop(attempt, leg, now, 500)

    def over(self, attempt: Attempt, now: float) -> None:
        """The attempt has come to its end, whichever: it is no longer known."""
        call = attempt.call
        if attempt.channel:
            self.channels.give(attempt.channel)
            attempt.channel = ""
        self.hub.offers.pop(attempt.offer, None)
        call.attempts.pop(attempt.offer, None)
        if not any(call.attempts):
            call.story.stop("ring", now)

    # ----- what happens to its legs

    def allocated(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """The leg has its port: call, unless its address is still looked for."""
        if leg.flow.remote[1]:
            self.hub.do(self.hub.ua.invite(leg, self.hub.plane.offer(leg, attempt.call.leg), now))
            self.hub.keep(attempt.call)

    def resolved(self, key: int, places: list[tuple[Transport, str, int]], now: float) -> None:
        """The answer to Resolve."""
        attempt, leg = self._resolving.pop(key, (None, None))
        if attempt is None or leg is None or leg.gone:
            return
        usable = [
            (*place, local)
            for place in places
            if (local := self.bound.towards(place[0], place[1])) is not None
        ]
        if not usable:
            self.failed(attempt, leg, 404, "its address cannot be found", now)
            return
        transport, host, port, local = usable[0]
        domain = leg.invite.uri.host if transport == "tls" else ""
        self.hub.ua.found(leg, Flow(transport, local, (host, port), domain=domain))
        if leg.audio is not None and leg.audio.local is not None:
            self.allocated(attempt, leg, now)

    def progress(self, attempt: Attempt, event: Progress, now: float) -> None:
        """It rings: so does the caller's phone, when he called the extension himself."""
        if not attempt.offer and not attempt.call.is_made_by_us:
            self.hub.do(self.hub.ua.ring(attempt.call.leg, now))

    def accepted(self, attempt: Attempt, event: Accepted, now: float) -> bool:
        """A leg was answered. True when it may be connected: its description is good, the others are let
        go.
        """
        leg = event.leg
        try:
            self.hub.emit(self.hub.plane.accept(leg, event.body))
        except PeerError as error:
            self.hub.warn_of_media(error, attempt.call.id, leg)
            self.failed(attempt, leg, error.status, error.reason, now)
            return False
        self.hub.terminating.agreed(leg, now)
        attempt.call.story.leg_answered(leg, now)
        self.hub.keep(attempt.call)
        for other in [other for other in attempt.legs.values() if other is not leg]:
            self._drop(attempt, other, now, 487)
        return True

    def ended(self, attempt: Attempt, event: Ended, now: float) -> None:
        """A leg failed or was refused; who hangs up after picking up refuses too."""
        status = 480 if attempt.picked_up else event.status
        self.failed(attempt, event.leg, status, event.reason, now)

    def failed(self, attempt: Attempt, leg: Leg, status: int, reason: str, now: float) -> None:
        """This leg will not be answered; the attempt has failed when it was the last."""
        if leg.id not in attempt.legs:
            return
        # A busy or declining phone says more than one that is not there (RFC 3261 16.7 ranks alike).
        if attempt.status not in REFUSALS or attempt.reason == "not registered":
            attempt.status, attempt.reason = status, reason
        self._drop(attempt, leg, now, status)
        if not attempt.legs:
            self._give_up(attempt, now)

    # ----- inside

    def _placed(self, call: Call) -> bool:
        """A call whose caller is still to be reached is on whichever worker takes calls now; False: none."""
        audio = call.leg.audio
        if call.errand is None or call.reached or call.attempts or audio is None:
            return True
        try:
            audio.worker = self.hub.plane.choose()
        except PeerError as error:
            self.hub.warn("a callback must wait", call=call.id, reason=error.reason)
            return False
        return True

    def _claim(self, attempt: Attempt) -> bool:
        """A phone outside needs a channel of its peer; False: there is none."""
        outside = peer_number(attempt.phone)
        if outside is None or outside.name not in self.hub.settings.peers:
            return True
        try:
            self.channels.take(outside.name)
        except PeerError as error:
            self.hub.warn("an agent outside cannot be called", agent=attempt.party, reason=error.reason)
            return False
        attempt.channel = outside.name
        return True

    def _start(self, attempt: Attempt, ways: list[Reach], now: float) -> None:
        call = attempt.call
        call.attempts[attempt.offer] = attempt
        audio = call.leg.audio
        assert audio is not None
        outside = peer_number(attempt.phone)
        name = outside.name if outside is not None else attempt.peer
        known = ("peer", name) if name else ("extension", attempt.phone)
        for way in ways[:MAX_LEGS]:
            leg = self._new_leg(attempt, way)
            leg.call = call.id
            attempt.legs[leg.id] = leg
            self.hub.attempts[leg.id] = attempt
            role: Role = "agent" if attempt.offer else "extension" if attempt.phone else "peer"
            call.story.leg(leg, role, attempt.party, now)
            self.hub.emit(self.hub.terminating.allocate(leg, audio.worker, *known))
        if not attempt.legs:
            self._give_up(attempt, now)

    def _give_up(self, attempt: Attempt, now: float) -> None:
        self.over(attempt, now)
        if attempt.offer:
            busy = attempt.status in REFUSALS and attempt.reason != "not registered"
            self.hub.post(acd.Refused(attempt.offer, "refused" if busy else "unreachable"))
        else:
            self.hub.post(attempt)

    def _drop(self, attempt: Attempt, leg: Leg, now: float, status: int) -> None:
        attempt.legs.pop(leg.id, None)
        self.hub.attempts.pop(leg.id, None)
        self._resolving.pop(leg.id, None)
        attempt.call.story.leg_ended(leg, status, now)
        self.hub.let_go(leg, now)

    def _new_leg(self, attempt: Attempt, way: Reach) -> Leg:
        call = attempt.call
        flow = way.flow or self._flow_to(way.uri)
        host = self.hub.ua.ep.address(flow)[0]
        shown = self._shown(attempt) if attempt.offer else call.identity.display
        number = call.identity.number
        if call.is_made_by_us and not attempt.offer:  # the one who is called back is shown who calls
            number, shown = call.story.from_number, call.summons.shown if call.summons is not None else ""
        caller = NameAddr(Uri("sip", number or "anonymous", None, host), shown)
        called = NameAddr(Uri("sip", way.uri.user, None, way.uri.host, way.uri.port))
        headers = [("X-Call-ID", call.id), ("X-Dialled", call.story.to_number)]
        if attempt.offer:
            headers += self._auto_answer(attempt, host)
        if attempt.phone and self._may_know(attempt):
            headers += self._known(attempt)
        leg = self.hub.ua.new_leg(way.uri, flow, caller, called, [pair for pair in headers if pair[1]])
        leg.srtp = self.hub.settings.srtp_of(self._called(attempt))
        hops = call.leg.invite.max_forwards
        leg.invite.headers.set("Max-Forwards", str(min(70, max(0, (70 if hops is None else hops) - 1))))
        if not flow.remote[1]:
            self._resolving[leg.id] = (attempt, leg)
            self.hub.emit([Resolve(leg.id, way.uri)])
        return leg

    def _called(self, attempt: Attempt) -> Phone | Peer | None:
        settings, outside = self.hub.settings, peer_number(attempt.phone)
        if attempt.peer or outside is not None:
            return settings.peers.get(attempt.peer or (outside.name if outside is not None else ""))
        return settings.phones.get(attempt.phone)

    def _may_know(self, attempt: Attempt) -> bool:
        """Our own phones are told what is known of the caller; a phone behind a peer, if the peer may be."""
        outside = peer_number(attempt.phone)
        return outside is None or self.hub.settings.peers[outside.name].data

    def _known(self, attempt: Attempt) -> list[tuple[str, str]]:
        """What the called phone is told of the call, and what a menu has learned."""
        story, ours = attempt.call.story, self._of_client(attempt)
        headers = [("X-Call-Type", story.call_type), *ours]
        if attempt.offer:
            headers += [("X-Queue", story.queue), ("X-Caller-Status", story.status)]
            headers += [("X-Callback-Of", story.callback_of)]
        return headers + carrying.headers(attempt.call.carried, {name for name, _ in ours})

    def _of_client(self, attempt: Attempt) -> list[tuple[str, str]]:
        """Whom the caller believes he called, and what to say to him; the record will tell it."""
        call, clients = attempt.call, self.hub.settings.clients
        client = clients.of(call.client) if clients is not None else None
        if client is None:
            return []
        agent = self.hub.settings.agents.get(attempt.party) if attempt.offer else None
        values = {
            "client": client.title,
            "caller": call.identity.number,
            "caller_name": call.identity.display,
            "number": call.story.to_number,
            "call_type": call.story.call_type,
            "queue": call.story.queue,
            "agent": (agent.name if agent is not None else "") or attempt.party,
            "status": call.story.status,
        }
        call.story.greeting = client.said(values)
        return [
            ("X-CC-Client", client.name),
            ("X-CC-Client-Name", client.title),
            ("X-CC-Greeting", call.story.greeting),
            ("X-CC-Script", client.script),
        ]

    def _shown(self, attempt: Attempt) -> str:
        """What the agent's phone displays: the call type beside the caller."""
        call = attempt.call
        care = self.hub.settings.queues.get(call.story.queue)
        if care is None:
            return call.identity.display
        caller = call.identity.display or call.identity.number
        clients = self.hub.settings.clients
        client = clients.of(call.client) if clients is not None else None
        return display(
            care.display,
            call_type=call.story.call_type,
            queue=call.story.queue,
            caller=caller,
            client=client.title if client is not None else "",
        )

    def _auto_answer(self, attempt: Attempt, host: str) -> list[tuple[str, str]]:
        """What makes phones of the usual makers answer by themselves."""
        agent = self.hub.settings.agents.get(attempt.party)
        phone = self.hub.settings.phones.get(attempt.phone)
        if phone is None or not (phone.auto_answer or (agent is not None and agent.auto_answer)):
            return []
        return [("Call-Info", f"<sip:{host}>;answer-after=0"), ("Alert-Info", "info=alert-autoanswer")]

    def _flow_to(self, uri: Uri) -> Flow:
        """The flow to an address in the URI; one with port 0 while DNS is asked."""
        wanted = "tls" if uri.scheme == "sips" else uri.transport
        transport: Transport = "tls" if wanted == "tls" else "tcp" if wanted == "tcp" else "udp"
        local = self.bound.towards(transport, uri.host) or ("0.0.0.0", 0)
        port = (uri.port or DEFAULT_PORTS[transport]) if is_literal(uri.host) else 0
        return Flow(transport, local, (uri.host, port), domain=uri.host if transport == "tls" else "")
