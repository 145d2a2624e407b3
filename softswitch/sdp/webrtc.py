"""What browsers need in a description beside audio: ICE (RFC 8839), DTLS (RFC 8842), BUNDLE (RFC 8843).

Invariant: a section that is accepted has credentials, the fingerprint of a certificate by a good hash, and
RTCP on the RTP port; what is missing is a 488 that says so. We are the lite agent (RFC 8445 2.5) and have one
candidate of each IP family.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from softswitch.sdp.description import Attribute, MediaDescription, SessionDescription

PROTOCOLS: Final = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")
OFFERED: Final = PROTOCOLS[0]
_USER = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")
_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""The hashes that are taken, the preferred one first (RFC 8122 5)."""
_FIRST_MID = "0"


class LocalBrowser(msgspec.Struct, frozen=True, gc=False):
    """Our side: credentials, the fingerprint of our certificate. `client` is our part in DTLS once it is
    settled, None before."""

    ufrag: str
    password: str
    fingerprint: str
    client: bool | None = None

    def __repr__(self) -> str:
        return f"LocalBrowser({self.ufrag})"


class PeerBrowser(msgspec.Struct, frozen=True, gc=False):
    """The browser's side: its name in ICE, the fingerprint of its certificate; and whether we are the client
    of DTLS."""

    ufrag: str
    fingerprint: str
    client: bool


def is_browsers(media: MediaDescription) -> bool:
    """Is this the audio of a browser?"""
    return media.kind == "audio" and media.port != 0 and media.protocol in PROTOCOLS


def from_browser(description: SessionDescription) -> bool:
    """Does any section need ICE and DTLS, and none goes without?"""
    audio = [media for media in description.media if media.kind == "audio" and media.port]
    return bool(audio) and is_browsers(audio[0])


def ufrag_of(description: SessionDescription) -> str:
    """The peer's name in ICE; another than before asks for a restart (RFC 8839 4.4.1.1.1)."""
    audio = next((media for media in description.media if is_browsers(media)), None)
    return (_of(description, audio, "ice-ufrag") or "") if audio is not None else ""


def read_peer(theirs: SessionDescription, media: MediaDescription, ours: LocalBrowser) -> PeerBrowser | str:
    """The browser's side of a section, or why it cannot be accepted."""
    ufrag, password = _of(theirs, media, "ice-ufrag") or "", _of(theirs, media, "ice-pwd") or ""
    if not _USER.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        return "the audio has no ICE credentials (a=ice-ufrag, a=ice-pwd)"
    if _of(theirs, media, "rtcp-mux") is None:
        return "RTCP must go over the port of the audio (a=rtcp-mux)"
    fingerprint = _fingerprint(theirs, media)
    if not fingerprint:
        return "the audio has no a=fingerprint by sha-256, sha-384 or sha-512"
    setup = _of(theirs, media, "setup") or "actpass"
    if setup not in ("actpass", "active", "passive"):
        return f"a=setup:{setup[:20]!a} makes no connection"
    # RFC 8842 5.3: whoever leaves it to us gets what was settled before; at first the browser begins.
    client = bool(ours.client) if setup == "actpass" else setup == "passive"
    return PeerBrowser(ufrag, fingerprint, client)


def _fingerprint(theirs: SessionDescription, media: MediaDescription) -> str:
    stated = media.values("fingerprint") or [
        value or "" for name, value in theirs.attributes if name == "fingerprint"
    ]
    found = {}
    for value in stated[:16]:
        algorithm, _, digits = value.strip().partition(" ")
        size = _BYTES.get(algorithm.lower())
        if size is not None and re.fullmatch(rf"(?:[0-9A-Fa-f]{{2}}:){{{size - 1}}}[0-9A-Fa-f]{{2}}", digits):
            found[algorithm.lower()] = f"{algorithm.lower()} {digits.upper()}"
    return next((found[algorithm] for algorithm in _BYTES if algorithm in found), "")


def dressed(
    audio: MediaDescription,
    ours: LocalBrowser,
    addresses: tuple[str, ...],
    *,
    setup: str,
    protocol: str,
    mid: str,
) -> MediaDescription:
    """Our audio section as a browser wants it; `mid` is empty where there is none. `addresses`: one of each
    IP family, the preferred one first."""
    attributes: list[Attribute] = [
        *audio.attributes,
        ("ice-ufrag", ours.ufrag),
        ("ice-pwd", ours.password),
        ("fingerprint", ours.fingerprint),
        ("setup", setup),
        *(
            ("candidate", f"{number} 1 udp {_priority(number)} {address} {audio.port} typ host")
            for number, address in enumerate(addresses, 1)
        ),
        ("end-of-candidates", None),
        ("msid", "softswitch audio"),
    ]
    if mid:
        attributes.append(("mid", mid))
    if ("rtcp-mux", None) not in attributes:
        attributes.append(("rtcp-mux", None))
    return msgspec.structs.replace(audio, protocol=protocol, attributes=tuple(attributes))


def _priority(number: int) -> int:
    """Of our candidates, counted from 1 (RFC 8445 5.1.2.1)."""
    return 126 << 24 | (65536 - number) << 8 | 255


def setup_of(peer: PeerBrowser) -> str:
    """Our a=setup in an answer."""
    return "active" if peer.client else "passive"


def mid_of(media: MediaDescription | None) -> str:
    """The name of a section, if it has a good one; of a new one, ours."""
    if media is None:
        return _FIRST_MID
    mid = media.attribute("mid") or ""
    return mid if _MID.fullmatch(mid) else ""


def session_attributes(mid: str, offer: SessionDescription | None = None) -> tuple[Attribute, ...]:
    """What stands at the head of a description: that we are lite, and the bundle of one, if the `offer` to be
    answered has bundled the section."""
    bundled = offer is None or any(
        name == "group" and (value or "").startswith("BUNDLE") and mid in (value or "").split()[1:]
        for name, value in offer.attributes
    )
    group: tuple[Attribute, ...] = (("group", f"BUNDLE {mid}"),) if mid and bundled else ()
    return (*group, ("ice-lite", None))


def _of(theirs: SessionDescription, media: MediaDescription, name: str) -> str | None:
    stated = media.attribute(name)
    return theirs.attribute(name) if stated is None else stated
