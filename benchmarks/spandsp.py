"""spandsp's DTMF receiver (Debian's libspandsp2) through ctypes: what our in-band keys are compared with."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from benchmarks.harness import MissingPeerError

PIECE = 8000
_UNCHANGED, _UNCHANGED_THRESHOLD = -1, -99

Int16 = npt.NDArray[np.int16]


class Spandsp:
    """dtmf_rx of libspandsp, one channel each. `dial_tone` switches its filter against dial tones on."""

    def __init__(self, dial_tone: bool = False) -> None:
        try:
            library = ctypes.CDLL("libspandsp.so.2")
        except OSError as error:
            raise MissingPeerError("libspandsp is missing: apt-get install libspandsp2") from error
        library.dtmf_rx_init.restype = ctypes.c_void_p
        library.dtmf_rx_get.restype = ctypes.c_size_t
        library.dtmf_rx_parms.argtypes = [ctypes.c_void_p, *[ctypes.c_int] * 4]
        self._library = library
        self._state = ctypes.c_void_p(library.dtmf_rx_init(None, None, None))
        if dial_tone:
            library.dtmf_rx_parms(self._state, 1, _UNCHANGED, _UNCHANGED, _UNCHANGED_THRESHOLD)

    def hear(self, line: Int16) -> str:
        """The keys on a line, int16[n]."""
        heard = ""
        digits = ctypes.create_string_buffer(129)
        for at in range(0, len(line), PIECE):
            piece = np.ascontiguousarray(line[at : at + PIECE])
            self._library.dtmf_rx(self._state, ctypes.c_void_p(piece.ctypes.data), len(piece))
            if self._library.dtmf_rx_get(self._state, digits, 128):
                heard += digits.value.decode()
        return heard

    def close(self) -> None:
        """Free it."""
        self._library.dtmf_rx_free(self._state)


def spandsp_hear(lines: Iterable[Int16], dial_tone: bool = False) -> list[str]:
    """The keys that spandsp hears on each line."""
    heard = []
    for line in lines:
        receiver = Spandsp(dial_tone)
        heard.append(receiver.hear(line))
        receiver.close()
    return heard
