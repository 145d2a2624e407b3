"""libspeexdsp's jitter buffer through ctypes: the peer that ours is measured beside."""

from __future__ import annotations

import ctypes

from benchmarks.harness import MissingPeerError

FRAME = 160
SET_MARGIN, SET_LATE_COST, SET_MAX_LATE_RATE = 0, 8, 10


class Packet(ctypes.Structure):
    """JitterBufferPacket of speex_jitter.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("len", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("span", ctypes.c_uint32),
        ("sequence", ctypes.c_uint16),
        ("user_data", ctypes.c_uint32),
    ]


def library() -> ctypes.CDLL:
    """The shared library; MissingPeerError when it is not installed."""
    try:
        found = ctypes.CDLL("libspeexdsp.so.1")
    except OSError as error:
        raise MissingPeerError("libspeexdsp is missing: apt-get install libspeexdsp1") from error
    found.jitter_buffer_init.restype = ctypes.c_void_p
    return found


class Buffer:
    """One leg. Payloads are four octets: the packet's number."""

    def __init__(self, control: dict[int, int] | None = None) -> None:
        """`control`: requests of `jitter_buffer_ctl` and their values."""
        self._library = library()
        self._state = ctypes.c_void_p(self._library.jitter_buffer_init(FRAME))
        for request, value in (control or {}).items():
            self._library.jitter_buffer_ctl(self._state, request, ctypes.byref(ctypes.c_int32(value)))
        self._room = ctypes.create_string_buffer(64)
        self._out = Packet(ctypes.addressof(self._room), 64, 0, 0, 0, 0)
        self._offset = ctypes.c_int32()

    def put(self, number: int) -> None:
        """The packet of that place in the stream."""
        payload = ctypes.create_string_buffer(number.to_bytes(4, "little"), 4)
        packet = Packet(ctypes.addressof(payload), 4, number * FRAME, FRAME, number & 0xFFFF, 0)
        self._library.jitter_buffer_put(self._state, ctypes.byref(packet))

    def get(self) -> int | None:
        """The number of the packet that this tick plays, None if it has none."""
        self._out.len = 64
        kind = self._library.jitter_buffer_get(
            self._state, ctypes.byref(self._out), FRAME, ctypes.byref(self._offset)
        )
        self._library.jitter_buffer_tick(self._state)
        return int.from_bytes(self._room.raw[:4], "little") if kind == 0 else None

    def close(self) -> None:
        """Free it."""
        self._library.jitter_buffer_destroy(self._state)
