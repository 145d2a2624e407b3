"""A load generator of RTP streams, in a process of its own; every stream has its own source address.

The streams of one slice of the 20 ms share a socket, as all calls of a carrier's gateway share one address;
the socket is bound to no address, and each packet names its source (IP_PKTINFO, Linux). So the load is cheap
to make, and what is measured is the switch, and not the kernel's look-up among a thousand sockets that stand
for far ends which in life are on other machines.

Driven by JSON lines on stdin, answers on stdout: at the start `{"ports": [...]}`, the source port of each
stream (its address: `address_of`); `{"to": [[stream, port], ...]}` sets destinations on 127.0.0.1 and sends
one packet of each (so that a switch latches); `{"run": seconds}` sends a 20 ms G.711 packet of every stream
each 20 ms, spread evenly over the 20 ms, and answers with what was sent, what came back, how much of that
was distinct, and how long it was under way (`delays_ms`: 50th and 99th percentile); `arrived` is all audio
that came while it ran, whatever it was. Each payload names its stream and number, so loss and repetition are
counted, not guessed; a packet's way begins when its slice is about to be sent, and ends when the kernel has
it for us. `late_ms` is how far the generator itself fell behind and `cpu` its share of a core: the proof that
it is not what limits. With `"watch": process`, `watched_s` is the CPU time that this process took meanwhile,
without the wait for what is still under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time

import numpy as np

from benchmarks.harness import cpu_s
from media.io import bind_udp
from media.mmsg import SO_TIMESTAMPNS, Messages
from media.packet import F32, FRAME_SAMPLES, HEADER_BYTES, STRIDE, U8, words, write_headers
from media.path import path_of, socket_addresses

SLICES = 10
SLICE_S = 0.002
LOOPBACK = 0x7F000001
FIRST_ADDRESS = 0x7F010001
DATAGRAM_BYTES = HEADER_BYTES + FRAME_SAMPLES
INBOX = 4096
DRAIN_S = 0.5
_PACKET_INFO = np.dtype(
    [
        ("bytes", "u8"),  # struct cmsghdr: its length with the data, level, type
        ("level", "i4"),
        ("type", "i4"),
        ("interface", "i4"),  # struct in_pktinfo; 0: whichever the route says
        ("source", ">u4"),
        ("_", "u4"),
        ("_padding", "V4"),
    ]
)
_PACKET_INFO_BYTES = 28
_IP_PKTINFO = 8


def address_of(stream: int) -> int:
    """The source address of a stream, as a number: 127.1.0.1 and on."""
    return FIRST_ADDRESS + stream


def _open() -> socket.socket:
    """A socket for one slice: bound to no address, but only the loopback interface reaches it."""
    made = bind_udp("0.0.0.0", 0)
    with contextlib.suppress(
        OSError
    ):  # kernels before 5.7 want a privilege; strangers are not counted anyway
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return made


class Load:
    """`count` streams and the count of what came back.

    A stream is a row of the arrays; the rows of one slice stand together, so that it is sent by one call.
    """

    def __init__(self, count: int) -> None:
        order = np.concatenate([np.arange(part, count, SLICES) for part in range(SLICES)])
        self.row_of = np.argsort(order)
        sizes = [len(range(part, count, SLICES)) for part in range(SLICES)]
        self.begins = np.cumsum([0, *sizes]).tolist()
        self.sockets = [_open() for _ in range(SLICES)]
        self.ports: list[int] = [self.sockets[stream % SLICES].getsockname()[1] for stream in range(count)]
        self.count = count
        self.data: U8 = np.full((count, STRIDE), 0x55, np.uint8)
        self.number = np.zeros(count, np.uint32)
        self.ssrcs = (order + 1).astype(np.uint32) * np.uint32(2654435761)
        self.out = Messages(count, control=True)
        self.out.point_at(self.data)
        self.out.sizes[:] = DATAGRAM_BYTES
        info = self.out.control.view(_PACKET_INFO)[:, 0]
        info["bytes"] = _PACKET_INFO_BYTES
        info["level"], info["type"] = socket.IPPROTO_IP, _IP_PKTINFO
        info["source"] = FIRST_ADDRESS + order
        self.inbox: U8 = np.zeros((INBOX, STRIDE), np.uint8)
        self.arrived = Messages(INBOX, control=True)
        self.arrived.point_at(self.inbox)
        self.stamps = np.zeros(INBOX, np.float64)
        self.seen = np.zeros((count, 0), np.bool_)
        self.sent_at = np.zeros((SLICES, 0), np.float64)  # by slice and number, as of `begin`
        self.begin = 0
        self.delays: list[F32] = []
        self.received = self.refused = self.arrivals = 0

    def direct(self, stream: int, port: int) -> None:
        """Send the stream to this port from now on, and a first packet at once."""
        row = int(self.row_of[stream])
        path = np.array([path_of(0, LOOPBACK, port)], np.uint64)
        self.out.names[row, 0] = socket_addresses(path)[0]
        self.send(stream % SLICES, row, row + 1)

    def send(self, part: int, begin: int, end: int) -> None:
        """The next packet of each of these rows, all of one slice."""
        rows = np.arange(begin, end)
        number = self.number[begin:end]
        first = np.uint32(0x80000000) | (number & np.uint32(0xFFFF))
        write_headers(self.data, rows, first, number * np.uint32(FRAME_SAMPLES), self.ssrcs[begin:end])
        view = words(self.data)
        view[begin:end, 3] = rows
        view[begin:end, 4] = number
        if self.sent_at.shape[1]:
            self.sent_at[part, int(number[0]) - self.begin] = time.time()
        number += np.uint32(1)
        self.refused += rows.size - self.out.send(self.sockets[part].fileno(), begin, rows.size)

    def receive(self, part: int) -> None:
        """Count all that has come back to this slice."""
        got = INBOX
        while got == INBOX:
            got = self.arrived.receive(self.sockets[part].fileno(), 0, INBOX)
            if got:
                self._count(got)

    def _count(self, got: int) -> None:
        view = words(self.inbox)[:got]
        rows, numbers = view[:, 3].astype(np.intp), view[:, 4].astype(np.intp) - self.begin
        sane = self.arrived.lengths[:got] == DATAGRAM_BYTES
        self.arrivals += int(np.count_nonzero(sane))
        sane &= (rows < self.seen.shape[0]) & (numbers >= 0) & (numbers < self.seen.shape[1])
        rows, numbers = rows[sane], numbers[sane]
        self.seen[rows, numbers] = True
        self.received += rows.size
        self.arrived.read_stamps(self.stamps[:got])
        began = self.sent_at[np.searchsorted(self.begins, rows, "right") - 1, numbers]
        self.delays.append(((self.stamps[:got][sane] - began) * 1e3).astype(np.float32))

    def run(self, seconds: float, watched: int) -> dict[str, float | list[float]]:
        """The load itself."""
        frames = round(seconds / (SLICES * SLICE_S))
        for part in range(SLICES):
            self.receive(part)
        self.begin = int(self.number.max())
        self.number[:] = self.begin
        self.seen = np.zeros((self.count, frames), np.bool_)
        self.sent_at = np.zeros((SLICES, frames), np.float64)
        self.received = self.refused = self.arrivals = 0
        self.delays = []
        cpu, start, worst = time.process_time(), time.monotonic(), 0.0
        watched_s = cpu_s(watched)
        for step in range(frames * SLICES):
            due = start + step * SLICE_S
            wait_s = due - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            worst = max(worst, -wait_s)
            part = step % SLICES
            self.send(part, self.begins[part], self.begins[part + 1])
            self.receive((part + SLICES // 2) % SLICES)
        spent, elapsed = time.process_time() - cpu, time.monotonic() - start
        watched_s = cpu_s(watched) - watched_s
        arrivals = self.arrivals
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            for part in range(SLICES):
                self.receive(part)
            time.sleep(SLICES * SLICE_S)
        return {
            "sent": frames * self.count - self.refused,
            "received": self.received,
            "arrived": arrivals,
            "distinct": int(self.seen.sum()),
            "late_ms": worst * 1000.0,
            "cpu": spent / elapsed,
            "watched_s": watched_s,
            "seconds": elapsed,
            "delays_ms": self._delays_ms(),
        }

    def _delays_ms(self) -> list[float]:
        """50th and 99th percentile; 0 where nothing of ours came back, but what was made of it."""
        delays = np.concatenate([np.zeros(0, np.float32), *self.delays])
        if not delays.size:
            return [0.0, 0.0]
        found: list[float] = np.percentile(delays, (50, 99)).astype(float).tolist()
        return found


def main(count: int) -> None:
    """Obey stdin until it ends."""
    load = Load(count)
    print(json.dumps({"ports": load.ports}), flush=True)
    for text in sys.stdin:
        order = json.loads(text)
        if "to" in order:
            for stream, port in order["to"]:
                load.direct(stream, port)
            answer: dict[str, float | list[float]] = {}
        else:
            answer = load.run(order["run"], order.get("watch", os.getpid()))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
