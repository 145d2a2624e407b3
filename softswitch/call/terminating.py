"""Legs whose codec our engine does not have: a pjsua2 process on loopback speaks it for us.

Such a leg has three legs in the engine: the *front* faces the phone, the *outer* one the half of the process
that speaks the phone's codec, and the leg's own the half that speaks ours. Front and outer are bridged, and
what the phone says goes across undecoded (`media.codecs.opaque`); so address learning, ports and statistics
are those of any leg, and no process ever faces the network. To the rest of the switch the leg is like others.

Invariant: a terminal has two calls to one process for as long as its leg lives. When the process is lost,
with the signalling perhaps, it is established anew in another one; when there is none for `PATIENCE_S`, the
call ends, with its record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from media import messages as m
from media.endpoints.messages import LOOPBACK, PLACES
from softswitch.call.call import Stage
from softswitch.call.events import Accepted, Media
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptFront
from softswitch.call.leg import Leg
from softswitch.call.media import inner_codec, remote_of
from softswitch.call.record import Disposition
from softswitch.errors import PeerError
from softswitch.sdp.codecs import PCMA, PCMU, Codec, codecs_of, common_codecs
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, accept_answer, make_offer
from softswitch.sip.flow import Flow, Places, Transport
from softswitch.sip.headers import NameAddr
from softswitch.sip.uri import Uri

if TYPE_CHECKING:
    from softswitch.call.desk import Desk

SPOKEN = (
    Codec("speex", 110, 16000),
    Codec("GSM", 3),
    Codec("iLBC", 112),
    Codec("speex", 111),
    Codec("speex", 113, 32000),
)
"""What the processes speak and the engine does not."""
LEGS_A_PROCESS = PLACES // 2
FORGET_S = 30.0
PATIENCE_S = 15.0
"""How long a leg waits for a process: one starts in some seconds."""


@dataclass(frozen=True, slots=True)
class EndpointProcess:
    """A process that takes calls. Who calls it names its secret, as the password of the URI: so it is in no
    log (`log.redact`)."""

    udp_port: int
    tcp_port: int
    secret: str = field(repr=False)


@dataclass(slots=True, eq=False)
class Terminal:
    """`outer` and `inner` are our calls to the process, None while one is awaited; `front` and `outer.id` are
    legs in the engine."""

    leg: Leg
    front: int
    process: int | None = None
    outer: Leg | None = None
    inner: Leg | None = None
    patience_until: float = 0.0
    is_spoken: bool = False
    on_spoken: Callable[[float], None] | None = None
    """What is to be done as soon as a process speaks with it."""
    ports: dict[int, m.Allocated] = field(default_factory=dict)
    offers: dict[int, SessionDescription] = field(default_factory=dict)


class Terminating:
    """All terminals, and the processes that there are."""

    def __init__(self, hub: Hub, bound: Places, desk: Desk) -> None:
        self.hub = hub
        self.desk = desk
        self._transport: Transport = "udp" if bound.towards("udp", LOOPBACK) is not None else "tcp"
        self._local = bound.towards(self._transport, LOOPBACK)
        self._processes: dict[int, EndpointProcess] = {}
        self._terminals: dict[int, Terminal] = {}  # by each of their legs, in the engine and in SIP
        self._fronts: dict[int, Leg] = {}  # whose statistics are still to come
        self.lost = 0
        """Processes that died; others took their places."""

    @property
    def places(self) -> tuple[int, int]:
        """Legs that are terminated now, and how many could be."""
        return len(self._all()), LEGS_A_PROCESS * len(self._processes)

    # ----- processes

    @property
    def processes(self) -> int:
        """How many take calls."""
        return len(self._processes)

    def process_ready(self, number: int, process: EndpointProcess) -> None:
        """It takes calls."""
        self._processes[number] = process
        self._serve()

    def _serve(self) -> None:
        """Those who wait for a process have the places that are free, in their order."""
        for terminal in self._all():
            audio = terminal.leg.audio
            if terminal.process is not None or audio is None or audio.worker not in self.hub.plane.workers:
                continue
            if not self._speak(terminal):
                return

    def process_lost(self, number: int, reason: str, now: float) -> None:
        """It is gone, and all calls to it: establish them anew, in another one."""
        self._processes.pop(number, None)
        self.lost += 1
        self.hub.warn("a media endpoint is lost", endpoint=str(number), reason=reason)
        for terminal in self._all():
            if terminal.process == number:
                self._let_go(terminal, now)
                self._again(terminal, f"media endpoint lost: {reason}", now)

    def _choose(self) -> int:
        """The process with the most free places. Raises PeerError 503."""
        taken = dict.fromkeys(self._processes, 0)
        for terminal in self._all():
            if terminal.process in taken:
                taken[terminal.process] += 1
        free = [number for number in taken if taken[number] < LEGS_A_PROCESS]
        if not free or self._local is None:
            raise PeerError(503, "No media endpoint is free", (("Retry-After", "5"),))
        return min(free, key=taken.__getitem__)

    def _all(self) -> list[Terminal]:
        return list({id(one): one for one in self._terminals.values()}.values())

    # ----- what another process would need

    def kept(self, leg: Leg) -> KeptFront | None:
        """How the leg faces its phone, if a process speaks for it."""
        terminal = self._terminals.get(leg.id)
        port = terminal.ports.get(leg.id) if terminal is not None else None
        return KeptFront(terminal.front, port.port) if terminal is not None and port is not None else None

    def resume(self, leg: Leg, kept: KeptFront, now: float) -> None:
        """A leg of an earlier process, with which the one that spoke for it has ended."""
        assert leg.audio is not None and leg.audio.local is not None
        terminal = Terminal(leg, kept.leg)
        address, port = leg.audio.local.address, leg.audio.local.port
        terminal.ports[leg.id] = m.Allocated(leg.id, address, kept.port)
        terminal.ports[kept.leg] = m.Allocated(kept.leg, address, port)
        leg.audio.front = kept.leg
        self._fronts[kept.leg] = leg
        self._terminals |= {leg.id: terminal, kept.leg: terminal}
        self._again(terminal, "the switch was restarted, and there is no media endpoint", now)

    def is_awaited(self, leg: Leg) -> bool:
        """Whether something is to be done when a process speaks with the leg."""
        terminal = self._terminals.get(leg.id)
        return terminal is not None and terminal.on_spoken is not None

    def when_spoken(self, leg: Leg, action: Callable[[float], None], now: float) -> None:
        """Do it now, or when a process speaks with the leg; never, if that will not be."""
        terminal = self._terminals.get(leg.id)
        if terminal is None or terminal.is_spoken:
            action(now)
        else:
            terminal.on_spoken = action

    # ----- the beginning of a leg

    def allocate_for_offer(self, leg: Leg, worker: int, kind: str, name: str) -> list[Media]:
        """As `MediaPlane.allocate_for_offer`, for a caller who is an `extension`, a `peer` or anybody. Raises
        PeerError 400, 488 or 503."""
        hub = self.hub
        codecs, way = hub.settings.codecs_of(kind, name), hub.settings.endpoint_of(kind, name)
        if way == "rtp" or not self._processes:
            return hub.plane.allocate_for_offer(leg, worker, codecs)
        if not leg.invite.body:
            if way != "pjsua2":
                return hub.plane.allocate_for_offer(leg, worker, codecs)
            return self._begin(leg, worker, (*SPOKEN, PCMU, PCMA), leg.flow.remote[0], 0)
        offer = SessionDescription.parse(leg.invite.body)
        audio = next((media for media in offer.media if media.kind == "audio" and media.port), None)
        theirs = codecs_of(audio) if audio is not None else []
        ours = common_codecs(theirs, codecs)
        terminated = common_codecs(theirs, (*SPOKEN, PCMU, PCMA) if way == "pjsua2" else SPOKEN)
        if audio is None or not terminated or (ours and way != "pjsua2"):
            return hub.plane.allocate_for_offer(leg, worker, codecs)
        try:
            return self._begin(leg, worker, terminated[:1], offer.address_of(audio) or "", audio.port)
        except PeerError:
            if not ours:
                raise
            return hub.plane.allocate_for_offer(leg, worker, codecs)

    def allocate(self, leg: Leg, worker: int, kind: str, name: str) -> list[Media]:
        """As `MediaPlane.allocate`, for an `extension` or a `peer` that is called."""
        hub, address = self.hub, leg.flow.remote[0]
        if hub.settings.endpoint_of(kind, name) == "pjsua2":
            try:
                return self._begin(leg, worker, (*SPOKEN, PCMU, PCMA), address, 0)
            except PeerError as error:
                hub.warn("a leg is not terminated by pjsua2", to=f"{kind} {name}", reason=error.reason)
        return hub.plane.allocate(leg, worker, hub.settings.codecs_of(kind, name), address)

    def _begin(
        self, leg: Leg, worker: int, codecs: tuple[Codec, ...] | list[Codec], address: str, port: int
    ) -> list[Media]:
        number = self._choose()
        outer, inner = self._halves(number)
        terminal = Terminal(leg, self.hub.ua.ep.new_leg_id(), number, outer, inner)
        own = self.hub.plane.allocate(leg, worker, tuple(codecs), LOOPBACK, browser=False)
        assert leg.audio is not None
        leg.audio.front = terminal.front
        self._fronts[terminal.front] = leg
        for one in (leg.id, terminal.front, outer.id, inner.id):
            self._terminals[one] = terminal
        others = (m.Allocate(terminal.front, address, port), m.Allocate(outer.id, LOOPBACK))
        return [*own, *(Media(worker, command) for command in others)]

    def _halves(self, number: int) -> tuple[Leg, Leg]:
        """Our two calls to a process, not sent yet."""
        process = self._processes[number]
        port = process.udp_port if self._transport == "udp" else process.tcp_port
        assert self._local is not None
        flow = Flow(self._transport, self._local, (LOOPBACK, port))
        to = NameAddr(Uri("sip", self.hub.token(), process.secret, LOOPBACK, port))
        us = NameAddr(Uri("sip", "switch", None, LOOPBACK))
        return self.hub.ua.new_leg(to.uri, flow, us, to, []), self.hub.ua.new_leg(to.uri, flow, us, to, [])

    # ----- what happens to it

    def of(self, number: int) -> Terminal | None:
        """The terminal that a leg, in the engine or in SIP, belongs to."""
        return self._terminals.get(number)

    def concerns(self, number: int, event: object) -> bool:
        """Whether what happened to a leg in the engine has happened to the leg of the call: audio is missed
        and measured in front, and played, said and pressed behind."""
        terminal = self._terminals.get(number)
        if terminal is None or isinstance(event, (m.Allocated, m.AllocateFailed)):
            return True
        in_front = isinstance(event, (m.Measured, m.MediaLost))
        return number == (terminal.front if in_front else terminal.leg.id)

    def allocated(self, terminal: Terminal, event: m.Allocated, now: float) -> bool:
        """A port is there. True once: when the leg can be described to the phone."""
        terminal.ports[event.leg] = event
        leg, outer = terminal.leg, terminal.outer
        if leg.audio is None or outer is None:
            return False
        if not {leg.id, terminal.front, outer.id} <= terminal.ports.keys():
            return False
        if leg.audio.local is None:
            self.hub.plane.allocated(leg, terminal.ports[terminal.front])
            return True
        self.agreed(leg, now)
        return False

    def agreed(self, leg: Leg, now: float) -> None:
        """Phone and switch have agreed on a codec: have it spoken."""
        terminal = self._terminals.get(leg.id)
        audio = leg.audio
        if terminal is None or terminal.offers or audio is None or audio.agreed is None:
            return
        agreed, outer_leg, inner_leg = audio.agreed, terminal.outer, terminal.inner
        if outer_leg is None or inner_leg is None or outer_leg.id not in terminal.ports:
            return
        codec = next((one for one in audio.codecs if one.name.upper() == agreed.codec), PCMU)
        outer = Codec(codec.name, codec.payload_type, agreed.clock_hz, 1, agreed.fmtp)
        keys = None if agreed.event_payload_type is None else 101
        self._invite(terminal, outer_leg, outer_leg.id, outer, keys, now)
        self._invite(terminal, inner_leg, leg.id, inner_codec(agreed), 101, now)
        self.hub.emit([Media(audio.worker, m.Connect(terminal.front, outer_leg.id))])

    def _invite(
        self, terminal: Terminal, half: Leg, number: int, codec: Codec, keys: int | None, now: float
    ) -> None:
        address, port = self.hub.settings.inner_address, terminal.ports[number].port
        offer = make_offer(
            LocalMedia(address, port, self.hub.plane.new_session(), 1, "sendrecv", (codec,), keys)
        )
        terminal.offers[half.id] = offer
        self.hub.do(self.hub.ua.invite(half, offer.serialise(), now))

    def accepted(self, terminal: Terminal, event: Accepted, now: float) -> None:
        """The process has answered one of our two calls."""
        half, audio = event.leg, terminal.leg.audio
        assert audio is not None
        try:
            agreed = accept_answer(terminal.offers[half.id], SessionDescription.parse(event.body))
        except PeerError as error:
            self.failed(terminal.leg, f"the media endpoint's answer cannot be used: {error.reason}", now)
            return
        inner = half is terminal.inner
        number = terminal.leg.id if inner else half.id
        self.hub.emit([Media(audio.worker, remote_of(number, agreed, opaque=not inner))])
        terminal.is_spoken |= inner
        if inner and terminal.on_spoken is not None:
            action, terminal.on_spoken = terminal.on_spoken, None
            action(now)

    def ended(self, terminal: Terminal, reason: str, now: float) -> None:
        """The process has refused or ended one of our calls."""
        self.failed(terminal.leg, f"the media endpoint ended its call: {reason}", now)

    def failed(self, leg: Leg, reason: str, now: float) -> None:
        """Nobody can speak with its phone."""
        call = self.hub.call_of(leg)
        if call is None:
            self.end(leg, now)
        elif (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.desk.ringing.failed(attempt, leg, 503, reason, now)
        elif call.stage is Stage.SETUP:
            self.desk.refuse(call, PeerError(503, "No media"), Disposition.MEDIA_FAILURE, now, reason)
        else:
            disposition = Disposition.MEDIA_FAILURE if call.partner is None else None
            self.desk.end(call, disposition, reason, "system", now)

    def _again(self, terminal: Terminal, reason: str, now: float) -> None:
        """Have another process speak, now or as soon as there is one."""
        if not self._speak(terminal):
            terminal.patience_until = now + PATIENCE_S
            self.hub.at(terminal.patience_until, lambda at: self._give_up(terminal, reason, at))

    def _speak(self, terminal: Terminal) -> bool:
        """Begin with the process that has most room; False: none has any."""
        try:
            number = self._choose()
        except PeerError:
            return False
        assert terminal.leg.audio is not None
        terminal.process = number
        terminal.outer, terminal.inner = self._halves(number)
        self._terminals |= {terminal.outer.id: terminal, terminal.inner.id: terminal}
        self.hub.emit([Media(terminal.leg.audio.worker, m.Allocate(terminal.outer.id, LOOPBACK))])
        return True

    def _give_up(self, terminal: Terminal, reason: str, now: float) -> None:
        waits = terminal.process is None and self._terminals.get(terminal.leg.id) is terminal
        if waits and now >= terminal.patience_until:  # it may have had one meanwhile
            self.failed(terminal.leg, reason, now)

    def _let_go(self, terminal: Terminal, now: float) -> None:
        """Its two calls are over."""
        audio = terminal.leg.audio
        assert audio is not None
        for half in filter(None, (terminal.outer, terminal.inner)):
            self._terminals.pop(half.id, None)
            self.hub.do(self.hub.ua.hang_up(half, now))
        if terminal.outer is not None:
            self._release(audio.worker, terminal.outer.id)
        terminal.process = terminal.outer = terminal.inner = None
        terminal.offers, terminal.is_spoken = {}, False

    def _release(self, worker: int, number: int) -> None:
        if worker in self.hub.plane.workers:  # else it is gone with all its legs
            self.hub.emit([Media(worker, m.Release(number))])

    def end(self, leg: Leg, now: float) -> None:
        """The leg is over."""
        terminal = self._terminals.pop(leg.id, None)
        if terminal is None or leg.audio is None:
            return
        self._terminals.pop(terminal.front, None)
        self._let_go(terminal, now)
        self._release(leg.audio.worker, terminal.front)
        self._serve()
        self.hub.at(now + FORGET_S, lambda at: self._forget(terminal.front))

    def _forget(self, front: int) -> None:
        self._fronts.pop(front, None)  # its worker has died

    def released(self, event: m.Released) -> None:
        """The statistics of a front are those of its leg."""
        leg = self._fronts.pop(event.leg, None)
        if leg is not None and leg.audio is not None:
            leg.audio.quality = event.quality
