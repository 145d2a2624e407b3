"""Linux recvmmsg and sendmmsg through ctypes, on numpy arrays laid out as the kernel's structures.

Invariant: all structures live in arrays that are allocated once and point at one another; a call only fills
in lengths. Layouts are those of 64-bit Linux; `AVAILABLE` is False anywhere else.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from media.packet import F64, STRIDE, U8, U64
from media.path import swapped

SO_TIMESTAMPNS = 35
_RECEIVE_FLAGS = socket.MSG_DONTWAIT | socket.MSG_TRUNC  # tell the whole length of what is longer than a row
NAME_BYTES = 16
CONTROL_BYTES = 32  # exactly one arrival time: its head, and a timespec

_HEADER = np.dtype(
    [
        ("name", "u8"),
        ("name_bytes", "u4"),
        ("_1", "u4"),
        ("iov", "u8"),
        ("iov_count", "u8"),
        ("control", "u8"),
        ("control_bytes", "u8"),
        ("flags", "i4"),
        ("_2", "u4"),
        ("received", "u4"),
        ("_3", "u4"),
    ]
)
_VECTOR = np.dtype([("base", "u8"), ("bytes", "u8")])
_STAMP = np.dtype([("bytes", "u8"), ("level", "i4"), ("type", "i4"), ("s", "i8"), ("ns", "i8")])


def _load() -> tuple[ctypes._CFuncPtr, ctypes._CFuncPtr] | None:  # type: ignore[name-defined]
    if (
        not sys.platform.startswith("linux")
        or sys.byteorder != "little"
        or ctypes.sizeof(ctypes.c_void_p) != 8
    ):
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        receive, send = libc.recvmmsg, libc.sendmmsg
    except (OSError, AttributeError):
        return None
    receive.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    send.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
    return receive, send


_CALLS = _load()
AVAILABLE = _CALLS is not None


class Zeros(Protocol):
    """Makes arrays, as numpy does."""

    def __call__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, /) -> npt.NDArray[Any]: ...


def _address(array: npt.NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


class Messages:
    """`count` message headers over the rows of a payload matrix and an array of socket addresses of
    `name_bytes` each; `zeros` makes the arrays."""

    def __init__(
        self, count: int, control: bool, name_bytes: int = NAME_BYTES, zeros: Zeros = np.zeros
    ) -> None:
        words = -(-name_bytes // 8)
        self.names = zeros((count, words), np.uint64)  # sockaddr_in, the first word as in media.path
        self.vectors = zeros((count,), _VECTOR)
        self.headers = zeros((count,), _HEADER)
        self.control = zeros((count if control else 0, CONTROL_BYTES), np.uint8)
        rows = np.arange(count, dtype=np.uint64)
        self.headers["name"] = _address(self.names) + rows * np.uint64(8 * words)
        self.headers["name_bytes"] = name_bytes
        self.headers["iov"] = _address(self.vectors) + rows * np.uint64(_VECTOR.itemsize)
        self.headers["iov_count"] = 1
        if control:
            self.headers["control"] = _address(self.control) + rows * np.uint64(CONTROL_BYTES)
            self.headers["control_bytes"] = CONTROL_BYTES
        self._base = _address(self.headers)
        # Columns, made once: whoever needs one in every batch does not look it up by its name.
        self.lengths = self.headers["received"]
        self.bases, self.sizes = self.vectors["base"], self.vectors["bytes"]
        stamps = self.control[:, : _STAMP.itemsize].view(_STAMP)[:, 0]
        self._seconds, self._nanoseconds = stamps["s"], stamps["ns"]

    def point_at(self, data: U8) -> None:
        """Let message i use row i of `data` (uint8[count, STRIDE]) as a whole."""
        self.bases[:] = _address(data) + np.arange(data.shape[0], dtype=np.uint64) * np.uint64(STRIDE)
        self.sizes[:] = STRIDE

    def read_paths(self, first: int, paths: U64, local_port: int) -> None:
        """Write into `paths` (uint64[n]) those of messages first..first+n, which came to this port."""
        swapped(self.names[first : first + paths.size, 0], local_port, paths)

    def set_paths(self, first: int, paths: U64, local_port: int) -> None:
        """Where messages first..first+n are to go, from this port: uint64[n]."""
        swapped(paths, local_port, self.names[first : first + paths.size, 0])

    def read_stamps(self, stamps: F64) -> None:
        """Write into `stamps` (float64[n], seconds since 1970) when the first n messages arrived, by the
        kernel's word: all have a time if their sockets have SO_TIMESTAMPNS. (The kernel overwrites the sizes
        of addresses and of control parts with what it has used: with what they were.)"""
        np.multiply(self._nanoseconds[: stamps.size], 1e-9, out=stamps)
        stamps += self._seconds[: stamps.size]

    def receive(self, descriptor: int, first: int, count: int) -> int:
        """Receive into messages first..first+count without waiting; how many came (0: none, or an error)."""
        assert _CALLS is not None
        got: int = _CALLS[0](descriptor, self._base + first * _HEADER.itemsize, count, _RECEIVE_FLAGS, None)
        return max(got, 0)

    def send(self, descriptor: int, first: int, count: int) -> int:
        """Send messages first..first+count without waiting; how many went. One that is refused is left
        out."""
        assert _CALLS is not None
        sent, at, end = 0, first, first + count
        while at < end:
            went = _CALLS[1](descriptor, self._base + at * _HEADER.itemsize, end - at, socket.MSG_DONTWAIT)
            if went > 0:
                sent += went
                at += went
            elif ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS, errno.EBADF, errno.ENOMEM):
                break  # the socket's buffer is full: what is late is useless
            elif ctypes.get_errno() != errno.EINTR:
                at += 1  # this one has no route or is forbidden: go on with the next
        return sent
