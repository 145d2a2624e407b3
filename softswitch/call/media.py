"""The audio of legs: RTP ports from the workers, offer and answer, and the commands that follow from them.

Invariant: a leg that was allocated is released exactly once, unless its worker died. Both legs of a call
are on the same worker. Sans-IO: every function returns the `Media` effects to carry out.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from media import messages as m
from media.codecs.opaque import opaque as opaque_codec
from softswitch.call.codecs import preferring
from softswitch.call.events import Media
from softswitch.call.leg import Leg
from softswitch.call.workers import Workers
from softswitch.errors import LocalError
from softswitch.sdp.codecs import PCMU, STATIC
from softswitch.sdp.crypto import KEY_BYTES, Crypto, Suite
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import Codec, LocalMedia, Negotiated, accept_answer, make_answer, make_offer
from softswitch.sdp.webrtc import LocalBrowser, from_browser, ufrag_of
from softswitch.sip.flow import BROWSER_TRANSPORTS

G722 = STATIC[9]


@dataclass(slots=True)
class Audio:
    """The media half of a leg. `sent` is the description that we sent last; `agreed` what counts now."""

    worker: int
    codecs: tuple[Codec, ...] = ()
    """What is spoken with this leg, the preferred one first."""
    ice: m.IceCredentials | None = None
    """Those that a browser's leg was allocated with."""
    local: LocalMedia | None = None
    sent: SessionDescription | None = None
    agreed: Negotiated | None = None
    held: bool = False
    latched: bool = False
    play: int = 0
    released: bool = False
    probed: bool = False
    quality: m.Quality | None = None
    offered: SessionDescription | None = None
    """What the caller's INVITE offered, until it is answered."""
    front: int = 0
    """The leg in the engine that faces the phone, where that is another one (`terminating`)."""


