"""SIP over WebSocket (RFC 7118): connections of a real client, and of peers that do not behave."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from softswitch.errors import LocalError
from softswitch.net.connection import StreamLimits
from softswitch.net.sink import Sink
from softswitch.net.tls_context import TlsSettings, make_contexts
from softswitch.net.transports import Transports
from softswitch.net.websocket import SUBPROTOCOL
from softswitch.sip.flow import Flow
from tests.support.certificates import Authority

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
NO_LENGTH = b"MESSAGE sip:a@b SIP/2.0\r\n\r\nhello"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)


class Inbox(Sink, Protocol):
    messages: list[tuple[bytes, Flow]]
    failures: list[tuple[Flow, str]]
    answer: Callable[[bytes, Flow], None]

    async def message(self, index: int = 0) -> tuple[bytes, Flow]: ...
    async def failure(self, index: int = 0) -> tuple[Flow, str]: ...


@asynccontextmanager
async def opened(inbox: Sink, **limits: Any) -> AsyncIterator[tuple[Transports, int]]:
    transports = Transports(inbox, StreamLimits(**limits))
    ((_, _, port),) = await transports.open(["ws:127.0.0.1:0"])
    await transports.serve()
    try:
        yield transports, port
    finally:
        await transports.close()


def browser(port: int, **options: Any) -> connect:
    options = {"subprotocols": ["sip"], "compression": None, "ping_interval": None, **options}
    return connect(f"ws://127.0.0.1:{port}/any/path", **options)


async def test_a_message_a_frame_in_both_directions(inbox: Inbox) -> None:
    async with opened(inbox) as (ours, port), browser(port) as page:
        assert page.subprotocol == "sip"
        await page.send(OPTIONS.decode())
        await page.send(NO_LENGTH)  # binary, and framed by its frame alone
        data, flow = await inbox.message()
        assert (data, flow.transport, flow.remote) == (OPTIONS, "ws", page.local_address)
        assert flow.local == ("127.0.0.1", port)
        assert (await inbox.message(1))[0] == NO_LENGTH
        ours.send(OPTIONS, flow)
        ours.send(b"\xff" + OPTIONS, flow)  # what is no UTF-8 must not go as text (RFC 6455 5.6)
        assert await page.recv() == OPTIONS.decode()
        assert await page.recv() == b"\xff" + OPTIONS
        assert ours.connections == 1


async def test_encrypted(inbox: Inbox, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("switch", "127.0.0.1")
    transports = Transports(inbox)
    contexts = make_contexts(TlsSettings(pair.certificate, pair.key, authority.file))
    ((transport, _, port),) = await transports.open(["wss:127.0.0.1:0"], contexts)
    await transports.serve()
    assert transport == "wss"
    trusting = ssl.create_default_context(cafile=authority.file)
    async with connect(f"wss://127.0.0.1:{port}/", subprotocols=[SUBPROTOCOL], ssl=trusting) as page:
        await page.send(OPTIONS.decode())
        _, flow = await inbox.message()
        assert (flow.transport, flow.local) == ("wss", ("127.0.0.1", port))
        transports.send(OPTIONS, flow)
        assert await page.recv() == OPTIONS.decode()
        nowhere = Flow("wss", flow.local, ("127.0.0.1", 9))
        transports.send(OPTIONS, nowhere)
        assert (await inbox.failure())[0] == nowhere
        with socket.create_connection(("127.0.0.1", port)) as plain:  # is heard by nobody
            plain.sendall(HANDSHAKE)
        await page.send(OPTIONS.decode())
        await inbox.message(1)
        assert transports.connections == 1
    await transports.close()


async def test_without_a_certificate_there_is_no_encrypted_one(inbox: Inbox) -> None:
    with pytest.raises(LocalError, match=r"name its file with tls\.certificate"):
        await Transports(inbox).open(["wss:127.0.0.1:0"])


async def test_a_message_in_many_frames_is_one(inbox: Inbox) -> None:
    async with opened(inbox) as (_, port), browser(port) as page:
        await page.send(chr(byte) for byte in OPTIONS)
        assert (await inbox.message())[0] == OPTIONS


async def test_line_breaks_are_a_sign_of_life_and_answered(inbox: Inbox) -> None:
    async with opened(inbox) as (_, port), browser(port) as page:
        await page.send("\r\n\r\n")
        assert await page.recv() == "\r\n"
        await page.send("\r\n")
        await page.send(OPTIONS.decode())
        assert (await inbox.message())[0] == OPTIONS
        assert len(inbox.messages) == 1


async def test_only_a_connection_that_came_in_reaches_a_browser(inbox: Inbox) -> None:
    async with opened(inbox) as (ours, port), browser(port) as page:
        await page.send(OPTIONS.decode())
        _, flow = await inbox.message()
        ours.send(OPTIONS, Flow("ws", flow.local, flow.remote))  # no number: by any to that address
        assert await page.recv() == OPTIONS.decode()
        nowhere = Flow("ws", flow.local, ("127.0.0.1", 9))
        ours.send(OPTIONS, nowhere)
        failed, reason = await inbox.failure()
        assert failed == nowhere
        assert "only be reached by the connection that it made" in reason


async def test_a_page_that_goes_is_told_of_once(inbox: Inbox) -> None:
    async with opened(inbox) as (ours, port):
        async with browser(port) as page:
            await page.send(OPTIONS.decode())
            _, flow = await inbox.message()
        assert (await inbox.failure())[0] == flow
        ours.send(OPTIONS, flow)
        assert await inbox.failure(1) == (flow, "the connection is gone")
        assert ours.connections == 0


async def test_a_stop_is_said_to_the_page(inbox: Inbox) -> None:
    async with opened(inbox) as (_, port):
        page = await browser(port)
    with pytest.raises(ConnectionClosed) as closed:
        await page.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"subprotocols": None}, 400),
        ({"subprotocols": ["xmpp"]}, 400),
        ({"origin": "https://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_who_may_not_connect_is_refused(options: dict[str, Any], status: int, inbox: Inbox) -> None:
    async with opened(inbox, origins=("https://phone.example.com",)) as (ours, port):
        with pytest.raises(InvalidStatus) as refused:
            await browser(port, **options)
        assert refused.value.response.status_code == status
        for welcome in (None, "https://phone.example.com"):
            async with browser(port, origin=welcome) as page:
                await page.send(OPTIONS.decode())
                await inbox.message(len(inbox.messages))
        assert ours.connections <= 1


@pytest.mark.parametrize(
    "garbage",
    [
        OPTIONS,
        b"\x16\x03\x01\x02\x00" + b"x" * 600,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        HANDSHAKE + b"\x81\x05hello",  # not masked
        HANDSHAKE + b"\x89\x80abcd\x83\x85abcdhello",  # a ping, then a reserved opcode
        HANDSHAKE + b"\x80\x80abcd",  # a continuation of nothing
        HANDSHAKE + b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff",  # 2**63 bytes are to follow
        HANDSHAKE + b"\x81\x82abcd\x9e\x9d",  # text that is no UTF-8
    ],
)
async def test_garbage_ends_its_own_connection_alone(
    garbage: bytes, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softswitch.net.tcp._SWEEP_S", 0.02)
    async with opened(inbox, first_message_s=1.0) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        await inbox.failure()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        async with browser(port) as page:
            await page.send(OPTIONS.decode())
            await inbox.message(len(inbox.messages))


async def test_a_message_that_is_too_long_ends_the_connection(inbox: Inbox) -> None:
    async with opened(inbox) as (_, port), browser(port) as page:
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(100):
                await page.send(["x" * 1000] * 100)  # fragments of one message
            await page.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert "exceeds limit of 65536 bytes" in (await inbox.failure())[1]
        assert not inbox.messages


async def test_many_messages_at_once_are_taken_in_turns(inbox: Inbox) -> None:
    async with opened(inbox) as (_, port), browser(port) as page:
        turns: list[int] = []
        loop = asyncio.get_running_loop()

        def note(data: bytes, flow: Flow) -> None:
            if not turns:
                turns.append(0)
                loop.call_soon(lambda: turns.append(len(inbox.messages)))

        inbox.answer = note
        frames = [b"\x82" + bytes((0x80 | len(NO_LENGTH),)) + bytes(4) + NO_LENGTH] * 500
        page.transport.write(b"".join(frames))
        await inbox.message(499)
        assert 0 < turns[1] <= 64
        await page.send(OPTIONS)
        assert (await inbox.message(500))[0] == OPTIONS


async def test_a_browser_that_does_not_read_is_given_up(inbox: Inbox) -> None:
    async with opened(inbox, write_buffer_bytes=200_000) as (ours, port):
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", port))
            await loop.sock_sendall(deaf, HANDSHAKE)
            await loop.sock_sendall(deaf, b"\x82" + bytes((0x80 | len(NO_LENGTH),)) + bytes(4) + NO_LENGTH)
            _, flow = await inbox.message()
            while not inbox.failures:
                ours.send(OPTIONS * 1000, flow)
                await asyncio.sleep(0)
            assert inbox.failures[0] == (flow, "the peer does not read what it is sent")


@pytest.mark.parametrize("ends", [False, True])
async def test_a_peer_that_never_reads_the_little_it_is_sent(
    ends: bool, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have its megabyte for as long as it liked, also one whose connection we have closed."""
    monkeypatch.setattr("softswitch.net.tcp._SWEEP_S", 0.02)
    async with opened(inbox, unread_s=0.1) as (ours, port):
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", port))
            await loop.sock_sendall(deaf, HANDSHAKE)
            await loop.sock_sendall(deaf, b"\x82" + bytes((0x80 | len(NO_LENGTH),)) + bytes(4) + NO_LENGTH)
            _, flow = await inbox.message()
            for stream in ours._streams.values():
                [connection] = stream._connections.values()
                assert connection.stream is not None
                while not connection.stream.get_write_buffer_size():
                    ours.send(OPTIONS * 1000, flow)
                    await asyncio.sleep(0)
            if ends:
                await loop.sock_sendall(deaf, b"\xff" * 8)  # what no WebSocket says
            assert await inbox.failure() == (flow, "it has read nothing for 0.1 s of what waits for it")


