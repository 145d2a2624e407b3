"""RTP packets of a whole batch as arrays: validate, read and write headers (RFC 3550 section 5.1).

Invariant: nothing here looks at one packet at a time, and nothing raises on what came from the network; a
bad packet is a False in a mask. The row stride is an odd number of cache lines, so that headers of
successive rows do not fall into the same cache sets; it has room for the datagrams of 1200 bytes and a little
more in which browsers begin DTLS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STRIDE = 1344
HEADER_BYTES = 12
FRAME_SAMPLES = 160
TICK_S = 0.02
SAMPLES_PER_S = 8000
VERSION_2 = 0x80000000  # all these are bits of the first header word
MARKER = np.uint32(0x00800000)
PLAIN_MASK = np.uint32(0xFF7F0000)  # version, padding, extension, CSRCs, payload type
LOW_16 = np.uint32(0xFFFF)

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
FRAME_ITEM = np.dtype((np.void, FRAME_SAMPLES))


@dataclass(slots=True)
class Batch:
    """Datagrams that arrived, n rows (the arrays may be longer: only the first `count` rows count).

    data: uint8[>=n, STRIDE], aligned to 4 bytes; the engine rewrites it in place. lengths: int32[n], bytes, 0
    for a datagram that did not fit into its row. paths: uint64[n], local port and remote (media.path).
    arrivals: float64[n], seconds on the clock of `now`.
    """

    count: int
    data: U8
    lengths: I32
    paths: U64
    arrivals: F64


@dataclass(slots=True)
class Outgoing:
    """Datagrams to send. `rows` (intp[n]) are rows of `data`, all different; the others are [n], aligned with
    `rows`. `slots` (intp[n]) are the legs they go to, -1 for one that is gone. `port` is the local port that
    all of them leave by, where that is known, and that the rows ascend; else 0.

    Same dtypes as Batch; `data` must stay untouched until they are sent.
    """

    data: U8
    rows: Index
    lengths: I32
    paths: U64
    slots: Index
    port: int = 0


def words(data: U8) -> npt.NDArray[np.uint32]:
    """The rows of `data` as big-endian 32-bit words, uint32[rows, STRIDE / 4] (dtype `>u4`), without a
    copy."""
    return data.view(">u4")


def read_headers(data: U8, count: int) -> U32:
    """The headers of the first `count` rows, uint32[count, 3] in native byte order: first word, timestamp,
    SSRC. Meaningless where there is no RTP."""
    return words(data)[:count, :3].astype(np.uint32)


def frames_of(data: U8) -> npt.NDArray[np.void]:
    """The first 20 ms of G.711 after the header of each row of `data`, uint8[rows, STRIDE], without a copy:
    one item a row, [rows] of FRAME_ITEM, so that they are gathered and stored several times as fast."""
    frames: npt.NDArray[np.void] = data[:, HEADER_BYTES : HEADER_BYTES + FRAME_SAMPLES].view(FRAME_ITEM)[:, 0]
    return frames


def as_octets(frames: npt.NDArray[np.void]) -> U8:
    """[n] of FRAME_ITEM, side by side, as uint8[n, 160], without a copy."""
    return frames.view(np.uint8).reshape(-1, FRAME_SAMPLES)


def compact(rows: Index) -> slice | Index:
    """Rows that follow one another as a slice, with which arrays are read and written without a gather;
    others as they are. `rows` must ascend, no two alike."""
    count = rows.size
    if count and rows[-1] - rows[0] == count - 1:
        first = int(rows[0])
        return slice(first, first + count)
    return rows


def valid_rtp(data: U8, lengths: I32, first: U32, candidates: Bools) -> Bools:
    """Which of the candidate rows (bool[n]) are RTP version 2 with a payload; those with padding, CSRCs or an
    extension are straightened.

    A straightened row has its payload moved to byte 12, `lengths` corrected and the P, X and CC bits
    cleared, in `data` and in `first`, all in place. RTCP that strayed onto an RTP port (payload types 64 to
    95 with the marker bit, RFC 5761 section 4) is refused.
    """
    good: Bools = (
        candidates & ((first >> np.uint32(30)) == 2) & (lengths > HEADER_BYTES) & (lengths <= STRIDE)
    )
    octet = (first >> np.uint32(16)) & np.uint32(0xFF)
    good &= (octet < 192) | (octet > 223)  # before rows are moved: RTCP is read later
    odd = (first & np.uint32(0x3F000000)) != 0
    if odd.any():
        _straighten(data, lengths, first, good, np.flatnonzero(odd & good))
    return good


def _straighten(data: U8, lengths: I32, first: U32, good: Bools, rows: Index) -> None:
    """Bring the given rows into the plain 12-byte form; rows that contradict themselves become not good."""
    if rows.size == 0:
        return
    head = first[rows]
    offset = HEADER_BYTES + 4 * ((head >> np.uint32(24)) & np.uint32(0x0F)).astype(np.int32)
    size = lengths[rows].astype(np.int32)
    extended = (head & np.uint32(0x10000000)) != 0
    readable = offset + 4 <= size
    where = np.minimum(offset, STRIDE - 4)
    words_after = data[rows, where + 2].astype(np.int32) * 256 + data[rows, where + 3]
    offset = np.where(extended, offset + 4 + 4 * words_after, offset)
    ok = (~extended | readable) & (offset < size)
    padded = (head & np.uint32(0x20000000)) != 0
    padding = np.where(padded, data[rows, np.maximum(size - 1, 0)], 0).astype(np.int32)
    ok &= ~padded | (padding > 0)
    end = size - padding
    ok &= offset < end
    good[rows[~ok]] = False
    rows, offset, end = rows[ok], offset[ok], end[ok]
    for shift in np.unique(offset).tolist():  # bounded: offsets are multiples of 4 below STRIDE
        if shift != HEADER_BYTES:
            those = rows[offset == shift]
            moved = data[those, shift:]
            data[those, HEADER_BYTES : HEADER_BYTES + moved.shape[1]] = moved
    lengths[rows] = end - offset + HEADER_BYTES
    first[rows] &= np.uint32(0xC0FFFFFF)


def write_headers(data: U8, rows: Index, first: U32, timestamps: U32, ssrcs: U32) -> None:
    """Write the fixed header into the given rows of `data`, which must ascend, no two alike."""
    view = words(data)
    here = compact(rows)
    view[here, 0] = first
    view[here, 1] = timestamps
    view[here, 2] = ssrcs


def put_headers(data: U8, rows: Index, headers: U32) -> None:
    """The contrary of `read_headers`, for the given rows, which must ascend, no two alike."""
    words(data)[compact(rows), :3] = headers


_NO_ROWS: Index = np.empty(0, np.intp)
_NO_LENGTHS: I32 = np.empty(0, np.int32)
_NO_PATHS: U64 = np.empty(0, np.uint64)


def empty_outgoing(data: U8) -> Outgoing:
    """Nothing to send."""
    return Outgoing(data, _NO_ROWS, _NO_LENGTHS, _NO_PATHS, _NO_ROWS)


def joined(parts: list[Outgoing], data: U8) -> Outgoing:
    """Several lists of datagrams, all of them rows of `data`, as one."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return empty_outgoing(data)
    return Outgoing(
        data,
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.paths for part in parts]),
        np.concatenate([part.slots for part in parts]),
    )