class MediaPlane:
    """Which workers there are and what is on them. `token` gives 64 bits that nobody can guess, as text."""

    def __init__(
        self,
        token: Callable[[], str],
        suites: Sequence[Suite] = (),
        *,
        comfort_noise: bool = False,
    ) -> None:
        """`suites` of SRTP, the preferred one first."""
        self._comfort_noise = comfort_noise
        self._suites = tuple(suites)
        self._token = token
        self.pool = Workers()
        self._legs: dict[int, Leg] = {}
        self._plays = itertools.count(1)
        self._sessions = itertools.count(1)
        self._rooms = itertools.count(1)

    @property
    def workers(self) -> dict[int, int]:
        """Legs by ready worker."""
        return self.pool.legs

    def leg(self, number: int) -> Leg | None:
        """The leg that a worker's event is about."""
        return self._legs.get(number)

    def legs(self) -> tuple[Leg, ...]:
        """All legs whose Released has not come."""
        return tuple(self._legs.values())

    def worker_ready(self, worker: int) -> None:
        """The worker takes legs."""
        self.pool.ready(worker)

    def skip_numbers(self, play: int, room: int) -> None:
        """Playbacks and rooms up to these are of an earlier process."""
        self._plays = itertools.count(play + 1)
        self._rooms = itertools.count(room + 1)

    def resume(self, leg: Leg) -> None:
        """A leg of an earlier process is on its worker still."""
        self._legs[leg.id] = leg
        self.pool.add(_audio(leg).worker)

    def worker_lost(self, worker: int) -> list[Leg]:
        """The worker died: the legs that were on it."""
        self.pool.lost(worker)
        lost = [leg for leg in self._legs.values() if leg.audio is not None and leg.audio.worker == worker]
        for leg in lost:
            assert leg.audio is not None
            leg.audio.released = True
            del self._legs[leg.id]
        return lost

    def choose(self) -> int:
        """The worker for a new call. Raises PeerError 503."""
        return self.pool.choose()

    def allocate(
        self,
        leg: Leg,
        worker: int,
        codecs: tuple[Codec, ...],
        address: str,
        port: int = 0,
        *,
        browser: bool | None = None,
    ) -> list[Media]:
        """Ask for a port; `allocated` follows. `codecs`: what is spoken with the leg, the preferred one
        first. `address` and `port`: where its audio will probably come from, as far as that is known; it
        lets legs share ports. `browser`: it needs ICE and DTLS, which None leaves to how it is reached."""
        if browser is None:
            browser = leg.flow.transport in BROWSER_TRANSPORTS
        leg.audio = Audio(worker, codecs, ice=self._credentials() if browser else None)
        self._legs[leg.id] = leg
        self.pool.add(worker)
        return [Media(worker, m.Allocate(leg.id, address, port, leg.audio.ice))]

    def _credentials(self) -> m.IceCredentials:
        return m.IceCredentials(self._token(), self._token() + self._token())

    def allocated(self, leg: Leg, event: m.Allocated) -> None:
        """The port is there."""
        assert leg.audio is not None
        ice = leg.audio.ice
        addresses = [one for one in (event.address, event.ipv6_address) if one]
        leg.audio.local = LocalMedia(
            addresses[0],
            event.port,
            self.new_session(),
            1,
            codecs=leg.audio.codecs,
            browser=LocalBrowser(ice.ufrag, ice.password, event.fingerprint) if ice is not None else None,
            comfort_noise=self._comfort_noise,
            other_address=addresses[-1] if len(addresses) > 1 else "",
        )

    def new_session(self) -> int:
        """The number of a new session of ours (RFC 8866 section 5.2)."""
        return next(self._sessions)

    def release(self, leg: Leg) -> list[Media]:
        """Give the port back; `released` follows with the statistics."""
        audio = leg.audio
        if audio is None or audio.released:
            return []
        audio.released = True
        return [Media(audio.worker, m.Release(leg.id))]

    def released(self, event: m.Released) -> Leg | None:
        """The leg that is gone, its quality noted."""
        leg = self._legs.pop(event.leg, None)
        if leg is not None and leg.audio is not None:
            if not leg.audio.front:
                leg.audio.quality = event.quality
            self.pool.remove(leg.audio.worker)
        return leg

    # ----- offer and answer

    def allocate_for_offer(self, leg: Leg, worker: int, codecs: tuple[Codec, ...]) -> list[Media]:
        """Ask for a port for a caller. Raises PeerError 400 or 488 when his offer cannot be read."""
        if not leg.invite.body:
            return self.allocate(leg, worker, codecs, leg.flow.remote[0])
        offer = SessionDescription.parse(leg.invite.body)
        audio = next((media for media in offer.media if media.kind == "audio" and media.port), None)
        address = offer.address_of(audio) if audio is not None else None
        port = audio.port if audio is not None else 0
        browser = from_browser(offer)
        commands = self.allocate(leg, worker, codecs, address or "", port, browser=browser)
        _audio(leg).offered = offer
        return commands

    def offer(self, leg: Leg, other: Leg | None = None) -> bytes:
        """Our offer for the leg, which begins with what is spoken with the `other`: what both speak goes
        across as it is."""
        audio = _audio(leg)
        local = self._next_local(leg, audio)
        in_use = local.srtp_in_use
        if leg.srtp == "allowed" and in_use is None and leg.flow.transport != "tls":
            # Whoever hears the line would read the keys.
            local = msgspec.structs.replace(local, crypto=())
        elif in_use is not None:
            kept = (
                msgspec.structs.replace(one, key=in_use.outbound) if one.suite == in_use.suite else one
                for one in local.crypto
            )
            local = msgspec.structs.replace(local, crypto=tuple(kept))
        if other is not None:
            local = msgspec.structs.replace(local, codecs=preferring(local.codecs, _spoken(other)))
        audio.sent = make_offer(local, audio.sent)
        return audio.sent.serialise()

    def answer(self, leg: Leg, body: bytes, other: Leg | None = None) -> tuple[bytes, list[Media]]:
        """Our answer to the peer's offer, and what the worker must know: with the codec that is spoken with
        the `other`, else with the one spoken so far, else with the first of ours. Raises PeerError 400 or
        488."""
        audio = _audio(leg)
        offer = audio.offered if body is leg.invite.body else None
        audio.offered = None
        offer = offer or SessionDescription.parse(body)
        local = self._restarted(leg, audio, offer)
        so_far = audio.agreed.codec if audio.agreed is not None else ""
        names = [_spoken(other), so_far, *(codec.name for codec in audio.codecs)]
        answer, agreed = make_answer(offer, local, names)
        audio.local = msgspec.structs.replace(local, srtp="off", crypto=(), srtp_in_use=None)
        audio.sent = answer
        return answer.serialise(), self._settle(leg, audio, agreed)

    def _restarted(self, leg: Leg, audio: Audio, offer: SessionDescription) -> LocalMedia:
        """What we answer with: other ICE credentials, if a browser has changed his (RFC 8839 4.4.1.1.1)."""
        local = self._next_local(leg, audio)
        before = audio.agreed.browser if audio.agreed is not None else None
        if local.browser is None or before is None or before.ufrag == ufrag_of(offer):
            return local
        ice = self._credentials()
        browser = msgspec.structs.replace(local.browser, ufrag=ice.ufrag, password=ice.password)
        return msgspec.structs.replace(local, browser=browser)

    def accept(self, leg: Leg, body: bytes) -> list[Media]:
        """The peer's answer to our offer. Raises PeerError 400 or 488."""
        audio = _audio(leg)
        if audio.sent is None:
            raise LocalError(f"leg {leg.id} got an answer without an offer of ours")
        ours = audio.local.browser if audio.local is not None else None
        answer = SessionDescription.parse(body)
        return self._settle(leg, audio, accept_answer(audio.sent, answer, ours, srtp=leg.srtp))

    def _settle(self, leg: Leg, audio: Audio, agreed: Negotiated) -> list[Media]:
        audio.agreed = agreed
        audio.held = agreed.held
        number = audio.front or leg.id
        browser, srtp = _browser(audio, agreed), _keys(agreed)
        remote = remote_of(number, agreed, opaque=bool(audio.front), browser=browser, srtp=srtp)
        return [Media(audio.worker, remote)]

    def _next_local(self, leg: Leg, audio: Audio) -> LocalMedia:
        """What we describe ourselves as: each further description of a session has the next version (3264
        section 8), and fresh keys.
        """
        local = audio.local
        if local is None:
            raise LocalError("a description was asked for before the RTP port is known")
        # In the family that we have described ourselves in so far, at first in that of the signalling.
        so_far = audio.sent.connection if audio.sent is not None else None
        local = local.facing(so_far or leg.flow.remote[0])
        if audio.sent is not None:
            local = msgspec.structs.replace(local, version=int(audio.sent.origin.version) + 1)
        if local.browser is not None:  # DTLS has its own keys
            if audio.agreed is not None and audio.agreed.browser is not None:
                browser = msgspec.structs.replace(local.browser, client=audio.agreed.browser.client)
                local = msgspec.structs.replace(local, browser=browser)
            return local
        if leg.srtp == "off":
            return local
        suites = enumerate(self._suites, 1)
        fresh = (Crypto(tag, suite, secrets.token_bytes(KEY_BYTES[suite])) for tag, suite in suites)
        in_use = audio.agreed.srtp if audio.agreed is not None else None
        return msgspec.structs.replace(local, srtp=leg.srtp, crypto=tuple(fresh), srtp_in_use=in_use)

    # ----- what a leg hears

    def play(
        self, leg: Leg, clips: tuple[str, ...], *, loop: bool = False, resume: bool = False
    ) -> list[Media]:
        """Play to the leg, replacing what it hears; `leg.audio.play` is the id that Played will have."""
        audio = _audio(leg)
        audio.play = next(self._plays)
        return [Media(audio.worker, m.Play(leg.id, audio.play, clips, loop, resume))]

    def stop(self, leg: Leg) -> list[Media]:
        """Silence, or the bridge again."""
        return self.silence(leg) if _audio(leg).play else []

    def silence(self, leg: Leg) -> list[Media]:
        """The same, also where we do not know what is heard: an earlier process has begun it."""
        audio = _audio(leg)
        audio.play = 0
        return [Media(audio.worker, m.Stop(leg.id))]

    def connect(self, a: Leg, b: Leg) -> list[Media]:
        """Let the two hear each other."""
        one, other = _audio(a), _audio(b)
        one.play = other.play = 0
        return [Media(one.worker, m.Connect(a.id, b.id))]

    # ----- rooms

    def open_room(self) -> int:
        """The name of a room that nobody is in yet."""
        return next(self._rooms)

    def join(
        self,
        leg: Leg,
        room: int,
        *,
        heard_by: tuple[int, ...] | None = None,
        muted: bool = False,
        gain_db: float = 0.0,
        keys: bool = False,
    ) -> list[Media]:
        """Have the leg in a room, as `media.messages.Join` says; again, to change how it is there."""
        joined = m.Join(leg.id, room, heard_by, muted=muted, gain_db=gain_db, keys=keys)
        return [Media(_audio(leg).worker, joined)]

    def leave(self, leg: Leg) -> list[Media]:
        """Take the leg out of its room."""
        audio = _audio(leg)
        return [] if audio.released else [Media(audio.worker, m.Leave(leg.id))]


