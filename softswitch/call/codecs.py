"""The codecs of the configuration as descriptions have them, and which of them a leg is offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from media.codecs import codec as media
from softswitch.sdp.codecs import DYNAMIC, PCMA, PCMU, Codec

_G711 = {"PCMU": PCMU, "PCMA": PCMA}
_FIRST_FREE = DYNAMIC.index(107)  # 101 and what follows are for telephone-event


def described(names: Iterable[str], installed: Mapping[str, media.Codec]) -> tuple[Codec, ...]:
    """Codecs by their names in upper case, in this order; those whose library is not there are left out.

    A codec without a static payload type has the same one in all our descriptions."""
    numbers = iter((*DYNAMIC[_FIRST_FREE:], *DYNAMIC[:_FIRST_FREE]))
    known = dict(_G711)
    for name, codec in installed.items():
        payload_type = next(numbers) if codec.payload_type is None else codec.payload_type
        if not codec.missing():
            known[name] = Codec(
                codec.name, payload_type, codec.clock_hz, codec.channels, codec.fmtp, media.MAX_PACKET_MS
            )
    return tuple(known[name] for name in names if name in known)


def preferring(codecs: Sequence[Codec], name: str) -> tuple[Codec, ...]:
    """The same codecs, those of this name first."""
    return tuple(sorted(codecs, key=lambda codec: codec.name.upper() != name.upper()))
