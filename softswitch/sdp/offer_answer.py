"""Offer and answer for one audio stream (RFC 3264), as pure functions over descriptions.

Invariant: an answer has the m= lines of its offer, in order and number; one audio line at most is accepted,
every other has port 0. What was agreed comes out as one `Negotiated`, which is all that the media side needs.

Late offer (an INVITE without SDP): `make_offer` goes into the 200, `accept_answer` reads the ACK.
Old-style hold (RFC 2543: c=0.0.0.0) counts as "the peer does not receive".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal

import msgspec

from softswitch.errors import PeerError
from softswitch.sdp import webrtc
from softswitch.sdp.codecs import (
    OUR_EVENTS,
    PCMA,
    PCMU,
    Codec,
    Events,
    codecs_of,
    common_codecs,
    event_ranges,
    events_for,
    events_of,
    preferred_codec,
    rtpmap_of,
)
from softswitch.sdp.comfort_noise import NOISE_HZ, has_noise, with_noise
from softswitch.sdp.crypto import (
    PLAIN,
    SECURE,
    Chosen,
    Crypto,
    Srtp,
    SrtpPolicy,
    accepted,
    answerable,
    attribute_of,
    offered_protocol,
)
from softswitch.sdp.description import Attribute, MediaDescription, Origin, SessionDescription

__all__ = [
    "PCMA",
    "PCMU",
    "Codec",
    "Direction",
    "LocalMedia",
    "Negotiated",
    "accept_answer",
    "make_answer",
    "make_offer",
]

MAX_PTIME_MS = 200
RTCP_ATTRIBUTES: tuple[Attribute, ...] = (
    ("rtcp-mux", None),
    ("rtcp-rsize", None),
    ("rtcp-xr", "voip-metrics"),
)
OFFERED_RTCP = (("rtcp-mux", None), ("rtcp-xr", "voip-metrics"))

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]


class LocalMedia(msgspec.Struct, frozen=True, gc=False):
    """What we bring to a session: where we receive, what we speak, which way we want audio to flow.

    `other_address`: where we receive, at the same port, in the other IP family; "" if that is none.
    `version` must grow by one whenever a new description differs from the last that we sent (RFC 3264 section
    8). `event_payload_type` None: no telephone-event at all. `crypto`: the keys that we may encrypt with, one
    for each suite that we speak; `srtp_in_use` what the session is encrypted with so far. With `browser` the
    session is one with a browser, over ICE and DTLS, and nothing else.
    """

    address: str
    port: int
    session_id: int
    version: int
    direction: Direction = "sendrecv"
    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    event_payload_type: int | None = 101
    ptime_ms: int = 20
    browser: webrtc.LocalBrowser | None = None
    comfort_noise: bool = False
    srtp: SrtpPolicy = "off"
    crypto: tuple[Crypto, ...] = ()
    srtp_in_use: Srtp | None = None
    other_address: str = ""

    def facing(self, address: str) -> LocalMedia:
        """The same towards a peer at this address: described by ours of its family, if there is one."""
        family = _family(address)
        if not self.other_address or not family or family == _family(self.address):
            return self
        return msgspec.structs.replace(self, address=self.other_address, other_address=self.address)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All at which we receive, that in the description first."""
        return (self.address, self.other_address) if self.other_address else (self.address,)