def inner_codec(agreed: Negotiated) -> Codec:
    """What the engine speaks for a leg of which another speaks what was agreed."""
    return G722 if agreed.clock_hz > PCMU.clock_rate else PCMU


def remote_of(
    number: int,
    agreed: Negotiated,
    *,
    opaque: bool = False,
    browser: m.Browser | None = None,
    srtp: m.SrtpKeys | None = None,
) -> m.SetRemote:
    """What was agreed for a leg of the engine; `opaque`: its codec need not be known there."""
    return m.SetRemote(
        number,
        agreed.address,
        agreed.port,
        agreed.rtcp_port,
        opaque_codec(agreed.clock_hz) if opaque else agreed.codec,
        agreed.payload_type,
        agreed.event_payload_type,
        agreed.ptime_ms,
        agreed.send,
        agreed.receive,
        agreed.rtcp_mux,
        agreed.rtcp_xr,
        agreed.rtcp_reduced,
        event_clock_hz=agreed.event_clock_hz,
        comfort_noise=agreed.comfort_noise,
        srtp=srtp,
        browser=browser,
        fmtp=agreed.fmtp,
    )


def _audio(leg: Leg) -> Audio:
    if leg.audio is None:
        raise LocalError(f"leg {leg.id} has no media yet")
    return leg.audio


def _spoken(leg: Leg | None) -> str:
    """The codec of the leg in the engine; empty while none is agreed."""
    audio = leg.audio if leg is not None else None
    if audio is None or audio.agreed is None:
        return ""
    return inner_codec(audio.agreed).name if audio.front else audio.agreed.codec


def _browser(audio: Audio, agreed: Negotiated) -> m.Browser | None:
    """What the worker must know of a browser."""
    ours = audio.local.browser if audio.local is not None else None
    if ours is None or agreed.browser is None:
        return None
    ice = m.IceCredentials(ours.ufrag, ours.password)
    return m.Browser(ice, agreed.browser.fingerprint, agreed.browser.client)


def _keys(agreed: Negotiated) -> m.SrtpKeys | None:
    srtp = agreed.srtp
    return None if srtp is None else m.SrtpKeys(srtp.suite, srtp.inbound, srtp.outbound, srtp.lifetime)
