"""Codecs and telephone-events of one media section (RFC 3551, RFC 4733): what numbers mean there.

Invariant: a payload type means what its own section says; what is malformed is passed over, never guessed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from softswitch.sdp.description import MediaDescription

EVENT = "TELEPHONE-EVENT"
# RFC 4733 2.4.1: the keys 0-9 * # A-D are 0 to 15; 16 is the hook flash. We send and take keys.
OUR_EVENTS = frozenset(range(17))
NEEDED_EVENTS = frozenset(range(12))
MAX_RANGES = 64
MAX_FMTP = 256
DYNAMIC = (*range(102, 128), *range(96, 102))
"""Payload types that mean nothing by themselves (RFC 3551 section 6), in the order in which we take them."""


class Events(NamedTuple):
    """A telephone-event that both sides have: its payload type, the events, and the clock in Hz."""

    payload_type: int
    numbers: frozenset[int]
    clock_rate: int = 8000


class Codec(msgspec.Struct, frozen=True, gc=False):
    """An audio encoding and the payload type that one side gives it. `clock_rate` in Hz. `fmtp` is what that
    side says of itself, `max_ptime_ms` the longest packet that it takes (0: it does not say)."""

    name: str
    payload_type: int
    clock_rate: int = 8000
    channels: int = 1
    fmtp: str = ""
    max_ptime_ms: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes two codecs the same: name in upper case, clock rate, channels; not the payload type."""
        return (self.name.upper(), self.clock_rate, self.channels)


PCMU = Codec("PCMU", 0)
PCMA = Codec("PCMA", 8)
# RFC 3551 table 4: what a payload type means when no rtpmap says it.
STATIC = {
    0: PCMU,
    3: Codec("GSM", 3),
    4: Codec("G723", 4),
    8: PCMA,
    9: Codec("G722", 9),
    15: Codec("G728", 15),
    18: Codec("G729", 18),
}


def rtpmap_of(codec: Codec) -> str:
    """The value of its a=rtpmap."""
    channels = f"/{codec.channels}" if codec.channels != 1 else ""
    return f"{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"


def codecs_of(media: MediaDescription, known: dict[int, Codec] | None = None) -> list[Codec]:
    """The codecs of a section in its order, telephone-event included; unknown formats are left out.

    `known`: what payload types mean that the section does not explain.
    """
    named: dict[int, Codec] = {}
    for value in media.values("rtpmap"):
        number, _, encoding = value.partition(" ")
        name, _, rest = encoding.strip().partition("/")
        rate, _, channels = rest.partition("/")
        payload_type = _payload_type(number)
        if payload_type is not None and rate.isascii() and rate.isdigit() and len(rate) < 7:
            named[payload_type] = Codec(
                name, payload_type, int(rate), int(channels) if channels in ("1", "2") else 1
            )
    said = {}
    for value in media.values("fmtp"):
        number, _, text = value.partition(" ")
        said[number] = text.strip() if len(text) <= MAX_FMTP else ""
    found: list[Codec] = []
    for text in media.formats:
        payload_type = _payload_type(text)
        if payload_type is None:
            continue
        codec = named.get(payload_type) or STATIC.get(payload_type) or (known or {}).get(payload_type)
        if codec is not None:
            fmtp = said.get(text, "")
            found.append(msgspec.structs.replace(codec, fmtp=fmtp) if fmtp else codec)
    return found


def _payload_type(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 3:
        return None
    value = int(text)
    return value if value < 128 else None


def common_codecs(theirs: list[Codec], ours: Sequence[Codec]) -> list[Codec]:
    """Their codecs that we have too, in their order and with their payload types."""
    keys = {codec.key for codec in ours}
    return [codec for codec in theirs if codec.key in keys and codec.name.upper() != EVENT]


def preferred_codec(common: list[Codec], prefer: Sequence[str]) -> Codec:
    """The first by our names; by the order of `common` when none is named."""
    for name in prefer:
        for codec in common:
            if codec.name.upper() == name.upper():
                return codec
    return common[0]


def events_of(media: MediaDescription, clock_rate: int, codecs: Sequence[Codec]) -> Events | None:
    """Its telephone-event, when that can carry the keys: the one at this clock rate, else that of 8 kHz,
    which many phones have beside Opus.

    `codecs` are those of the section, as `codecs_of` found them.
    """
    found = _events_at(media, clock_rate, codecs)
    return _events_at(media, 8000, codecs) if found is None and clock_rate != 8000 else found


def _events_at(media: MediaDescription, clock_rate: int, codecs: Sequence[Codec]) -> Events | None:
    for codec in codecs:
        if codec.name.upper() != EVENT or codec.clock_rate != clock_rate:
            continue
        for value in media.values("fmtp"):
            number, _, listed = value.partition(" ")
            if _payload_type(number) == codec.payload_type:
                events = _event_list(listed)
                return Events(codec.payload_type, events, clock_rate) if events >= NEEDED_EVENTS else None
        # RFC 4733 2.4.1: without a list, 0 to 15 are meant.
        return Events(codec.payload_type, frozenset(range(16)), clock_rate)
    return None


def events_for(codecs: Sequence[Codec], payload_type: int | None) -> list[Events]:
    """What to offer beside these codecs: a telephone-event of 8 kHz as `payload_type`, and one for each other
    clock (RFC 4733 section 2.1), as the first types that nothing else has."""
    if payload_type is None:
        return []
    taken = {payload_type, *(codec.payload_type for codec in codecs)}
    free = (number for number in DYNAMIC if number not in taken)
    others = sorted({codec.clock_rate for codec in codecs} - {8000})
    found = [Events(payload_type, OUR_EVENTS)]
    return found + [Events(number, OUR_EVENTS, clock) for clock, number in zip(others, free, strict=False)]


def _event_list(text: str) -> frozenset[int]:
    """`0-11,16` as a set, bounded to the events that we know; what is no number is passed over."""
    events: set[int] = set()
    for part in text.strip().removeprefix("events=").split(",", MAX_RANGES)[:MAX_RANGES]:
        low, dash, high = part.strip().partition("-")
        first, last = _payload_type(low), _payload_type(high if dash else low)
        if first is not None and last is not None:
            events.update(range(first, min(last, max(OUR_EVENTS)) + 1))
    return frozenset(events) & OUR_EVENTS


def event_ranges(numbers: list[int]) -> str:
    """`[0, 1, 2, 5]` as `0-2,5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
