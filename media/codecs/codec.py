"""What a codec is to the engine: a plain record, and two small Protocols for its coders.

The engine hears and speaks 8 kHz linear audio, so a coder's samples are 8 kHz whatever the codec carries; a
wideband codec keeps its band where two legs that speak it are bridged, because then nothing is decoded.
Invariant: whatever octets the network sends, a decoder gives samples or raises CodecError, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from media.errors import CodecError

Samples = npt.NDArray[np.int16]
"""int16[n], 8 kHz, mono."""

MAX_PACKET_MS = 60
"""The longest packet that is taken; its 8 kHz samples are the most that a decoder may give."""
SAMPLES_A_MS = 8


class Decoder(Protocol):
    """The hearing half of one leg, with its state."""

    def decode(self, payload: bytes) -> Samples:
        """The samples of one packet, MAX_PACKET_MS at most. CodecError for what is none."""
        ...

    def recover(self, payload: bytes, samples: int) -> Samples:
        """What this packet, not yet decoded, tells of the lost one before it, which was `samples` long: so
        many samples, or none where it tells nothing."""
        ...


class Encoder(Protocol):
    """The speaking half of one leg, with its state."""

    def encode(self, samples: Samples) -> bytes:
        """The payload for one of the codec's `packet_ms`; empty: this silence need not be sent."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """An audio encoding.

    `name` as in a=rtpmap, where case does not count; `clock_hz` of its RTP timestamps, 8000 or a multiple up
    to 48000 (G.722's is 8000 whatever it carries, RFC 3551 4.5.2); `audio_hz` the sampling rate of what it
    carries; `payload_type` the static one, None for a dynamic one; `packet_ms` the lengths that the encoder
    takes, ascending, 20 among them. `channels` as in a=rtpmap. `fmtp` is what our descriptions say of us.
    `make_decoder()`, and `make_encoder(fmtp)` with what the peer says of itself; both raise CodecError when
    the library is not there. `missing()` says what is not there and how to get it, "" when nothing is.
    """

    name: str
    clock_hz: int
    audio_hz: int
    payload_type: int | None
    packet_ms: tuple[int, ...]
    make_decoder: Callable[[], Decoder]
    make_encoder: Callable[[str], Encoder]
    channels: int = 1
    fmtp: str = ""
    missing: Callable[[], str] = lambda: ""

    def __post_init__(self) -> None:
        if self.clock_hz % 8000 or not 8000 <= self.clock_hz <= 48000:
            raise CodecError(f"codec {self.name}: its RTP clock of {self.clock_hz} Hz is no multiple of 8000")
        if 20 not in self.packet_ms or list(self.packet_ms) != sorted(set(self.packet_ms)):
            raise CodecError(f"codec {self.name}: packet_ms {self.packet_ms} must ascend and have 20 in it")


def parameters(fmtp: str) -> dict[str, str]:
    """`useinbandfec=1; stereo=0` by name, in lower case; bounded, and what has no value is left out."""
    found: dict[str, str] = {}
    for part in fmtp.split(";", 32)[:32]:
        name, equals, value = part.strip().partition("=")
        if equals:
            found[name.strip().lower()] = value.strip()[:64]
    return found
