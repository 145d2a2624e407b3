"""Comfort noise in descriptions: payload type 13, CN/8000 (RFC 3389 section 4), for codecs of 8 kHz."""

from __future__ import annotations

import msgspec

from softswitch.sdp.description import MediaDescription

FORMAT = "13"
NOISE_HZ = 8000
"""The clock of the codecs that it goes with."""
RTPMAP = f"{FORMAT} CN/8000"


def has_noise(media: MediaDescription) -> bool:
    """Does this section know comfort noise? 13 is a static type: it needs no rtpmap."""
    if FORMAT not in media.formats:
        return False
    said = next((value for name, value in media.attributes if name == "rtpmap" and _is_ours(value)), RTPMAP)
    return (said or "").upper() in (RTPMAP, RTPMAP + "/1")


def _is_ours(rtpmap: str | None) -> bool:
    return (rtpmap or "").partition(" ")[0] == FORMAT


def with_noise(media: MediaDescription) -> MediaDescription:
    """The section with comfort noise as its last format, so that nobody takes it for the preferred one."""
    place = next((at for at, (name, _) in enumerate(media.attributes) if name not in ("rtpmap", "fmtp")), 0)
    attributes = (*media.attributes[:place], ("rtpmap", RTPMAP), *media.attributes[place:])
    return msgspec.structs.replace(media, formats=(*media.formats, FORMAT), attributes=attributes)
