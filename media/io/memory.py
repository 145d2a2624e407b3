"""Memory of the arrays of a tick is kept by the process, and not given back and fetched anew each time.

By default the C library (glibc) takes every large array from the system by itself and gives it back when it
is freed; each of its pages is then made and cleared anew 50 times a second, which costs as much as what is
worked out in it. Invariant: what is kept in reserve is bounded by KEPT_BYTES.
"""

from __future__ import annotations

import contextlib
import ctypes

LARGE_BYTES = 32 << 20
"""Arrays from this size on are taken from the system one by one: those that last."""
KEPT_BYTES = 64 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_memory() -> bool:
    """From now on, where the C library is glibc; elsewhere nothing happens, and the answer is False."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))
    return False
