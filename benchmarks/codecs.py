"""Transcoded legs per core: calls between a phone with G.722 or Opus and one with G.711, both talking.

All packets of 20 ms go through the engine as they would in a worker (validation, decoding, relay, encoding,
new headers, statistics), without the system calls, which `relay` measures. The peer is the bare library: the
same payloads decoded and encoded in a loop that does nothing else, so the ratio is what the engine adds.
"""

from __future__ import annotations

import struct
import sys
import time

import numpy as np

from benchmarks.harness import Row, line
from media.codecs import BUILT_IN
from media.codecs.codec import Codec, Samples
from media.engine import Engine
from media.g711 import DECODE, encode_ulaw
from media.messages import Allocate, Allocated, Connect, SetRemote
from media.packet import STRIDE, Batch
from media.path import path_of
from media.ports import PortPool
from media.recorder import Recorder

CALLS = 100
SECONDS = 4
ROUNDS = 5
FRAME = 160
PHONES = 0x0A000000  # 10.0.0.0
PAYLOAD_TYPES = {"PCMU": 0, "G722": 9, "OPUS": 107}


class _NoSockets:
    """Ports that need not be opened."""

    def open(self, port: int) -> bool:
        return True

    def close(self, port: int) -> None:
        pass


def _voice(seconds: float) -> Samples:
    """Something between a voice and noise, loud and soft in turn, at 8 kHz."""
    at = np.arange(int(8000 * seconds)) / 8000
    random = np.random.default_rng(5)
    line_ = 5000 * np.sin(2 * np.pi * 190 * at) + 2500 * np.sin(2 * np.pi * 1200 * at)
    samples: Samples = (
        line_ * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at)) + random.normal(0, 300, at.size)
    ).astype(np.int16)
    return samples


class _Calls:
    """CALLS bridged calls, and what their phones send."""

    def __init__(self, name: str, codec: Codec) -> None:
        self._engine = Engine(2 * CALLS, PortPool(20000, 39999, _NoSockets()), address="10.255.0.1",
                              recorder=Recorder())  # fmt: skip
        self._clocks = (codec.clock_hz, 8000)
        self._types = (PAYLOAD_TYPES[name], 0)
        paths = []
        for call in range(CALLS):
            legs = (2 * call, 2 * call + 1)
            for leg, spoken, kind in zip(legs, (name, "PCMU"), self._types, strict=True):
                number = PHONES + leg
                address = ".".join(str(byte) for byte in number.to_bytes(4, "big"))
                (event,) = self._engine.command(Allocate(leg, address, 5000), 0.0)
                assert isinstance(event, Allocated)
                remote = SetRemote(leg, address, 5000, 5001, spoken, kind, 101, fmtp="useinbandfec=1")
                self._engine.command(remote, 0.0)
                paths.append(path_of(event.port, number, 5000))
            self._engine.command(Connect(*legs), 0.0)
        self._paths = np.array(paths, np.uint64)
        encoder, samples = codec.make_encoder("useinbandfec=1"), _voice(SECONDS)
        frames = samples.reshape(-1, FRAME)
        self.payloads = [encoder.encode(frame) for frame in frames]
        self.coded = [encode_ulaw(frame).tobytes() for frame in frames]

    def batch(self, tick: int) -> Batch:
        """A packet of 20 ms from every phone."""
        data = np.zeros((2 * CALLS, STRIDE), np.uint8)
        lengths = np.zeros(2 * CALLS, np.int32)
        payloads = (self.payloads[tick % len(self.payloads)], self.coded[tick % len(self.coded)])
        for row in range(2 * CALLS):
            clock, kind, payload = self._clocks[row % 2], self._types[row % 2], payloads[row % 2]
            head = struct.pack(">BBHII", 0x80, kind, tick & 0xFFFF, tick * clock // 50, row + 1)
            packet = head + payload
            data[row, : len(packet)] = np.frombuffer(packet, np.uint8)
            lengths[row] = len(packet)
        return Batch(2 * CALLS, data, lengths, self._paths, np.full(2 * CALLS, tick / 50))

    def run(self, first: int, ticks: int) -> float:
        """Seconds of CPU for so many ticks."""
        total, sent = 0.0, 0
        for tick in range(first, first + ticks):
            batch = self.batch(tick)
            begun = time.process_time()
            sent += self._engine.ingest(batch, tick / 50).rows.size
            total += time.process_time() - begun
        assert sent >= 2 * CALLS * (ticks - 1), f"{sent} packets of {2 * CALLS * ticks} were relayed"
        return total


def _library(codec: Codec, calls: _Calls, ticks: int) -> float:
    """Seconds of CPU for the same work without an engine."""
    coders = [(codec.make_decoder(), codec.make_encoder("useinbandfec=1")) for _ in range(CALLS)]
    frames = [DECODE[0][np.frombuffer(one, np.uint8)] for one in calls.coded]
    begun = time.process_time()
    for tick in range(ticks):
        payload, samples = calls.payloads[tick % len(frames)], frames[tick % len(frames)]
        for decoder, encoder in coders:
            decoder.decode(payload)
            encoder.encode(samples)
    return time.process_time() - begun


def run(*, quick: bool = False) -> list[Row]:
    """A row for each codec."""
    rows = []
    ticks, rounds = (10, 1) if quick else (100, ROUNDS)
    for name, codec in BUILT_IN.items():
        calls = _Calls(name, codec)
        calls.run(0, 5)
        ours, bare = [], []
        for turn in range(rounds):
            ours.append(calls.run(5 + turn * ticks, ticks))
            bare.append(_library(codec, calls, ticks))
        mine, peer = (CALLS * ticks * 0.02 / float(np.median(times)) for times in (ours, bare))
        spread = [CALLS * ticks * 0.02 / seconds for seconds in (max(ours), min(ours))]
        rows.append(
            Row(
                f"transcoding {codec.name}",
                mine,
                "legs a core",
                "the codec's library alone",
                peer,
                mine / peer,
                note=f"{CALLS} calls with PCMU at the other side, both ways, in the engine without system "
                f"calls; medians of {rounds} rounds, ours {spread[0]:.0f} to {spread[1]:.0f}",
            )
        )
    return rows


if __name__ == "__main__":
    for row in run(quick="--quick" in sys.argv):
        print(line(row))
