"""Keys of SRTP in a description (SDES: `a=crypto`, RFC 4568; AES-GCM: RFC 7714 section 14.2).

Pure; random keys are given by the caller. Invariants: a line that we could not honour to the letter (an
unknown suite or session parameter, an MKI, several keys, a key of another length, a lifetime that is none) is
none of ours and is passed over, as 5.1.3 asks; a key is in no repr and in no error.

A lifetime (6.1) is of the key in its line, by which its writer sends: ours have none, which stands for the
longest, and no call outlasts that; theirs goes with the key to whoever receives by it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from softswitch.sdp.description import Attribute, MediaDescription

Suite = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
SrtpPolicy = Literal["off", "allowed", "required"]
KEY_BYTES: Final[Mapping[Suite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""Master key and salt together."""
SUITES: Final[tuple[Suite, ...]] = tuple(KEY_BYTES)
SECURE: Final = ("RTP/SAVP", "RTP/SAVPF")
PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
MAX_LINES: Final = 32
"""More lines of one section are not read."""
_MAX_CHARS: Final = 512
_HARMLESS: Final = re.compile(r"WSH=\d+|KDR=0", re.IGNORECASE)
"""Session parameters that change nothing for us: how far a receiver looks back, and keys derived once."""


LIFETIME: Final = 1 << 48
"""Packets that a key is for, where a line does not say, and at most: of all suites (RFC 3711 section 9.2, RFC
7714 section 14.2)."""
_LIFETIME: Final = re.compile(r"(2\^)?([0-9]{1,15})")


class Crypto(msgspec.Struct, frozen=True, gc=False):
    """One line: the key by which whoever wrote it encrypts what he sends, so many packets at most."""

    tag: int
    suite: Suite
    key: bytes
    lifetime: int = LIFETIME

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("tag", self.tag), ("suite", self.suite)]


class Srtp(msgspec.Struct, frozen=True, gc=False):
    """What offer and answer settled: by which keys we receive (so many packets at most) and send."""

    suite: Suite
    inbound: bytes
    outbound: bytes
    lifetime: int = LIFETIME

    def __repr__(self) -> str:
        return f"Srtp({self.suite})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("suite", self.suite)]


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """A line of theirs, and the one of ours that goes with it."""

    theirs: Crypto
    ours: Crypto

    @property
    def srtp(self) -> Srtp:
        """The keys of both directions."""
        return Srtp(self.ours.suite, self.theirs.key, self.ours.key, self.theirs.lifetime)


def parse_crypto(value: str) -> Crypto | None:
    """The value of an `a=crypto`; None for one that is malformed or asks for what we cannot do."""
    words = value[: _MAX_CHARS + 1].split()
    if len(value) > _MAX_CHARS or len(words) < 3:
        return None
    tag, name, parameters = words[0], words[1].upper(), words[2]
    suite = next((suite for suite in SUITES if suite == name), None)
    if suite is None or not (tag.isascii() and tag.isdigit()) or not 1 <= len(tag) <= 9:
        return None
    if not all(_HARMLESS.fullmatch(word) for word in words[3:]):
        return None
    method, _, info = parameters.partition(":")
    text, *rest = info.split("|")
    lifetime = _lifetime(rest)
    if method.lower() != "inline" or lifetime is None or ";" in info:
        return None  # several keys, which need an MKI
    try:
        # The padding is left out by some.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(int(tag), suite, key, lifetime) if len(key) == KEY_BYTES[suite] else None


def _lifetime(parts: Sequence[str]) -> int | None:
    """What stands behind a key: nothing, or its lifetime (`2^20`, `1048576`). None for what is too long or
    malformed, by which the line becomes invalid, and for an MKI (`1:4`)."""
    if not parts:
        return LIFETIME
    found = _LIFETIME.fullmatch(parts[0])
    if found is None or len(parts) > 1:
        return None
    number = int(found[2])
    if found[1]:
        number = 1 << number if number <= 48 else 0
    return number if 1 <= number <= LIFETIME else None


def crypto_of(media: MediaDescription) -> list[Crypto]:
    """The lines of a section that we can honour, in its order."""
    found = (parse_crypto(value) for value in media.values("crypto")[:MAX_LINES])
    return [one for one in found if one is not None]


def attribute_of(crypto: Crypto) -> Attribute:
    """The line."""
    return "crypto", f"{crypto.tag} {crypto.suite} inline:{base64.b64encode(crypto.key).decode()}"


def offered_protocol(policy: SrtpPolicy) -> str:
    """Who must have encryption says so by the protocol; who would like it adds the keys to a plain offer,
    which phones without SRTP answer as ever."""
    return "RTP/SAVP" if policy == "required" else "RTP/AVP"


def answerable(
    media: MediaDescription, policy: SrtpPolicy, ours: Sequence[Crypto], in_use: Srtp | None
) -> Chosen | str | None:
    """How an offered section is answered: with these keys, plain (None), or not at all, and why (a text).

    The first of their lines that we have a key for. If it is the one that is `in_use`, so does ours stay: the
    numbers of both streams go on, and no phone must change its keys for a hold.
    """
    secure = media.protocol in SECURE
    if policy == "off":
        return "encryption (SRTP) is switched off here" if secure else None
    mine = {one.suite: one for one in ours}
    theirs = next((one for one in crypto_of(media) if one.suite in mine), None)
    if theirs is not None:
        key = mine[theirs.suite].key
        if in_use is not None and (theirs.suite, theirs.key) == (in_use.suite, in_use.inbound):
            key = in_use.outbound
        return Chosen(theirs, Crypto(theirs.tag, theirs.suite, key))
    if secure:
        return "no line of a=crypto in the offer can be used here"
    return "encryption (SRTP) is required here" if policy == "required" else None


def accepted(ours: MediaDescription, theirs: MediaDescription, policy: SrtpPolicy) -> Chosen | str | None:
    """What the answer to a section that we offered means: these keys, plain (None), or nothing good."""
    offered = {(one.tag, one.suite): one for one in crypto_of(ours)}
    for one in crypto_of(theirs):
        mine = offered.get((one.tag, one.suite))
        if mine is not None:
            return Chosen(one, mine)
    if theirs.protocol in SECURE:
        return "the answer takes none of the keys of the offer"
    return "encryption (SRTP) is required here" if policy == "required" else None
