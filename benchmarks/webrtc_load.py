"""Far browsers and the phones they talk to, in a process of its own: the load of the benchmark `webrtc`.

Each browser has a socket, makes its checks (aioice), is the client of DTLS (OpenSSL) and speaks SRTP
(libsrtp); each phone has a socket and speaks plain RTP. Driven by JSON lines on stdin, answers on stdout:
`{"browsers": [[ufrag, password, fingerprint, port], ...]}` makes them and answers with the fingerprint of the
certificate that all of them show, and the phones' ports; `{"shake": seconds}` lets them find the switch and
agree on keys, and answers with how many have; `{"to": [port, ...]}` tells each phone its port, to which it
sends one packet; `{"run": seconds}` sends a 20 ms G.711 packet of every browser and every phone each 20 ms,
spread over the 20 ms, a check of every browser each CHECK_S, and counts what came: of the browsers only what
decrypts, of both only payloads of the other side of the call. `late_ms` is how far this process fell behind,
`cpu` its share of a core: the proof that it is not what limits.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from pylibsrtp import Error

from media.dtls import Identity
from media.messages import IceCredentials
from tests.support.browser import FarBrowser
from tests.support.rtp import rtp

SLICES = 10
SLICE_S = 0.002
CHECK_S = 2.5
RECHECK_S = 0.25
DRAIN_S = 0.5
_FRAME = 160


def _open() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


@dataclass
class End:
    """One side of a call. The payload of its packets is its own number and the packet's."""

    number: int
    socket: socket.socket = field(default_factory=_open)
    to: tuple[str, int] = ("127.0.0.1", 0)
    sequence: int = 0

    def packet(self) -> bytes:
        """The next one, plain."""
        self.sequence += 1
        mark = self.number.to_bytes(4, "big") + self.sequence.to_bytes(4, "big")
        return rtp(
            self.sequence & 0xFFFF, self.sequence * _FRAME, 0x10000 + self.number, 0, mark * (_FRAME // 8)
        )

    def send(self, datagram: bytes) -> None:
        """As it is; a full buffer loses it."""
        with contextlib.suppress(BlockingIOError):
            self.socket.sendto(datagram, self.to)

    def receive(self) -> list[bytes]:
        """Everything that is there."""
        found = []
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                found.append(self.socket.recv(2048))
        return found


class Load:
    """All of them. Browser n talks with phone n; ends are numbered 2n and 2n + 1."""

    def __init__(self) -> None:
        self._identity = Identity.make()
        self._browsers: list[tuple[End, FarBrowser]] = []
        self._phones: list[End] = []

    def make(self, legs: list[tuple[str, str, str, int]]) -> dict[str, Any]:
        """See the module."""
        for number, (ufrag, password, fingerprint, port) in enumerate(legs):
            end = End(2 * number, to=("127.0.0.1", port))
            far = FarBrowser(IceCredentials(ufrag, password), fingerprint, self._identity)
            self._browsers.append((end, far))
            self._phones.append(End(2 * number + 1))
        ports = [phone.socket.getsockname()[1] for phone in self._phones]
        return {"fingerprint": self._identity.fingerprint, "ports": ports}

    def shake(self, seconds: float) -> dict[str, Any]:
        """See the module."""
        deadline = time.monotonic() + seconds
        check_at = 0.0
        while time.monotonic() < deadline and any(far.keys is None for _, far in self._browsers):
            check = time.monotonic() >= check_at
            for end, far in self._browsers:
                if check and far.keys is None:
                    end.send(far.check())
                self._take(end, far)
            if check:
                check_at = time.monotonic() + RECHECK_S
            time.sleep(0.001)
        return {"ready": sum(far.keys is not None for _, far in self._browsers)}

    def direct(self, ports: list[int]) -> dict[str, Any]:
        """See the module."""
        for phone, port in zip(self._phones, ports, strict=True):
            phone.to = ("127.0.0.1", port)
            phone.send(phone.packet())
        return {}

    def run(self, seconds: float) -> dict[str, Any]:
        """See the module."""
        sent, late, received = 0, 0.0, set[bytes]()
        began, cpu = time.monotonic(), time.process_time()
        slices = round(seconds / SLICE_S)
        checks_every = round(CHECK_S / (SLICES * SLICE_S))
        for at in range(slices):
            due = began + at * SLICE_S
            time.sleep(max(due - time.monotonic(), 0.0))
            late = max(late, time.monotonic() - due)
            turn = at // SLICES
            for place in range(at % SLICES, len(self._browsers), SLICES):
                end, far = self._browsers[place]
                received |= self._take(end, far)
                end.send(far.protect(end.packet()))
                if (turn + place) % checks_every == 0:
                    end.send(far.check())
                phone = self._phones[place]
                received |= self._hear(phone)
                phone.send(phone.packet())
                sent += 2
        cpu = (time.process_time() - cpu) / (time.monotonic() - began)
        time.sleep(DRAIN_S)
        for end, far in self._browsers:
            received |= self._take(end, far)
        for phone in self._phones:
            received |= self._hear(phone)
        return {
            "sent": sent,
            "received": len(received),
            "seconds": slices * SLICE_S,
            "late_ms": late * 1000.0,
            "cpu": cpu,
        }

    def _take(self, end: End, far: FarBrowser) -> set[bytes]:
        """What a browser does with what came: the marks of good packets."""
        found = set()
        for datagram in end.receive():
            if datagram[0] < 64:
                for answer in far.receive(datagram):
                    end.send(answer)
            elif datagram[1] & 0x7F == 0:
                with contextlib.suppress(Error):
                    mark = far.unprotect(datagram)[12:20]
                    if int.from_bytes(mark[:4], "big") == end.number ^ 1:
                        found.add(mark)
        return found

    @staticmethod
    def _hear(phone: End) -> set[bytes]:
        marks = (datagram[12:20] for datagram in phone.receive() if datagram[1] & 0x7F == 0)
        return {mark for mark in marks if int.from_bytes(mark[:4], "big") == phone.number ^ 1}


def main() -> None:
    """Obey until stdin ends."""
    load = Load()
    for text in sys.stdin:
        order = json.loads(text)
        match order:
            case {"browsers": legs}:
                answer = load.make(legs)
            case {"shake": seconds}:
                answer = load.shake(seconds)
            case {"to": ports}:
                answer = load.direct(ports)
            case {"run": seconds}:
                answer = load.run(seconds)
            case _:
                answer = {"error": f"unknown order {order}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