async def settled(page: ClientConnection) -> bytes | str:
    """What ends the connection, as seen from the page."""
    with pytest.raises(ConnectionClosed):
        while True:
            await page.recv()
    return page.close_reason or ""


async def test_pings_keep_the_connection_and_their_absence_ends_it(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softswitch.net.tcp._SWEEP_S", 0.02)
    limits = {"ping_s": 0.0, "pong_s": 0.1, "first_message_s": 3600.0}
    async with opened(inbox, **limits) as (_, port), browser(port) as page:
        await page.send(OPTIONS.decode())
        _, alive = await inbox.message()
        # A peer that is there and answers nothing.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"101 Switching Protocols" in head
        pings = await reader.read()
        assert pings.startswith(b"\x89\x00")
        flow, reason = await inbox.failure()
        assert flow.remote == writer.get_extra_info("sockname")
        assert reason == "no answer to a ping within 0.1 s"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert alive not in [failed for failed, _ in inbox.failures]
        await page.send(OPTIONS.decode())
        await inbox.message(1)


async def test_a_page_that_connects_and_says_nothing_is_swept(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softswitch.net.tcp._SWEEP_S", 0.02)
    async with opened(inbox, first_message_s=0.0) as (_, port):
        with contextlib.suppress(ConnectionError, ConnectionClosed, InvalidHandshake):
            async with browser(port) as page:
                await settled(page)
        assert (await inbox.failure())[1] == "no message within 0 s"
