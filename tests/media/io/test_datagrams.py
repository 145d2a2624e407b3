"""Batches through real loopback sockets, both ways of doing it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from media import mmsg
from media.errors import PortRefusedError
from media.io import BatchIo, PortSockets, datagrams
from media.packet import STRIDE, Batch, Outgoing
from media.path import path_of, remote_of
from tests.support.media_worker import opened

LOOPBACK = 0x7F000001
WAYS = [
    pytest.param(True, marks=pytest.mark.skipif(not mmsg.AVAILABLE, reason="no recvmmsg on this system")),
    False,
]


@pytest.fixture
def sockets() -> Iterator[PortSockets]:
    made = PortSockets("127.0.0.1")
    yield made
    made.close_all()


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(5)
    yield made
    made.close()


def shell(sockets: PortSockets, batched: bool, capacity: int = 64) -> BatchIo:
    return BatchIo(sockets, time.time, time.time, capacity=capacity, batched=batched)


def wait_readable(sockets: PortSockets, port: int) -> None:
    one = sockets.get(port)
    assert one is not None
    assert select.select([one], [], [], 5)[0]


def content(batch: Batch) -> list[tuple[bytes, int, int, int]]:
    return [
        (
            batch.data[row, : batch.lengths[row]].tobytes(),
            int(batch.paths[row]) & 0xFFFF,
            *remote_of(int(batch.paths[row])),
        )
        for row in range(batch.count)
    ]


@pytest.mark.parametrize("batched", WAYS)
def test_round_trip(sockets: PortSockets, phone: socket.socket, batched: bool) -> None:
    first = opened(sockets, 2)
    io = shell(sockets, batched)
    source = phone.getsockname()[1]
    for port, text in ((first, b"one"), (first, b"two"), (first + 1, b"rtcp"), (first + 2, b"three")):
        phone.sendto(text, ("127.0.0.1", port))
        wait_readable(sockets, port)
    before = time.time()
    batch = io.receive()
    assert sorted(content(batch)) == sorted(
        [
            (b"one", first, LOOPBACK, source),
            (b"two", first, LOOPBACK, source),
            (b"rtcp", first + 1, LOOPBACK, source),
            (b"three", first + 2, LOOPBACK, source),
        ]
    )
    assert (np.abs(batch.arrivals[: batch.count] - before) < 5.0).all()
    assert io.receive().count == 0

    data = np.zeros((3, STRIDE), np.uint8)
    data[:, :2] = [[65, 65], [66, 66], [67, 67]]
    io.send(
        Outgoing(
            data,
            np.array([2, 0, 1]),
            np.array([1, 2, 2], np.int32),
            np.array([path_of(port, LOOPBACK, source) for port in (first + 2, first, first)], np.uint64),
            np.arange(3),
        )
    )
    got = [phone.recvfrom(100) for _ in range(3)]
    assert sorted((text, address[1]) for text, address in got) == sorted(
        [(b"C", first + 2), (b"AA", first), (b"BB", first)]
    )
    assert io.dropped == 0


@pytest.mark.parametrize("batched", WAYS)
def test_a_small_batch_leaves_the_rest_for_the_next(
    sockets: PortSockets, phone: socket.socket, batched: bool
) -> None:
    first = opened(sockets)
    io = shell(sockets, batched, capacity=4)
    for number in range(10):
        phone.sendto(bytes([number]), ("127.0.0.1", first))
        wait_readable(sockets, first)
    found = []
    while (batch := io.receive()).count:
        assert batch.count <= 4
        found += [text[0] for text, *_ in content(batch)]
    assert found == list(range(10))


@pytest.mark.parametrize("batched", WAYS)
def test_a_datagram_longer_than_a_row_is_nothing(
    sockets: PortSockets, phone: socket.socket, batched: bool
) -> None:
    first = opened(sockets)
    io = shell(sockets, batched)
    phone.sendto(b"x" * 2000, ("127.0.0.1", first))
    wait_readable(sockets, first)
    batch = io.receive()
    assert batch.count == 1 and batch.lengths[0] == 0


@pytest.mark.parametrize("batched", WAYS)
def test_what_cannot_be_sent_does_not_hold_up_the_rest(
    sockets: PortSockets, phone: socket.socket, batched: bool
) -> None:
    first = opened(sockets)
    io = shell(sockets, batched)
    source = phone.getsockname()[1]
    io.send(
        Outgoing(
            np.full((1, STRIDE), 65, np.uint8),
            np.zeros(4, np.intp),
            np.full(4, 3, np.int32),
            np.array(
                [
                    path_of(first, LOOPBACK, source),
                    path_of(first, 0xFFFFFFFF, source),  # broadcast is forbidden
                    path_of(first, LOOPBACK, source),
                    path_of(first + 100, LOOPBACK, source),  # is not open
                ],
                np.uint64,
            ),
            np.arange(4),
        )
    )
    assert [phone.recv(100) for _ in range(2)] == [b"AAA"] * 2
    assert io.dropped == 2


def test_a_taken_port_is_refused_and_nothing_stays_open(sockets: PortSockets) -> None:
    first = opened(sockets)
    other = PortSockets("127.0.0.1")
    assert not other.open(first)
    rtcp = sockets.get(first + 1)
    assert rtcp is not None
    rtp = sockets.get(first)
    assert rtp is not None
    rtp.close()
    assert not other.open(first)  # the port above is still taken
    assert other.get(first) is None and other.readable() == []
    other.close_all()


def test_a_refusal_that_no_other_port_could_mend_is_told_as_what_it_is() -> None:
    elsewhere = PortSockets("203.0.113.9")
    with pytest.raises(
        PortRefusedError, match=r"port 40000 cannot be opened on 203\.0\.113\.9: Cannot assign"
    ):
        elsewhere.open(40000)
    elsewhere.close_all()


def test_a_closed_port_can_speak_until_it_is_reaped(sockets: PortSockets) -> None:
    first = opened(sockets)
    sockets.close(first)
    assert sockets.get(first) is not None
    assert sockets.open(first)  # taken up again before it was reaped
    sockets.reap()
    assert sockets.get(first) is not None
    sockets.close(first)
    sockets.reap()
    assert sockets.get(first) is None and sockets.readable() == []


def test_many_sockets_are_watched_like_few(
    sockets: PortSockets, phone: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From MANY_SOCKETS on by epoll, and by poll again when most of them are gone."""
    monkeypatch.setattr(datagrams, "MANY_SOCKETS", 6)
    io = shell(sockets, False)

    def heard(ports: list[int]) -> set[int]:
        for port in ports:
            phone.sendto(b"x", ("127.0.0.1", port))
            wait_readable(sockets, port)
        batch = io.receive()
        return {port for _, port, _, _ in content(batch)}

    first = opened(sockets, 5)
    ports = list(range(first, first + 10))
    assert heard(ports) == set(ports)
    for port in ports[:-2:2]:
        sockets.close(port)
    sockets.reap()
    assert heard(ports[-2:]) == set(ports[-2:])
    assert sockets.readable() == []


def test_no_socket_is_always_the_first(sockets: PortSockets, phone: socket.socket) -> None:
    """A flood on one port leaves the others their turn."""
    first = opened(sockets, 2)
    for port in (first, first + 2):
        phone.sendto(b"x", ("127.0.0.1", port))
        wait_readable(sockets, port)
    assert {sockets.readable()[0][0] for _ in range(4)} == {first, first + 2}
