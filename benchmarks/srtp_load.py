"""The load of `benchmarks.rtp_load`, encrypted: every stream with a key of its own.

Two more orders: `{"keys": [[suite, key], ...]}`, by which the streams encrypt, and `{"hears": [...]}`, the
keys by which what comes back is encrypted (base64). All packets of a run are encrypted before it begins, so
that libsrtp's time is not the generator's. What comes back is counted by its source and number, which SRTP
leaves in the clear; `proved` of `samples` datagrams of each run are authentic and hold a payload that was
sent.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import get_args

import numpy as np
from pylibsrtp import Error, Policy, Session

from benchmarks.rtp_load import DATAGRAM_BYTES, SLICE_S, SLICES, Load
from media.messages import SrtpSuite
from media.packet import FRAME_SAMPLES, HEADER_BYTES, U8, words, write_headers
from media.srtp import PROFILES

SUITES = {str(suite): PROFILES[suite] for suite in get_args(SrtpSuite)}
SAMPLES = 200


def _session(suite: str, key: str, direction: int) -> Session:
    return Session(Policy(base64.b64decode(key + "=" * (-len(key) % 4)), direction, 0, SUITES[suite]))


class SecureLoad(Load):
    """Rows are in the order of `Load`, keys in that of the streams."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.ready: list[U8] = []
        """By frame of the run: the datagrams of all rows."""
        self.sizes = np.zeros(count, np.int64)
        self.came: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []
        self.samples: list[bytes] = []

    def keys(self, keys: list[list[str]]) -> None:
        """By which the streams encrypt."""
        of_row = [keys[stream] for stream in np.argsort(self.row_of).tolist()]
        self.sessions = [_session(suite, key, Policy.SSRC_ANY_OUTBOUND) for suite, key in of_row]

    def hears(self, keys: list[list[str]]) -> None:
        """By which what comes back is encrypted."""
        wanted = sorted({(suite, key) for suite, key in keys})
        self.ears = [_session(suite, key, Policy.SSRC_ANY_INBOUND) for suite, key in wanted]

    def encrypted(self, begin: int, end: int, number: int) -> U8:
        """Datagram `number` of each of these rows."""
        rows = np.arange(begin, end)
        plain = np.full((end - begin, self.data.shape[1]), 0x55, np.uint8)
        numbers = np.full(rows.size, number, np.uint32)
        first = np.uint32(0x80000000) | (numbers & np.uint32(0xFFFF))
        write_headers(
            plain, np.arange(rows.size), first, numbers * np.uint32(FRAME_SAMPLES), self.ssrcs[begin:end]
        )
        words(plain)[:, 3], words(plain)[:, 4] = rows, number
        made = np.zeros((rows.size, DATAGRAM_BYTES + 16), np.uint8)
        for at, row in enumerate(rows.tolist()):
            packet = self.sessions[row].protect(plain[at, :DATAGRAM_BYTES].tobytes())
            made[at, : len(packet)] = np.frombuffer(packet, np.uint8)
            self.sizes[row] = len(packet)
        return made

    def send(self, part: int, begin: int, end: int) -> None:
        """The next packet of each of these rows, all of one slice."""
        number = int(self.number[begin])
        frame = number - self.begin
        if frame < len(self.ready):
            packets = self.ready[frame][begin:end]
        else:  # the one by which a switch latches
            packets = self.encrypted(begin, end, number)
        self.data[begin:end, : packets.shape[1]] = packets
        self.out.sizes[begin:end] = self.sizes[begin:end]
        self.number[begin:end] += np.uint32(1)
        self.refused += end - begin - self.out.send(self.sockets[part].fileno(), begin, end - begin)

    def _count(self, got: int) -> None:
        lengths = self.arrived.lengths[:got]
        audio = np.flatnonzero(lengths > DATAGRAM_BYTES)
        audio = audio[(self.inbox[audio, 1] & 0x7F) < 64]  # RTCP is none
        view = words(self.inbox)
        sources = view[audio, 2].astype(np.uint64) << np.uint64(16)
        self.came.append(sources | view[audio, 0].astype(np.uint64) & np.uint64(0xFFFF))
        self.received += audio.size
        if len(self.samples) < SAMPLES:
            for row in audio[: SAMPLES - len(self.samples)].tolist():
                self.samples.append(self.inbox[row, : lengths[row]].tobytes())

    def run(self, seconds: float, watched: int) -> dict[str, float | list[float]]:
        """The load itself, all of it encrypted before."""
        self.begin = begin = int(self.number.max())
        self.ready = [
            self.encrypted(0, self.count, begin + frame)
            for frame in range(round(seconds / (SLICES * SLICE_S)))
        ]
        for part in range(SLICES):
            self.receive(part)  # what is left of the time before
        self.came, self.samples = [], []
        result = super().run(seconds, watched)
        result["distinct"] = int(np.unique(np.concatenate(self.came)).size)
        result["samples"] = len(self.samples)
        result["proved"] = sum(self._proved(one) for one in self.samples)
        return result

    def _proved(self, datagram: bytes) -> bool:
        for ear in self.ears:
            try:
                plain = ear.unprotect(datagram)
            except Error:
                continue
            row, number = np.frombuffer(plain, ">u4", 2, HEADER_BYTES).tolist()
            return len(plain) == DATAGRAM_BYTES and row < self.count and number >= self.begin
        return False


def main(count: int) -> None:
    """Obey stdin until it ends."""
    load = SecureLoad(count)
    print(json.dumps({"ports": load.ports}), flush=True)
    for text in sys.stdin:
        order = json.loads(text)
        answer: dict[str, float | list[float]] = {}
        if "keys" in order:
            load.keys(order["keys"])
        elif "hears" in order:
            load.hears(order["hears"])
        elif "to" in order:
            for stream, port in order["to"]:
                load.direct(stream, port)
        else:
            answer = load.run(order["run"], order.get("watch", os.getpid()))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
