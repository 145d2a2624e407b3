"""The codecs besides G.711, which the engine speaks itself: built-ins in a literal mapping, third parties'
through entry points in the group `softswitch.codecs`.

A codec is a record (`media.codecs.codec.Codec`); `media.codecs.conformance.check_codec` tests one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from media.codecs.codec import Codec
from media.codecs.g722 import G722
from media.codecs.opus import OPUS
from media.errors import CodecError

GROUP: Final = "softswitch.codecs"
G711: Final = ("PCMU", "PCMA")
BUILT_IN: Final[Mapping[str, Codec]] = MappingProxyType({"G722": G722, "OPUS": OPUS})
"""By the name in upper case, as in every mapping of codecs."""


def as_codec(thing: object) -> Codec:
    """What an entry point names, if it is a codec that can be had; else TypeError with what it lacks."""
    if not isinstance(thing, Codec):
        raise TypeError("it is no media.codecs.codec.Codec; the entry point of a codec names its record")
    if thing.name.upper() in G711:
        raise TypeError(f"{thing.name} is spoken by the engine itself")
    return thing


def installed() -> Mapping[str, Codec]:
    """Every codec besides G.711. CodecError for a package that cannot be used (the start of the switch finds
    that first, and says more)."""
    codecs = dict(BUILT_IN)
    for entry in entry_points(group=GROUP):
        try:
            codecs[entry.name.upper()] = as_codec(entry.load())
        except Exception as error:
            raise CodecError(f"{GROUP}: {entry.name!r} ({entry.value}) cannot be used: {error}") from error
    return MappingProxyType(codecs)
