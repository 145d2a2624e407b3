"""A load generator of RTP streams, in a process of its own; every stream has its own UDP source port.

Driven by JSON lines on stdin, answers on stdout: at the start `{"ports": [...]}`; `{"to": [[stream, port],
...]}` sets destinations and sends one packet of each (so that a switch latches); `{"run": seconds}` sends a
20 ms G.711 packet of every stream each 20 ms, the streams spread evenly over the 20 ms, and answers with
what was sent and what came back. Each payload names its stream and number, so loss and repetition are
counted, not guessed. `late_ms` is how far the generator itself fell behind and `cpu` its share of a core:
the proof that it is not what limits.
"""

from __future__ import annotations

import json
import socket
import sys
import time

import numpy as np

from media.io import BatchIo, PortSockets, bind_udp
from media.packet import FRAME_SAMPLES, HEADER_BYTES, STRIDE, U8, Index, Outgoing, words, write_headers
from media.path import path_of

SLICES = 10
SLICE_S = 0.002
LOOPBACK = 0x7F000001
DATAGRAM_BYTES = HEADER_BYTES + FRAME_SAMPLES
DRAIN_S = 0.5


class Streams(PortSockets):
    """The generator's sockets: looked at in turn, a slice at a time, so that no poll is needed."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        assert self._poll is not None
        self._poll.close()
        self._poll = None
        self.turn: list[tuple[int, socket.socket]] = []

    def readable(self, limit: int = 1024) -> list[tuple[int, socket.socket]]:
        """This turn's sockets, once."""
        turn, self.turn = self.turn, []
        return turn


class Load:
    """`count` streams and the count of what came back."""

    def __init__(self, count: int) -> None:
        self.sockets = Streams()
        self.ports = np.zeros(count, np.uint16)
        for stream in range(count):
            made = bind_udp("127.0.0.1", 0)
            self.ports[stream] = made.getsockname()[1]
            self.sockets.adopt(int(self.ports[stream]), made)
        self.io = BatchIo(self.sockets, time.monotonic, time.time, capacity=4096)
        self.paths = np.zeros(count, np.uint64)
        self.number = np.zeros(count, np.uint32)
        self.ssrcs = np.arange(1, count + 1, dtype=np.uint32) * np.uint32(2654435761)
        self.data: U8 = np.full((count, STRIDE), 0x55, np.uint8)
        self.seen = np.zeros((count, 0), np.bool_)
        self.received = 0
        self.repeated = 0

    def send(self, streams: Index) -> None:
        """The next packet of each of these streams."""
        number = self.number[streams]
        first = np.uint32(0x80000000) | (number & np.uint32(0xFFFF))
        write_headers(self.data, streams, first, number * np.uint32(FRAME_SAMPLES), self.ssrcs[streams])
        view = words(self.data)
        view[streams, 3] = streams
        view[streams, 4] = number
        self.number[streams] += np.uint32(1)
        count = streams.size
        self.io.send(
            Outgoing(
                self.data,
                streams,
                np.full(count, DATAGRAM_BYTES, np.int32),
                self.paths[streams],
            )
        )

    def receive(self, streams: Index | None = None) -> None:
        """Count what has come back to these streams, None meaning all; at most `capacity` datagrams a
        turn."""
        some = self.ports if streams is None else self.ports[streams]
        self.sockets.turn = [(port, one) for port in some.tolist() if (one := self.sockets.get(port))]
        batch = self.io.receive()
        if batch.count:
            view = words(batch.data)[: batch.count]
            audio = batch.lengths[: batch.count] == DATAGRAM_BYTES
            streams = view[audio, 3].astype(np.intp)
            numbers = view[audio, 4].astype(np.intp)
            sane = (streams < self.seen.shape[0]) & (numbers < self.seen.shape[1])
            streams, numbers = streams[sane], numbers[sane]
            self.repeated += int(self.seen[streams, numbers].sum())
            self.seen[streams, numbers] = True
            self.received += streams.size

    def run(self, seconds: float) -> dict[str, float]:
        """The load itself."""
        count = self.ports.size
        frames = round(seconds / (SLICES * SLICE_S))
        begin = int(self.number.max())
        self.number[:] = begin
        self.receive()
        self.seen = np.zeros((count, begin + frames), np.bool_)
        self.received = self.repeated = 0
        slices = [np.arange(part, count, SLICES) for part in range(SLICES)]
        cpu, start, worst = time.process_time(), time.monotonic(), 0.0
        for step in range(frames * SLICES):
            due = start + step * SLICE_S
            wait_s = due - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            worst = max(worst, -wait_s)
            self.send(slices[step % SLICES])
            self.receive(slices[(step + SLICES // 2) % SLICES])
        spent, elapsed = time.process_time() - cpu, time.monotonic() - start
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            self.receive()
            time.sleep(SLICES * SLICE_S)
        return {
            "sent": frames * count - self.io.dropped,
            "received": self.received,
            "repeated": self.repeated,
            "late_ms": worst * 1000.0,
            "cpu": spent / elapsed,
            "seconds": elapsed,
        }


def main(count: int) -> None:
    """Obey stdin until it ends."""
    load = Load(count)
    print(json.dumps({"ports": load.ports.tolist()}), flush=True)
    for text in sys.stdin:
        order = json.loads(text)
        if "to" in order:
            for stream, port in order["to"]:
                load.paths[stream] = path_of(int(load.ports[stream]), LOOPBACK, port)
                load.send(np.array([stream], np.intp))
            answer: dict[str, float] = {}
        else:
            answer = load.run(order["run"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
