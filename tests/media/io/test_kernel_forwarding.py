"""Kernel forwarding set up and taken down, and real packets that it passes on over loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from media.forwarding_memory import ROOM
from media.io.kernel_forwarding import KernelForwarding
from media.path import path_of
from media.steady import _WAY
from tests.support.bpf_run import number, or_skip
from tests.support.rtp import rtp

HERE = number("127.0.0.1")
DEADLINE_S = 10.0


def bound(even: bool = False) -> socket.socket:
    while True:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(DEADLINE_S)
        made.bind(("127.0.0.1", 0))
        if not even or made.getsockname()[1] % 2 == 0:
            return made
        made.close()


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Of two phones, and of the legs that they are bridged by."""
    made = [bound(), bound(), bound(even=True), bound(even=True)]
    yield made
    for one in made:
        one.close()


def test_real_packets_are_passed_on(sockets: list[socket.socket]) -> None:
    phones, legs = sockets[:2], sockets[2:]
    ports = [one.getsockname()[1] for one in sockets]
    with or_skip():
        made = KernelForwarding(2, "127.0.0.1", (1, 65535), 46, 0.0)
    try:
        forwarding = made.forwarding
        paths = np.array([path_of(ports[2 + at], HERE, ports[at]) for at in (0, 1)], np.uint64)
        ways = np.zeros(2, _WAY)
        ways["path"], ways["expected"], ways["ssrc"] = paths[::-1], 0x80000000, (0x1000, 0x1001)
        ways["sequence_step"] = 500
        forwarding.lay(np.ones(2, np.bool_), paths, ways, np.full(2, 99))
        forwarding.tick()
        forwarding.look()
        forwarding.resume(np.full(2, 99))
        phones[0].sendto(rtp(100, 160, 0x1000), ("127.0.0.1", ports[2]))
        data, sender = phones[1].recvfrom(2048)
        assert data == rtp(600, 160, 0x1000) and sender == ("127.0.0.1", ports[3])
        phones[0].sendto(rtp(100, 160, 0x1000), ("127.0.0.1", ports[2]))
        assert legs[0].recv(2048) == rtp(100, 160, 0x1000), "a repeated one is the worker's"
        notes = [part.copy() for part in forwarding.notes()]
        assert [part["slot"].tolist() for part in notes] == [[0]]
        age_s = (time.monotonic_ns() - int(notes[0]["arrival"][0])) / 1e9
        assert 0 <= age_s < 2 * DEADLINE_S and forwarding.forwarded() == 1 < ROOM
        forwarding.withdraw()
        phones[1].sendto(rtp(100, 160, 0x1001), ("127.0.0.1", ports[3]))
        assert legs[1].recv(2048) == rtp(100, 160, 0x1001)
    finally:
        made.close()


def test_once_it_is_closed_all_is_as_before(sockets: list[socket.socket]) -> None:
    with or_skip():
        made = KernelForwarding(2, "127.0.0.1", (1, 65535), 0, 0.0)
    assert "lo" in made.interfaces
    made.close()
    assert made.forwarding.paused
    sockets[0].sendto(b"hello", sockets[2].getsockname())
    assert sockets[2].recv(2048) == b"hello"