class Negotiated(msgspec.Struct, frozen=True, gc=False):
    """What offer and answer settled, seen from us.

    `address`, `port`: where the peer receives; `rtcp_port` 0: nowhere. `payload_type` and
    `event_payload_type` are what we send. `send`, `receive`: which way audio may flow now. `held`: the peer
    does not want to hear us. `rtcp_mux`: RTCP goes over the RTP port (RFC 5761); `rtcp_xr`: the peer wants
    VoIP metrics (RFC 3611); `rtcp_reduced`: RTCP may be of reduced size (RFC 5506). `comfort_noise`: both
    know CN (RFC 3389). `srtp`: the keys of a session that is encrypted by SDES. `browser`: the peer is one,
    `address` and `port` mean nothing then. `fmtp` is what the peer says of itself for the codec, `clock_hz`
    its RTP clock, `event_clock_hz` that of its telephone-event.
    """

    address: str
    port: int
    rtcp_port: int
    codec: str
    payload_type: int
    event_payload_type: int | None
    ptime_ms: int = 20
    send: bool = True
    receive: bool = True
    held: bool = False
    rtcp_mux: bool = False
    rtcp_xr: bool = False
    rtcp_reduced: bool = False
    browser: webrtc.PeerBrowser | None = None
    comfort_noise: bool = False
    srtp: Srtp | None = None
    fmtp: str = ""
    event_clock_hz: int = 8000
    clock_hz: int = 8000


def make_offer(local: LocalMedia, previous: SessionDescription | None = None) -> SessionDescription:
    """Our offer. `previous` is what we sent last in this session: its m= lines keep their places (8)."""
    rest = (*OFFERED_RTCP, *(attribute_of(one) for one in local.crypto))
    events = events_for(local.codecs, local.event_payload_type)
    audio = _audio(local, local.codecs, events, local.direction, rest)
    audio = msgspec.structs.replace(audio, protocol=offered_protocol(local.srtp))
    if local.comfort_noise:
        audio = with_noise(audio)
    if previous is None or not previous.media:
        audio, head = _offered_to_browser(local, audio, None)
        return _describe(local, (audio,), head)
    place = next((i for i, m in enumerate(previous.media) if m.port), 0)
    audio = msgspec.structs.replace(audio, protocol=previous.media[place].protocol)
    audio, head = _offered_to_browser(local, audio, previous.media[place])
    media = tuple(audio if i == place else _refused(m) for i, m in enumerate(previous.media))
    return _describe(local, media, head)


def _offered_to_browser(
    local: LocalMedia, audio: MediaDescription, before: MediaDescription | None
) -> tuple[MediaDescription, tuple[Attribute, ...]]:
    """The section as a browser wants it, and what stands at the head; as it is, for others."""
    if local.browser is None:
        return audio, ()
    mid = webrtc.mid_of(before)
    audio = webrtc.dressed(
        audio, local.browser, local.addresses, setup="actpass", protocol=webrtc.OFFERED, mid=mid
    )
    return audio, webrtc.session_attributes(mid)


def make_answer(
    offer: SessionDescription, local: LocalMedia, prefer: Sequence[str] = ()
) -> tuple[SessionDescription, Negotiated]:
    """Answer an offer with one audio stream and one codec, in the IP family of the offer's stream.

    The first audio line that has a codec in common is taken. Its codec is the first of `prefer` (names) that
    both sides have; when `prefer` names none of them, the offerer's order decides. Raises PeerError 488 when
    nothing fits.
    """
    protocols = (*PLAIN, *SECURE) if local.browser is None else webrtc.PROTOCOLS
    why = f"the offer has no audio over {protocols[0]}"
    for place, media in enumerate(offer.media):
        if media.kind != "audio" or media.port == 0 or media.protocol not in protocols:
            continue
        fit = _fit(offer, media, local)
        if isinstance(fit, str):
            why = fit
            continue
        audio, head, negotiated = _answered(offer, fit, preferred_codec(fit.common, prefer))
        sections = tuple(audio if i == place else _refused(m) for i, m in enumerate(offer.media))
        times = tuple(line for line in offer.lines if line[0] == "t") or (("t", "0 0"),)
        return _describe(fit.local, sections, head, times), negotiated
    raise _unacceptable(why)


class _Fit(msgspec.Struct, frozen=True, gc=False):
    """An offered audio section that can be accepted, and how: from `local`, as it is towards this peer, with
    one of the `common` codecs, and encrypted by `keys` or towards a `browser`, if at all."""

    media: MediaDescription
    local: LocalMedia
    theirs: list[Codec]
    common: list[Codec]
    keys: Chosen | None
    browser: webrtc.PeerBrowser | None


