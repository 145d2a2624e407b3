"""The order in which a UDP transport hands over what it finds in its socket."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest

from softswitch.net import udp
from softswitch.net.sink import Sink
from softswitch.net.udp import UdpTransport
from softswitch.sip.flow import Flow


class Inbox(Sink, Protocol):
    messages: list[tuple[bytes, Flow]]
    answer: Callable[[bytes, Flow], None]

    async def message(self, index: int = 0) -> tuple[bytes, Flow]: ...


@contextmanager
def peer(transport: UdpTransport) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.connect(transport.address)
        yield ours


def invite(number: int) -> bytes:
    return b"INVITE sip:%d@b SIP/2.0\r\n\r\n" % number


async def test_calls_under_way_come_before_new_ones(inbox: Inbox) -> None:
    transport = await UdpTransport.open("127.0.0.1", 0, inbox)
    transport.serve()
    others = [b"BYE sip:a@b SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"ACK sip:a@b SIP/2.0\r\n\r\n"]
    calls = [invite(number) for number in range(9)]
    with peer(transport) as ours:
        for data in (*calls, *others):  # all are in the socket before the loop looks at it
            ours.send(data)
        await inbox.message(11)
    transport.close()
    assert [data for data, _ in inbox.messages] == [*others, *calls]


async def test_a_cancel_does_not_overtake_its_invite(inbox: Inbox) -> None:
    transport = await UdpTransport.open("127.0.0.1", 0, inbox)
    transport.serve()
    cancel = b"CANCEL sip:1@b SIP/2.0\r\n\r\n"
    with peer(transport) as ours:
        for data in (invite(1), cancel):
            ours.send(data)
        await inbox.message(1)
    transport.close()
    assert [data for data, _ in inbox.messages] == [invite(1), cancel]


async def test_a_repetition_of_what_waits_is_not_handed_over_again(inbox: Inbox) -> None:
    transport = await UdpTransport.open("127.0.0.1", 0, inbox)
    transport.serve()
    with peer(transport) as ours, peer(transport) as another:
        for sender in (ours, ours, another):
            sender.send(invite(1))
        ours.send(invite(2))
        await inbox.message(2)
        assert [(data, flow.remote) for data, flow in inbox.messages] == [
            (invite(1), ours.getsockname()),
            (invite(1), another.getsockname()),
            (invite(2), ours.getsockname()),
        ]
        ours.send(invite(1))  # what does not wait any more is for the transaction to recognise
        await inbox.message(3)
    transport.close()


async def test_too_many_waiting_calls_are_lost_and_counted(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "_MAX_WAITING", 3)
    transport = await UdpTransport.open("127.0.0.1", 0, inbox)
    transport.serve()
    bye = b"BYE sip:a@b SIP/2.0\r\n\r\n"
    with peer(transport) as ours:
        for data in (*(invite(number) for number in range(5)), bye):
            ours.send(data)
        await inbox.message(3)
    transport.close()
    assert [data for data, _ in inbox.messages] == [bye, *(invite(number) for number in range(3))]
    assert transport.dropped == 2


async def test_what_waits_when_the_transport_closes_is_not_handed_over(inbox: Inbox) -> None:
    transport = await UdpTransport.open("127.0.0.1", 0, inbox)
    transport.serve()
    bye = b"BYE sip:a@b SIP/2.0\r\n\r\n"
    inbox.answer = lambda data, flow: transport.close()
    with peer(transport) as ours:
        for data in (invite(1), bye):
            ours.send(data)
        await inbox.message()
        await asyncio.sleep(0)  # a turn of the loop, in which the call would have been let in
    assert [data for data, _ in inbox.messages] == [bye]
