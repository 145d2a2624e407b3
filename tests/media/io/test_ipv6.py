"""Batches of IPv6 datagrams through real sockets on ::1, both ways of doing it, beside those of IPv4."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from media import mmsg
from media.addresses import Addresses
from media.errors import PortRefusedError
from media.io import BatchIo, Ipv6Io, PairedSockets, PortSockets, SplitSender
from media.packet import STRIDE, Batch, Outgoing
from media.path import path_of, remote_of
from tests.support.media_worker import opened

LOOPBACK = 0x7F000001
WAYS = pytest.mark.parametrize(
    "batched",
    [
        pytest.param(True, marks=pytest.mark.skipif(not mmsg.AVAILABLE, reason="no recvmmsg on this system")),
        False,
    ],
)


@pytest.fixture
def ipv4() -> Iterator[PortSockets]:
    made = PortSockets("127.0.0.1")
    yield made
    made.close_all()


@pytest.fixture
def ipv6() -> Iterator[PortSockets]:
    made = PortSockets("::1", dscp=46)
    yield made
    made.close_all()


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
        made.bind(("::1", 0))
        made.settimeout(5)
        yield made


def table(welcomes: bool = True) -> Addresses:
    made = Addresses(100, lambda: (), lambda port: welcomes)
    made.ipv6 = True
    return made


def wait_readable(sockets: PortSockets, port: int) -> None:
    one = sockets.get(port)
    assert one is not None and select.select([one], [], [], 5)[0]


def content(batch: Batch) -> list[tuple[bytes, int, int, int]]:
    return [
        (batch.data[row, : batch.lengths[row]].tobytes(), path & 0xFFFF, *remote_of(path))
        for row, path in enumerate(batch.paths[: batch.count].tolist())
    ]


def outgoing(*datagrams: tuple[bytes, int]) -> Outgoing:
    """Of (contents, path)."""
    data = np.zeros((len(datagrams), STRIDE), np.uint8)
    for row, (text, _) in enumerate(datagrams):
        data[row, : len(text)] = np.frombuffer(text, np.uint8)
    count = len(datagrams)
    lengths = np.array([len(text) for text, _ in datagrams], np.int32)
    paths = np.array([path for _, path in datagrams], np.uint64)
    return Outgoing(data, np.arange(count), lengths, paths, np.arange(count))


@WAYS
def test_round_trip(ipv6: PortSockets, phone: socket.socket, batched: bool) -> None:
    first = opened(ipv6, 2)
    addresses = table()
    io = Ipv6Io(ipv6, time.time, time.time, addresses, capacity=64, batched=batched)
    source, number = phone.getsockname()[1], addresses.number("::1")
    for port, text in ((first, b"one"), (first, b"two"), (first + 1, b"rtcp"), (first + 2, b"three")):
        phone.sendto(text, ("::1", port))
        wait_readable(ipv6, port)
    before = time.time()
    batch = io.receive()
    assert sorted(content(batch)) == sorted(
        (text, port, number, source)
        for text, port in ((b"one", first), (b"two", first), (b"rtcp", first + 1), (b"three", first + 2))
    )
    assert (np.abs(batch.arrivals[: batch.count] - before) < 5.0).all()
    assert io.receive().count == 0
    to = [path_of(port, number, source) for port in (first + 2, first, first)]
    io.send(outgoing((b"C", to[0]), (b"AA", to[1]), (b"BB", to[2])))
    got = [phone.recvfrom(100) for _ in range(3)]
    assert sorted((text, where[:2]) for text, where in got) == sorted(
        [(b"C", ("::1", first + 2)), (b"AA", ("::1", first)), (b"BB", ("::1", first))]
    )
    assert io.dropped == 0


@WAYS
def test_a_stranger_who_is_not_welcome_is_nothing(
    ipv6: PortSockets, phone: socket.socket, batched: bool
) -> None:
    first = opened(ipv6)
    addresses = table(welcomes=False)
    io = Ipv6Io(ipv6, time.time, time.time, addresses, capacity=64, batched=batched)
    phone.sendto(b"knock", ("::1", first))
    wait_readable(ipv6, first)
    assert [text for text, *_ in content(io.receive())] == [b""] and len(addresses) == 0
    number = addresses.number("::1")
    phone.sendto(b"known", ("::1", first))
    wait_readable(ipv6, first)
    assert content(io.receive()) == [(b"known", first, number, phone.getsockname()[1])]


@WAYS
def test_nothing_goes_to_an_address_that_is_forgotten(
    ipv6: PortSockets, phone: socket.socket, batched: bool
) -> None:
    first, port = opened(ipv6), phone.getsockname()[1]
    addresses = table()
    io = Ipv6Io(ipv6, time.time, time.time, addresses, capacity=64, batched=batched)
    number = addresses.number("::1")
    gone = path_of(first, number + 1, port)
    io.send(outgoing((b"A", gone), (b"B", path_of(first, number, port)), (b"C", gone)))
    assert phone.recv(10) == b"B" and io.dropped == 2


@WAYS
def test_one_batch_goes_to_both_families(
    ipv4: PortSockets, ipv6: PortSockets, phone: socket.socket, batched: bool
) -> None:
    both = PairedSockets(ipv4, ipv6)
    first = opened(both)
    addresses = table()
    io = BatchIo(ipv4, time.time, time.time, capacity=64, batched=batched)
    io6 = Ipv6Io(ipv6, time.time, time.time, addresses, capacity=64, batched=batched)
    sender = SplitSender(io, io6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as old:
        old.bind(("127.0.0.1", 0))
        old.settimeout(5)
        to_old = path_of(first, LOOPBACK, old.getsockname()[1])
        to_new = path_of(first, addresses.number("::1"), phone.getsockname()[1])
        for batch in (
            outgoing((b"1", to_new), (b"2", to_old), (b"3", to_new)),
            outgoing((b"4", to_new)),
            outgoing((b"5", to_old)),
        ):
            sender.send(batch)
        assert [phone.recv(10) for _ in range(3)] == [b"1", b"3", b"4"]
        assert [old.recvfrom(10) for _ in range(2)] == [(text, ("127.0.0.1", first)) for text in (b"2", b"5")]
    assert (io.dropped, io6.dropped) == (0, 0)


@pytest.mark.parametrize("family", [4, 6])
def test_a_port_that_is_taken_in_one_family_is_taken(
    ipv4: PortSockets, ipv6: PortSockets, family: int
) -> None:
    mine = PortSockets("127.0.0.1" if family == 4 else "::1")
    taken = opened(mine)
    both = PairedSockets(ipv4, ipv6)
    assert not both.open(taken)
    both.reap()
    assert ipv4.get(taken) is None and ipv6.get(taken) is None
    mine.close_all()
    assert both.open(taken)
    both.close(taken)
    both.reap()
    assert ipv4.get(taken) is None and ipv6.get(taken + 1) is None


def test_an_address_that_is_not_ours_is_refused_with_its_key(ipv4: PortSockets) -> None:
    both = PairedSockets(ipv4, PortSockets("2001:db8::1"))
    with pytest.raises(PortRefusedError, match=r"on 2001:db8::1: Cannot assign .*media\.ipv6_address"):
        both.open(opened(ipv4) + 400)
    both.close_all()


def test_what_is_sent_carries_the_marking(ipv6: PortSockets) -> None:
    one = ipv6.get(opened(ipv6))
    assert one is not None
    assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 46 << 2
    assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