def _fit(offer: SessionDescription, media: MediaDescription, local: LocalMedia) -> _Fit | str:
    """How an offered section can be accepted; a text: why not."""
    browser = webrtc.read_peer(offer, media, local.browser) if local.browser is not None else None
    if isinstance(browser, str):
        return browser
    local = local.facing(offer.address_of(media) or "")
    if browser is None and (unreachable := _unreachable(offer, media, local.address)) is not None:
        return unreachable
    theirs = codecs_of(media)
    common = common_codecs(theirs, local.codecs)
    if not common:
        return "no codec in common: " + ", ".join(codec.name for codec in local.codecs) + " is spoken here"
    keys = answerable(media, local.srtp, local.crypto, local.srtp_in_use)
    return keys if isinstance(keys, str) else _Fit(media, local, theirs, common, keys, browser)


def _answered(
    offer: SessionDescription, fit: _Fit, codec: Codec
) -> tuple[MediaDescription, tuple[Attribute, ...], Negotiated]:
    """Our section with this codec, what stands at the head of the answer, and what is settled by it."""
    media, local, keys = fit.media, fit.local, fit.keys
    events = None
    if local.event_payload_type is not None:
        events = events_of(media, codec.clock_rate, fit.theirs)
    hears, speaks = _receives(offer, media), _sends(offer, media)
    send = hears and local.direction in ("sendrecv", "sendonly")
    receive = speaks and local.direction in ("sendrecv", "recvonly")
    negotiated = _negotiated(offer, media, codec, events, local.ptime_ms, send, receive, not hears)
    rest = _answered_rtcp(negotiated)
    if keys is not None:
        rest = (*rest, attribute_of(keys.ours))
    known = (events,) if events is not None else ()
    audio = _audio(local, (_as_ours(codec, local.codecs),), known, _direction(send, receive), rest)
    audio = msgspec.structs.replace(audio, protocol=media.protocol)
    audio, head = _answered_to_browser(offer, fit, audio)
    noise = local.comfort_noise and codec.clock_rate == NOISE_HZ and has_noise(media)
    if noise:
        audio = with_noise(audio)
    srtp = keys.srtp if keys is not None else None
    negotiated = msgspec.structs.replace(negotiated, srtp=srtp, browser=fit.browser, comfort_noise=noise)
    return audio, head, negotiated


def _answered_to_browser(
    offer: SessionDescription, fit: _Fit, audio: MediaDescription
) -> tuple[MediaDescription, tuple[Attribute, ...]]:
    """As `_offered_to_browser`, for an answer."""
    if fit.browser is None or fit.local.browser is None:
        return audio, ()
    mid, setup = webrtc.mid_of(fit.media), webrtc.setup_of(fit.browser)
    audio = webrtc.dressed(
        audio, fit.local.browser, fit.local.addresses, setup=setup, protocol=fit.media.protocol, mid=mid
    )
    return audio, webrtc.session_attributes(mid, offer)


