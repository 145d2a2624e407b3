"""G.711 companding as table look-ups on whole arrays (ITU-T G.711, both laws).

Invariant: every table is total (256 codes, 65 536 sample values) and read-only, so no octet from the network
can fail to decode. A *law index* is 0 for PCMU (mu-law) and 1 for PCMA (A-law), everywhere in `media`.
Linear samples are int16: the 14-bit (13-bit) values of the recommendation, scaled to full scale.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media.packet import compact

PCMU: Final = 0
PCMA: Final = 1

Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]

_MU_BIAS = 33  # added before the segment is looked up, in 14-bit units (G.711 table 2)
_MU_MAX = 8158


def _decode_ulaw() -> Int16:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _decode_alaw() -> Int16:
    code = np.arange(256) ^ 0x55
    segment = (code & 0x70) >> 4
    step = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _encode_ulaw(linear: npt.NDArray[np.int64]) -> UInt8:
    sample = linear >> 2
    magnitude = np.minimum(np.abs(sample), _MU_MAX) + _MU_BIAS
    # bit_length - 6 is the segment: magnitude runs from 33 (segment 0) to 8191 (segment 7).
    segment = np.floor(np.log2(magnitude)).astype(np.int64) - 5
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    codes: UInt8 = (code ^ np.where(sample < 0, 0x7F, 0xFF)).astype(np.uint8)
    return codes


def _encode_alaw(linear: npt.NDArray[np.int64]) -> UInt8:
    sample = linear >> 3
    magnitude = np.where(sample < 0, -sample - 1, sample)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 4, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    codes: UInt8 = (code ^ np.where(sample < 0, 0x55, 0xD5)).astype(np.uint8)
    return codes


# Indexed by the sample's bit pattern seen as uint16, so that negative samples need no offset.
_ALL_SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
_ENCODE = np.stack([_encode_ulaw(_ALL_SAMPLES), _encode_alaw(_ALL_SAMPLES)])

ULAW_TO_LINEAR: Final[Int16] = _decode_ulaw()
ALAW_TO_LINEAR: Final[Int16] = _decode_alaw()
DECODE: Final[Int16] = np.stack([ULAW_TO_LINEAR, ALAW_TO_LINEAR])
"""int16[2, 256]: `DECODE[law, code]` is the linear sample."""


def encode(samples: Int16, law: int) -> UInt8:
    """Code of each sample: int16[...] -> uint8[...], `law` 0 = PCMU, 1 = PCMA."""
    table = _ENCODE[law]
    codes: UInt8 = np.take(table, np.asarray(samples, dtype=np.int16).view(np.uint16))
    return codes


def encode_ulaw(samples: Int16) -> UInt8:
    """int16[...] -> mu-law codes uint8[...] of the same shape."""
    return encode(samples, PCMU)


def encode_alaw(samples: Int16) -> UInt8:
    """int16[...] -> A-law codes uint8[...] of the same shape."""
    return encode(samples, PCMA)


ULAW_TO_ALAW: Final[UInt8] = encode_alaw(ULAW_TO_LINEAR)
ALAW_TO_ULAW: Final[UInt8] = encode_ulaw(ALAW_TO_LINEAR)
TRANSCODE: Final[UInt8] = np.stack([ULAW_TO_ALAW, ALAW_TO_ULAW])
"""uint8[2, 256]: `TRANSCODE[law, code]` is the same sample's code in the *other* law."""

_PAIRS = np.stack(
    [table[np.arange(65536, dtype=np.uint16).view(np.uint8)].view(np.int32) for table in DECODE]
).reshape(-1)


def decode(codes: UInt8, laws: npt.NDArray[np.integer]) -> Int16:
    """Linear samples of C-contiguous uint8[n, even], row i in the law `laws[i]`: int16, same shape.

    Two codes are looked up at a time, which halves what a look-up costs.
    """
    pairs = codes.view(np.uint16)
    if np.count_nonzero(laws):
        linear = _PAIRS.take(pairs + (laws.astype(np.intp) << 16)[:, None], mode="wrap")
    else:
        linear = _PAIRS.take(pairs, mode="wrap")
    return linear.view(np.int16)


def decode_floats(codes: UInt8, laws: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """The same as float32."""
    return decode(codes, laws).astype(np.float32)


def encode_laws(samples: Int16, row: npt.NDArray[np.intp], laws: npt.NDArray[np.integer]) -> UInt8:
    """Codes for m listeners, of whom many may hear the same: int16[k, n], intp[m] (whose row is his), the law
    of each -> uint8[m, n]. What several hear in one law is encoded once."""
    key = row + laws * np.intp(len(samples))
    used = np.zeros(2 * len(samples), np.bool_)
    used[key] = True
    mu, a = np.flatnonzero(used[: len(samples)]), np.flatnonzero(used[len(samples) :])
    parts = [encode(samples[compact(mu)], PCMU)] + ([encode(samples[a], PCMA)] if a.size else [])
    codes = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if len(codes) == len(row) and np.array_equal(key, np.flatnonzero(used)):
        return codes
    heard: UInt8 = codes[np.cumsum(used)[key] - 1]
    return heard


_FLOATS = DECODE.astype(np.float32).reshape(-1)


def decode_half(
    codes: UInt8,
    laws: npt.NDArray[np.integer],
    index: npt.NDArray[np.intp],
    out: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Every second sample of uint8[n, 2 m], beginning with the first, row i in the law `laws[i]`: `out`,
    float32[n, m]. `index`, intp[n, m], is scratch of the caller's, as arrays of this size are dear to
    make."""
    np.copyto(index, codes[:, ::2])
    if np.count_nonzero(laws):
        index += laws[:, None].astype(np.intp) << 8
    return _FLOATS.take(index, out=out, mode="wrap")


SILENCE: Final[UInt8] = np.array([0xFF, 0xD5], dtype=np.uint8)
"""uint8[2]: the code of a zero sample in each law."""

for _table in (
    _ENCODE,
    ULAW_TO_LINEAR,
    ALAW_TO_LINEAR,
    DECODE,
    _PAIRS,
    _FLOATS,
    ULAW_TO_ALAW,
    ALAW_TO_ULAW,
    TRANSCODE,
    SILENCE,
):
    _table.setflags(write=False)
