"""Arrays on huge pages (Linux).

What the kernel and the engine read and write of a batch lies far apart, some hundred bytes of each row: on
pages of 4 KiB, nearly every datagram would need an entry of its own in the processor's translation table,
which is empty after every sleep of a virtual processor. On a huge page all of it needs one.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

HUGE = 2 << 20
LINE = 64


class Pages:
    """Arrays of up to `room` bytes together, next to one another; they keep the memory alive."""

    def __init__(self, room: int) -> None:
        whole = -(-room // HUGE) * HUGE
        mapped = mmap.mmap(-1, whole + HUGE)
        with contextlib.suppress(AttributeError, OSError):  # there are no huge pages here, or not for us
            mapped.madvise(mmap.MADV_HUGEPAGE)
        memory = np.frombuffer(mapped, np.uint8)
        skipped = -memory.ctypes.data % HUGE
        self._memory = memory[skipped : skipped + whole]
        self._used = 0

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """As numpy's; elsewhere where there is no room left."""
        kind = np.dtype(dtype)
        begin, size = self._used, math.prod(shape) * kind.itemsize
        if begin + size > self._memory.size:
            return np.zeros(shape, kind)
        self._used += -(-size // LINE) * LINE
        return self._memory[begin : begin + size].view(kind).reshape(shape)