def accept_answer(
    offer: SessionDescription,
    answer: SessionDescription,
    ours: webrtc.LocalBrowser | None = None,
    *,
    srtp: SrtpPolicy = "off",
) -> Negotiated:
    """What the peer's answer to our offer settled; `ours` is what we offered to a browser. Raises PeerError
    488 when it leaves us without audio, or without the encryption that is required."""
    place = next((i for i, m in enumerate(offer.media) if m.kind == "audio" and m.port), None)
    if place is None or place >= len(answer.media):
        raise _unacceptable("the answer lacks the audio line of the offer")
    offered_media, theirs = offer.media[place], answer.media[place]
    spoken = (offered_media.protocol,) if ours is not None else (offered_media.protocol, *SECURE)
    if theirs.port == 0 or theirs.kind != "audio" or theirs.protocol not in spoken:
        raise _unacceptable("the answer refuses the audio")
    keys = accepted(offered_media, theirs, srtp) if ours is None else None
    if isinstance(keys, str):
        raise _unacceptable(keys)
    offered = codecs_of(offered_media)
    # A dynamic type without an rtpmap of its own can only mean what we had offered under that number.
    answered = codecs_of(theirs, {codec.payload_type: codec for codec in offered})
    common = common_codecs(answered, offered)
    if not common:
        raise _unacceptable("the answer has no codec of the offer")
    browser = webrtc.read_peer(answer, theirs, ours) if ours is not None else None
    if isinstance(browser, str):
        raise _unacceptable(browser)
    where = offer.address_of(offered_media) or ""
    if browser is None and (unreachable := _unreachable(answer, theirs, where)) is not None:
        raise _unacceptable(unreachable)
    codec = common[0]
    events = None
    if events_of(offered_media, codec.clock_rate, offered) is not None:
        events = events_of(theirs, codec.clock_rate, answered)
    we_send, we_receive = _sends(offer, offered_media), _receives(offer, offered_media)
    hears = _receives(answer, theirs)
    # They use the payload types of the answer for what we send (section 6.1), even where ours differ.
    negotiated = _negotiated(
        answer,
        theirs,
        codec,
        events,
        _ptime_ms(offered_media, 20),
        we_send and hears,
        we_receive and _sends(answer, theirs),
        we_send and not hears,
    )
    both = codec.clock_rate == NOISE_HZ and has_noise(offered_media) and has_noise(theirs)
    agreed = keys.srtp if keys is not None else None
    return msgspec.structs.replace(negotiated, browser=browser, srtp=agreed, comfort_noise=both)


def _unacceptable(why: str) -> PeerError:
    quoted = why.replace('"', "'")
    return PeerError(488, "Not Acceptable Here", (("Warning", f'304 softswitch "{quoted}"'),))


def _describe(
    local: LocalMedia,
    media: tuple[MediaDescription, ...],
    attributes: tuple[Attribute, ...],
    lines: tuple[tuple[str, str], ...] = (("t", "0 0"),),
) -> SessionDescription:
    origin = Origin("-", str(local.session_id), str(local.version), local.address)
    return SessionDescription(origin, media, local.address, attributes, lines)


def _answered_rtcp(negotiated: Negotiated) -> tuple[Attribute, ...]:
    """An answer takes up what the offer proposed (RFC 5761 section 5.1.1)."""
    taken = (negotiated.rtcp_mux, negotiated.rtcp_reduced, negotiated.rtcp_xr)
    return tuple(attribute for attribute, wanted in zip(RTCP_ATTRIBUTES, taken, strict=True) if wanted)


def _as_ours(codec: Codec, ours: Sequence[Codec]) -> Codec:
    """A codec of the peer with its payload type, and what we say of it."""
    found = next(one for one in ours if one.key == codec.key)
    return msgspec.structs.replace(found, payload_type=codec.payload_type)


def _audio(
    local: LocalMedia,
    codecs: Sequence[Codec],
    events: Sequence[Events],
    direction: Direction,
    rtcp: tuple[Attribute, ...],
) -> MediaDescription:
    formats = [str(codec.payload_type) for codec in codecs] + [str(one.payload_type) for one in events]
    attributes: list[Attribute] = []
    for codec in codecs:
        attributes.append(("rtpmap", rtpmap_of(codec)))
        if codec.fmtp:
            attributes.append(("fmtp", f"{codec.payload_type} {codec.fmtp}"))
    for one in events:
        attributes.append(("rtpmap", f"{one.payload_type} telephone-event/{one.clock_rate}"))
        known = event_ranges(sorted(OUR_EVENTS & one.numbers))
        attributes.append(("fmtp", f"{one.payload_type} {known}"))
    attributes.append(("ptime", str(local.ptime_ms)))
    if longest := [codec.max_ptime_ms for codec in codecs if codec.max_ptime_ms]:
        attributes.append(("maxptime", str(min(longest))))
    attributes.append((direction, None))
    attributes += rtcp
    return MediaDescription("audio", local.port, "RTP/AVP", tuple(formats), attributes=tuple(attributes))


