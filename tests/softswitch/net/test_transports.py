"""Transports over real loopback sockets: UDP, TCP, and what happens when the other side does not behave."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from softswitch.errors import LocalError
from softswitch.net.connection import StreamLimits
from softswitch.net.sink import Sink
from softswitch.net.transports import Transports, parse_listen
from softswitch.sip.flow import Flow

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
WITH_BODY = b"MESSAGE sip:a@b SIP/2.0\r\nl: 5\r\n\r\nhello"


class Inbox(Sink, Protocol):
    messages: list[tuple[bytes, Flow]]
    failures: list[tuple[Flow, str]]
    answer: Callable[[bytes, Flow], None]

    async def message(self, index: int = 0) -> tuple[bytes, Flow]: ...
    async def failure(self, index: int = 0) -> tuple[Flow, str]: ...


@asynccontextmanager
async def opened(inbox: Sink, *listen: str, **limits: float) -> AsyncIterator[Transports]:
    transports = Transports(inbox, StreamLimits(**limits) if limits else None)  # type: ignore[arg-type]
    await transports.open(listen or ("udp:127.0.0.1:0", "tcp:127.0.0.1:0"))
    await transports.serve()
    try:
        yield transports
    finally:
        await transports.close()


def address(transports: Transports, transport: str) -> tuple[str, int]:
    found = transports.local_address(transport)
    assert found is not None
    return found


def flow_to(transports: Transports, transport: str, remote: tuple[str, int]) -> Flow:
    local = transports.local_address(transport, remote[0])
    assert local is not None
    return Flow("udp" if transport == "udp" else "tcp", local, remote)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_message_arrives_and_its_flow_answers(
    transport: str, inbox: Inbox, other_inbox: Inbox
) -> None:
    async with opened(inbox) as ours, opened(other_inbox) as theirs:
        ours.send(OPTIONS, flow_to(ours, transport, address(theirs, transport)))
        data, flow = await other_inbox.message()
        assert data == OPTIONS
        assert flow.transport == transport
        assert flow.local == address(theirs, transport)
        theirs.send(WITH_BODY, flow)
        answer, back = await inbox.message()
        assert answer == WITH_BODY
        assert back.remote == address(theirs, transport)
        assert back.local == address(ours, transport)
        assert (back.connection == 0) == (transport == "udp")


async def test_udp_over_ipv6(inbox: Inbox) -> None:
    async with opened(inbox, "udp:[::1]:0", "udp:127.0.0.1:0") as ours:
        local = ours.local_address("udp", "::1")
        assert local is not None
        assert local[0] == "::1"
        ours.send(OPTIONS, flow_to(ours, "udp", local))
        assert (await inbox.message())[1].remote == local


async def test_listening_on_all_addresses_sends_from_the_one_that_routes(inbox: Inbox) -> None:
    async with opened(inbox, "udp:0.0.0.0:0", "tcp:0.0.0.0:0") as ours:
        for transport in ("udp", "tcp"):
            local = ours.local_address(transport, "127.0.0.1")
            assert local is not None
            assert local[0] == "127.0.0.1"
            ours.send(OPTIONS, flow_to(ours, transport, local))
        await inbox.message(1)
        assert {flow.transport for _, flow in inbox.messages} == {"udp", "tcp"}
        tcp = next(flow for _, flow in inbox.messages if flow.transport == "tcp")
        assert tcp.local[0] == "127.0.0.1"


async def test_connections_are_reused_in_both_directions(inbox: Inbox, other_inbox: Inbox) -> None:
    async with opened(inbox) as ours, opened(other_inbox) as theirs:
        flow = flow_to(ours, "tcp", address(theirs, "tcp"))
        for _ in range(5):
            ours.send(OPTIONS, flow)
        await other_inbox.message(4)
        ours.send(OPTIONS, flow)
        _, back = await other_inbox.message(5)
        theirs.send(OPTIONS, Flow("tcp", back.local, back.remote))
        await inbox.message()
        assert ours.connections == theirs.connections == 1
        assert len({flow.connection for _, flow in other_inbox.messages}) == 1


async def test_a_stream_in_any_pieces_gives_the_same_messages(inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        reader, writer = await asyncio.open_connection(*address(ours, "tcp"))
        for byte in OPTIONS + b"\r\n\r\n" + WITH_BODY + OPTIONS:
            writer.write(bytes((byte,)))
            await writer.drain()
        await inbox.message(2)
        assert [data for data, _ in inbox.messages] == [OPTIONS, WITH_BODY, OPTIONS]
        assert await reader.readexactly(2) == b"\r\n"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\rnonsense",
        b"x" * 100_000,
        b"A sip:a SIP/2.0\r\nl: 99999\r\n\r\n",
    ],
)
async def test_what_cannot_be_framed_closes_that_connection_alone(garbage: bytes, inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        reader, writer = await asyncio.open_connection(*address(ours, "tcp"))
        writer.write(garbage)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        flow, reason = await inbox.failure()
        assert flow.remote == writer.get_extra_info("sockname")
        assert "cannot be cut into messages" in reason
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ours.send(OPTIONS, flow_to(ours, "tcp", address(ours, "tcp")))
        await inbox.message()


async def test_a_refused_connection_fails_each_flow_once(inbox: Inbox) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        async with opened(inbox) as ours:
            flow = flow_to(ours, "tcp", taken.getsockname())
            ours.send(OPTIONS, flow)
            ours.send(OPTIONS, flow)
            assert await inbox.failure() == (flow, "Connection refused")
            assert len(inbox.failures) == 1


async def test_a_connection_that_does_not_come_about_fails_in_bounded_time(inbox: Inbox) -> None:
    with socket.socket() as full, contextlib.ExitStack() as fillers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # its backlog is full: the kernel leaves further SYNs unanswered
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        async with opened(inbox, connect_s=0.2, connecting_bytes=2 * len(OPTIONS)) as ours:
            flow = flow_to(ours, "tcp", full.getsockname())
            for _ in range(3):
                ours.send(OPTIONS, flow)
            assert await inbox.failure(0) == (flow, "too much waits for this connection")
            assert await inbox.failure(1) == (flow, "no connection within 0.2 s")


async def test_a_lost_connection_fails_all_flows_that_used_it(inbox: Inbox, other_inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        async with opened(other_inbox) as theirs:
            flow = flow_to(ours, "tcp", address(theirs, "tcp"))
            other_inbox.answer = theirs.send  # type: ignore[attr-defined]
            ours.send(OPTIONS, flow)
            _, numbered = await inbox.message()
        await inbox.failure(1)
        assert {failed for failed, _ in inbox.failures} == {flow, numbered}
        ours.send(OPTIONS, numbered)
        assert await inbox.failure(2) == (numbered, "the connection is gone")


async def test_more_connections_than_the_limit_are_turned_away(inbox: Inbox) -> None:
    async with opened(inbox, connections=1) as ours:
        first = await asyncio.open_connection(*address(ours, "tcp"))
        first[1].write(OPTIONS)
        await inbox.message()
        reader, writer = await asyncio.open_connection(*address(ours, "tcp"))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert ours.connections == 1
        ours.send(OPTIONS, flow_to(ours, "tcp", ("127.0.0.1", 9)))
        assert "limit of 1 connections" in (await inbox.failure())[1]
        for each in (first[1], writer):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


async def test_one_address_cannot_take_all_connections(inbox: Inbox, other_inbox: Inbox) -> None:
    async with opened(inbox, connections_per_address=1) as ours, opened(other_inbox) as theirs:
        remote = address(ours, "tcp")
        first = await asyncio.open_connection(*remote)
        first[1].write(OPTIONS)
        await inbox.message()
        reader, second = await asyncio.open_connection(*remote)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        _, other = await asyncio.open_connection(*remote, local_addr=("127.0.0.2", 0))
        other.write(OPTIONS)
        await inbox.message(1)
        first[1].close()
        await inbox.failure()
        theirs.send(OPTIONS, flow_to(theirs, "tcp", remote))  # there is room again
        await inbox.message(2)
        for each in (first[1], second, other):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


async def test_many_messages_at_once_are_all_taken_but_in_turns(inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        turns: list[int] = []
        loop = asyncio.get_running_loop()

        def note(data: bytes, flow: Flow) -> None:
            if not turns:
                turns.append(0)
                loop.call_soon(lambda: turns.append(len(inbox.messages)))

        inbox.answer = note
        _, writer = await asyncio.open_connection(*address(ours, "tcp"))
        writer.write(WITH_BODY * 500)
        await inbox.message(499)
        assert 0 < turns[1] <= 64
        writer.write(OPTIONS)
        assert (await inbox.message(500))[0] == OPTIONS
        writer.close()
        await writer.wait_closed()


async def test_a_peer_that_does_not_read_is_given_up(inbox: Inbox) -> None:
    async with opened(inbox, write_buffer_bytes=200_000) as ours:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            await asyncio.get_running_loop().sock_connect(deaf, address(ours, "tcp"))
            await asyncio.get_running_loop().sock_sendall(deaf, OPTIONS)
            _, flow = await inbox.message()
            while not inbox.failures:
                ours.send(WITH_BODY * 1000, flow)
                await asyncio.sleep(0)
            assert inbox.failures[0] == (flow, "the peer does not read what it is sent")


@pytest.mark.parametrize(
    ("limits", "said", "reason"),
    [
        ({"first_message_s": 0.0}, b"OPTIONS sip:a", "no message within 0 s"),
        ({"first_message_s": 0.0}, b"\r\n\r\n" * 3, "no message within 0 s"),
        ({"first_message_s": 0.0}, OPTIONS + b"OPTIONS sip:a", "a message not ended within 0 s"),
        ({"idle_s": 0.0}, b"", "idle for 0 s"),
    ],
)
async def test_silent_connections_are_swept(
    limits: dict[str, float], said: bytes, reason: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softswitch.net.tcp._SWEEP_S", 0.05)
    async with opened(inbox, **limits) as ours:
        reader, writer = await asyncio.open_connection(*address(ours, "tcp"))
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).strip() == b""  # pongs at most
        assert (await inbox.failure())[1] == reason
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        (
            Flow("udp", ("127.0.0.1", 1), ("pbx.example.org", 5060)),
            "pbx.example.org is not an IP address",
        ),
        (
            Flow("tcp", ("127.0.0.1", 1), ("pbx.example.org", 5060)),
            "pbx.example.org is not an IP address",
        ),
        (Flow("udp", ("127.0.0.1", 1), ("127.0.0.1", 70000)), "port must be 1 to 65535"),
        (Flow("tcp", ("127.0.0.1", 1), ("127.0.0.1", 70000)), "port must be 1 to 65535"),
        (Flow("udp", ("127.0.0.1", 1), ("::1", 5060)), "no udp address of the same family"),
        (Flow("tls", ("127.0.0.1", 1), ("127.0.0.1", 5061)), "no tls address"),
        (Flow("tcp", ("127.0.0.1", 1), ("127.0.0.1", 5061), 99), "the connection is gone"),
    ],
)
async def test_what_cannot_be_sent_fails_and_never_raises(flow: Flow, reason: str, inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        ours.send(OPTIONS, flow)
        failed, why = await inbox.failure()
        assert failed == flow
        assert reason in why


async def test_a_datagram_too_long_for_udp_fails(inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        ours.send(b"x" * 70_000, flow_to(ours, "udp", address(ours, "udp")))
        assert "Message too long" in (await inbox.failure())[1]


async def test_a_receiver_that_raises_costs_its_message_only(
    inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_on_first(data: bytes, flow: Flow) -> None:
        if data == b"bad":
            raise ValueError("cannot stand this one")

    inbox.answer = fail_on_first  # type: ignore[attr-defined]
    async with opened(inbox) as ours:
        for data in (b"bad", b"good"):
            ours.send(data, flow_to(ours, "udp", address(ours, "udp")))
        assert (await inbox.message(1))[0] == b"good"
    assert "cannot stand this one" in capsys.readouterr().err


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_address_in_use_is_named_with_the_remedy(transport: str, inbox: Inbox) -> None:
    async with opened(inbox) as ours:
        host, port = address(ours, transport)
        with pytest.raises(LocalError, match=rf"{transport}:{host}:{port}: Address already in use; .*ss -l"):
            async with opened(inbox, "udp:127.0.0.1:0", f"{transport}:{host}:{port}"):
                pass


async def test_an_address_of_another_machine_is_named(inbox: Inbox) -> None:
    with pytest.raises(LocalError, match="does not have that address"):
        async with opened(inbox, "udp:203.0.113.77:5060"):
            pass


@pytest.mark.parametrize(
    "text",
    ["", "udp", "sctp:127.0.0.1:5060", "udp:host:5060", "udp:127.0.0.1", "udp:::1:99999"],
)
def test_listen_texts_that_are_wrong_are_shown_with_an_example(text: str) -> None:
    with pytest.raises(LocalError, match="Cannot listen on"):
        parse_listen(text)


def test_listen_texts() -> None:
    assert parse_listen("udp:0.0.0.0:5060") == ("udp", "0.0.0.0", 5060)
    assert parse_listen("tcp:[::1]:5060") == ("tcp", "::1", 5060)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_what_is_sent_is_marked(host: str, inbox: Inbox, other_inbox: Inbox) -> None:
    """By the DSCP, over UDP and over both ends of a TCP connection."""
    family, level = (
        (socket.AF_INET6, socket.IPPROTO_IPV6) if ":" in host else (socket.AF_INET, socket.IPPROTO_IP)
    )
    receive, kind = (
        (socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS) if ":" in host else (socket.IP_RECVTOS, socket.IP_TOS)
    )
    ours, theirs = Transports(inbox, dscp=24), Transports(other_inbox, dscp=10)
    bound = f"[{host}]" if ":" in host else host
    await ours.open([f"udp:{bound}:0", f"tcp:{bound}:0"])
    await theirs.open([f"tcp:{bound}:0"])
    await theirs.serve()
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.bind((host, 0))
        peer.setsockopt(level, receive, 1)
        peer.settimeout(10)
        ours.send(OPTIONS, flow_to(ours, "udp", peer.getsockname()[:2]))
        _, (marked, *_), _, _ = await asyncio.to_thread(peer.recvmsg, 4096, 64)
    assert marked[:2] == (level, kind) and marked[2][0] == 24 << 2
    ours.send(OPTIONS, flow_to(ours, "tcp", address(theirs, "tcp")))
    await other_inbox.message()
    marks = []
    for transports in (ours, theirs):
        (tcp,) = transports._streams.values()
        (connection,) = tcp._connections.values()
        assert connection.stream is not None
        marks.append(connection.stream.get_extra_info("socket").getsockopt(level, kind) >> 2)
    assert marks == [24, 10]
    await ours.close()
    await theirs.close()
