"""The kernel's eBPF: maps, programs, and their place at network interfaces, by the system call bpf(2).

Everything made here is gone when its descriptor is closed, at the latest with the process. Linux 6.6 and
later (tcx) on little-endian machines of 64 bits.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
import sys

import numpy as np

from media.packet import U32, U64

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_MAP_CREATE, _PROGRAM_LOAD, _UPDATE_BATCH, _DELETE_BATCH, _LINK_CREATE = 0, 5, 26, 27, 28
_HASH, _ARRAY = 1, 2
_MMAPABLE = 1 << 10
_SCHED_CLS, _TCX_INGRESS = 3, 46
_LICENCE = b"Apache-2.0"  # no helper is used that wants another
_LOG_BYTES = 1 << 20
_NAME = b"softswitch"
_LIBC = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    """The system call; raises OSError."""
    number = _NUMBERS.get(platform.machine())
    if not sys.platform.startswith("linux") or sys.byteorder != "little" or number is None:
        raise OSError(errno.ENOSYS, "this machine has no bpf(2) that is known here")
    block = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    found: int = _LIBC.syscall(ctypes.c_long(number), ctypes.c_int(command), block, ctypes.c_uint(len(block)))
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return found


class SharedArray:
    """Memory that programs and this process have in common: a map of one value."""

    def __init__(self, size: int) -> None:
        self.descriptor = _bpf(_MAP_CREATE, struct.pack("=5I8x16s", _ARRAY, 4, size, 1, _MMAPABLE, _NAME))
        try:
            self.memory = mmap.mmap(self.descriptor, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """The memory itself lives as long as anything uses it."""
        os.close(self.descriptor)


class HashMap:
    """From numbers of 64 bits to such of 32; at most `size`."""

    def __init__(self, size: int) -> None:
        self.descriptor = _bpf(_MAP_CREATE, struct.pack("=5I8x16s", _HASH, 8, 4, size, 0, _NAME))

    def _batch(self, command: int, keys: U64, values: U32 | None = None) -> None:
        addresses = keys.ctypes.data, 0 if values is None else values.ctypes.data
        _bpf(command, struct.pack("=4Q2I2Q", 0, 0, *addresses, keys.size, self.descriptor, 0, 0))

    def put(self, keys: U64, values: U32) -> None:
        """n > 0 of each. Raises OSError when it is full."""
        self._batch(_UPDATE_BATCH, np.ascontiguousarray(keys), np.ascontiguousarray(values))

    def remove(self, keys: U64) -> None:
        """Raises OSError when one of the n > 0 is not there."""
        self._batch(_DELETE_BATCH, np.ascontiguousarray(keys))

    def close(self) -> None:
        """Programs that use it keep it."""
        os.close(self.descriptor)


def load(program: bytes) -> int:
    """A program for packets at an interface (`BPF_PROG_TYPE_SCHED_CLS`); its descriptor. Raises OSError:
    EACCES with the last words of the kernel's verifier, where that is what refuses it."""
    code, licence = ctypes.create_string_buffer(program), ctypes.create_string_buffer(_LICENCE)
    log = ctypes.create_string_buffer(_LOG_BYTES)

    def attributes(log_level: int) -> bytes:
        told = (log_level, len(log), ctypes.addressof(log)) if log_level else (0, 0, 0)
        where = ctypes.addressof(code), ctypes.addressof(licence)
        return struct.pack("=2I2Q2IQ2I16s", _SCHED_CLS, len(program) // 8, *where, *told, 0, 0, _NAME)

    try:
        return _bpf(_PROGRAM_LOAD, attributes(0))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise
        try:
            return _bpf(_PROGRAM_LOAD, attributes(1))
        except OSError:
            if not (words := " ".join(log.value.decode("ascii", "replace").splitlines()[-4:])):
                raise
            raise OSError(errno.EACCES, f"the kernel's verifier refuses the program: {words}") from error


def attach(program: int, interface: int) -> int:
    """Let the program see what arrives at the interface, after those that are there already, for as long as
    the descriptor is open that this returns. Raises OSError."""
    return _bpf(_LINK_CREATE, struct.pack("=4I", program, interface, _TCX_INGRESS, 0))