def _refused(media: MediaDescription) -> MediaDescription:
    mid = tuple(attribute for attribute in media.attributes if attribute[0] == "mid")[:1]
    return MediaDescription(media.kind, 0, media.protocol, media.formats[:1], attributes=mid)


def _stated(description: SessionDescription, media: MediaDescription) -> str:
    """The direction of a section as written: its own attribute, else the session's, else sendrecv."""
    for attributes in (media.attributes, description.attributes):
        for name, value in attributes:
            if value is None and name in ("sendrecv", "sendonly", "recvonly", "inactive"):
                return name
    return "sendrecv"


def _sends(description: SessionDescription, media: MediaDescription) -> bool:
    return _stated(description, media) in ("sendrecv", "sendonly")


def _receives(description: SessionDescription, media: MediaDescription) -> bool:
    # A browser that has not looked for its addresses yet writes 0.0.0.0, and means no hold by it (RFC 8840).
    if not webrtc.is_browsers(media) and _is_black_hole(description.address_of(media) or ""):
        return False
    return _stated(description, media) in ("sendrecv", "recvonly")


def _is_black_hole(address: str) -> bool:
    return address in ("0.0.0.0", "::") or address.endswith(".invalid")


def _direction(send: bool, receive: bool) -> Direction:
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


@lru_cache(maxsize=4096)
def _family(address: str) -> int:
    """4 or 6 for a unicast address, 0 for what nobody can send to."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return 0
    return 0 if parsed.is_multicast or address == "255.255.255.255" else parsed.version


def _negotiated(
    theirs: SessionDescription,
    media: MediaDescription,
    codec: Codec,
    events: Events | None,
    ptime_ms: int,
    send: bool,
    receive: bool,
    held: bool,
) -> Negotiated:
    address = theirs.address_of(media) or ""
    if _is_black_hole(address):
        address = "0.0.0.0"
    return Negotiated(
        address,
        media.port,
        _rtcp_port(media),
        codec.name.upper(),
        codec.payload_type,
        events.payload_type if events else None,
        _ptime_ms(media, ptime_ms),
        send,
        receive,
        held,
        rtcp_mux=_flag(theirs, media, "rtcp-mux") is not None,
        rtcp_xr="voip-metrics" in (_flag(theirs, media, "rtcp-xr") or ""),
        rtcp_reduced=_flag(theirs, media, "rtcp-rsize") is not None,
        fmtp=codec.fmtp,
        event_clock_hz=events.clock_rate if events else 8000,
        clock_hz=codec.clock_rate,
    )


def _flag(theirs: SessionDescription, media: MediaDescription, name: str) -> str | None:
    stated = media.attribute(name)
    return theirs.attribute(name) if stated is None else stated


def _unreachable(theirs: SessionDescription, media: MediaDescription, local_address: str) -> str | None:
    """Why audio cannot be sent to the address of a section; None when it can, or when it is on hold there.
    Not to be asked of a browser's, who shows himself where he is."""
    address = theirs.address_of(media)
    if address is None:
        return "the audio has no c= line"
    if _is_black_hole(address):
        return None
    family = _family(address)
    if not family:
        return f"{address[:40]!a} is no address that audio can be sent to"
    return None if family == _family(local_address) else f"audio goes over IPv{_family(local_address)} here"


def _rtcp_port(media: MediaDescription) -> int:
    """RFC 3605: a=rtcp, else the port above; 0 when there is none. Another address in it is not followed."""
    stated = media.attribute("rtcp")
    if stated is not None:
        text = stated.partition(" ")[0]
        if text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536:
            return int(text)
    return media.port + 1 if media.port < 65535 else 0


def _ptime_ms(media: MediaDescription, otherwise: int) -> int:
    """How much audio the peer wants in a packet, held to what it can take (a=maxptime)."""
    wanted = _milliseconds(media.attribute("ptime")) or otherwise
    most = _milliseconds(media.attribute("maxptime"))
    return min(wanted, most) if most else wanted


def _milliseconds(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 3:
        return None
    value = int(text)
    return value if 10 <= value <= MAX_PTIME_MS else None
