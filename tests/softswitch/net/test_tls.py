"""SIP over TLS on real loopback sockets, on both loops: who is believed, who is not, who costs how much."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from softswitch.errors import LocalError
from softswitch.net.connection import StreamLimits
from softswitch.net.sink import Sink
from softswitch.net.tls_context import Contexts, TlsSettings, make_contexts
from softswitch.net.transports import Transports
from softswitch.sip.flow import Flow
from tests.support.certificates import Authority, Pair

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"


class Inbox(Sink, Protocol):
    messages: list[tuple[bytes, Flow]]
    failures: list[tuple[Flow, str]]

    async def message(self, index: int = 0) -> tuple[bytes, Flow]: ...
    async def failure(self, index: int = 0) -> tuple[Flow, str]: ...


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def contexts_of(authority: Authority, pair: Pair | None, **settings: object) -> Contexts:
    certificate, key = (pair.certificate, pair.key) if pair else (None, None)
    return make_contexts(TlsSettings(certificate, key, authority.file, **settings))  # type: ignore[arg-type]


@asynccontextmanager
async def opened(inbox: Sink, contexts: Contexts, **limits: float) -> AsyncIterator[Transports]:
    transports = Transports(inbox, StreamLimits(**limits))  # type: ignore[arg-type]
    await transports.open(("tls:127.0.0.1:0",), contexts)
    await transports.serve()
    try:
        yield transports
    finally:
        await transports.close()


def address(transports: Transports) -> tuple[str, int]:
    found = transports.local_address("tls")
    assert found is not None
    return found


def flow_to(ours: Transports, theirs: Transports, domain: str) -> Flow:
    return Flow("tls", address(ours), address(theirs), domain=domain)


async def test_a_message_arrives_and_its_flow_answers(
    authority: Authority, inbox: Inbox, other_inbox: Inbox
) -> None:
    ours = opened(inbox, contexts_of(authority, authority.sign("a", "a.example")))
    theirs = opened(other_inbox, contexts_of(authority, authority.sign("b", "b.example")))
    async with ours as a, theirs as b:
        flow = flow_to(a, b, "b.example")
        for _ in range(3):
            a.send(OPTIONS, flow)
        _, came = await other_inbox.message(2)
        assert came.transport == "tls" and came.local == address(b)
        b.send(OPTIONS, came)
        _, back = await inbox.message()
        assert back.remote == address(b) and back.domain == "b.example"
        assert a.connections == b.connections == 1


async def test_on_the_wire_nothing_is_plain(authority: Authority, inbox: Inbox, other_inbox: Inbox) -> None:
    """A relay in between sees every byte."""
    seen, over = bytearray(), asyncio.Event()
    theirs = opened(other_inbox, contexts_of(authority, authority.sign("b", "b.example")))
    async with opened(inbox, contexts_of(authority, authority.sign("a"))) as a, theirs as b:

        async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(4096):
                    seen.extend(data)
                    writer.write(data)
            writer.close()

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(*address(b))
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
            over.set()

        relay = await asyncio.start_server(between, "127.0.0.1", 0)
        remote = relay.sockets[0].getsockname()
        a.send(OPTIONS, Flow("tls", address(a), remote, domain="b.example"))
        assert (await other_inbox.message())[0] == OPTIONS
        relay.close()
    await over.wait()
    assert len(seen) > 500 and b"OPTIONS" not in seen and b"Call-ID" not in seen


@pytest.mark.parametrize(
    ("names", "domain", "good"),
    [
        (("b.example",), "b.example", True),
        (("b.example",), "B.Example.", True),
        (("127.0.0.1",), "", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("sip:b.example",), "b.example", True),
        (("*.b.example",), "sip.b.example", True),
        (("*.b.example",), "a.sip.b.example", False),
        (("b.example",), "a.example", False),
        (("b.example",), "", False),
        (("sip:a.example", "b.example"), "b.example", False),  # RFC 5922 7.1: a URI there decides
        (("127.0.0.1",), "b.example", False),
        (("*.example",), "example", False),
    ],
)
async def test_the_certificate_must_be_the_domains(
    names: tuple[str, ...], domain: str, good: bool, authority: Authority, inbox: Inbox, other_inbox: Inbox
) -> None:
    theirs = opened(other_inbox, contexts_of(authority, authority.sign("b", *names)))
    async with opened(inbox, contexts_of(authority, authority.sign("a"))) as a, theirs as b:
        flow = flow_to(a, b, domain)
        a.send(OPTIONS, flow)
        if good:
            await other_inbox.message()
        else:
            failed, reason = await inbox.failure()
            assert failed == flow and "its certificate is for" in reason
            assert other_inbox.messages == [] and a.connections == 0


async def test_who_is_certified_by_another_is_not_believed(
    authority: Authority, tmp_path: Path, inbox: Inbox, other_inbox: Inbox
) -> None:
    other = Authority(tmp_path, "another authority")
    pair = other.sign("b", "b.example")
    async with (
        opened(inbox, contexts_of(authority, authority.sign("a"))) as a,
        opened(other_inbox, contexts_of(other, pair)) as b,
    ):
        flow = flow_to(a, b, "b.example")
        a.send(OPTIONS, flow)
        failed, reason = await inbox.failure()
        assert failed == flow and reason.startswith("TLS: ") and "issuer" in reason
        assert other_inbox.messages == []


async def test_a_certificate_that_has_run_out_is_not_believed(
    authority: Authority, inbox: Inbox, other_inbox: Inbox
) -> None:
    theirs = contexts_of(authority, authority.sign("b", "b.example", days=-1))
    async with (
        opened(inbox, contexts_of(authority, authority.sign("a"))) as a,
        opened(other_inbox, theirs) as b,
    ):
        a.send(OPTIONS, flow_to(a, b, "b.example"))
        assert "expired" in (await inbox.failure())[1]


async def test_another_domain_at_the_same_address_is_another_connection(
    authority: Authority, inbox: Inbox, other_inbox: Inbox
) -> None:
    """And none that somebody made to us is taken for it."""
    theirs = contexts_of(authority, authority.sign("b", "b.example"))
    async with (
        opened(inbox, contexts_of(authority, authority.sign("a"))) as a,
        opened(other_inbox, theirs) as b,
    ):
        a.send(OPTIONS, flow_to(a, b, "b.example"))
        _, came = await other_inbox.message()
        other = flow_to(a, b, "c.example")
        a.send(OPTIONS, other)
        assert (await inbox.failure())[0] == other
        stranger = Flow("tls", came.local, came.remote, domain="a.example")
        b.send(OPTIONS, stranger)
        assert (await other_inbox.failure())[0] == stranger
        assert inbox.messages == []


@pytest.mark.parametrize("shown", ["ours", "another's", "none"])
@pytest.mark.parametrize("wanted", ["no", "optional", "required"])
async def test_certificates_of_those_who_connect(
    shown: str, wanted: str, authority: Authority, tmp_path: Path, inbox: Inbox
) -> None:
    contexts = contexts_of(authority, authority.sign("a", "127.0.0.1"), clients=wanted)
    good = {"no": True, "optional": shown != "another's", "required": shown == "ours"}[wanted]
    client = ssl.create_default_context(cafile=str(authority.file))
    if shown != "none":
        signer = authority if shown == "ours" else Authority(tmp_path, "another authority")
        pair = signer.sign("phone", "phone.example")
        client.load_cert_chain(pair.certificate, pair.key)
    async with opened(inbox, contexts) as a:
        with contextlib.suppress(OSError):  # over TLS 1.3 a refusal comes with the first reading
            reader, writer = await asyncio.open_connection(*address(a), ssl=client)
            writer.write(OPTIONS + b"\r\n\r\n")
            answer = await reader.read(2)
            assert (answer == b"\r\n") == good
            writer.close()
            await writer.wait_closed()
        assert (len(inbox.messages) == 1) == good


async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(
    authority: Authority, inbox: Inbox
) -> None:
    """The client's last flight and its first message in one segment."""
    contexts = contexts_of(authority, authority.sign("a", "127.0.0.1"))
    async with opened(inbox, contexts) as a:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context(cafile=str(authority.file))
        session = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        reader, writer = await asyncio.open_connection(*address(a))
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        session.write(OPTIONS)
        writer.write(outgoing.read())
        assert (await inbox.message())[0] == OPTIONS
        writer.close()


async def test_old_versions_are_refused(authority: Authority, inbox: Inbox) -> None:
    contexts = contexts_of(authority, authority.sign("a", "127.0.0.1"), min_version="1.3")
    client = ssl.create_default_context(cafile=str(authority.file))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with opened(inbox, contexts) as a:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*address(a), ssl=client)


async def test_handshakes_are_bounded_in_number_and_time(authority: Authority, inbox: Inbox) -> None:
    contexts = contexts_of(authority, authority.sign("a", "127.0.0.1"))
    limits = {"handshakes": 5, "handshakes_per_address": 3, "handshake_s": 0.3}
    async with opened(inbox, contexts, **limits) as a:
        silent = [await asyncio.open_connection(*address(a)) for _ in range(6)]
        for reader, _ in silent:  # the surplus at once, the others when their time is over
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        for _, writer in silent:
            writer.close()
        client = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection(*address(a), ssl=client)
        writer.write(OPTIONS)
        await inbox.message()
        writer.close()


@pytest.mark.parametrize(
    "rubbish", [b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"x" * 70000]
)
async def test_what_is_no_tls_ends_that_connection_alone(
    rubbish: bytes, authority: Authority, inbox: Inbox
) -> None:
    contexts = contexts_of(authority, authority.sign("a", "127.0.0.1"))
    async with opened(inbox, contexts) as a:
        reader, writer = await asyncio.open_connection(*address(a))
        with contextlib.suppress(ConnectionError):
            writer.write(rubbish)
            await writer.drain()
            await reader.read()
        writer.close()
        assert inbox.messages == [] and a.connections == 0
        client = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection(*address(a), ssl=client)
        writer.write(OPTIONS)
        await inbox.message()
        writer.close()


async def test_a_silent_server_fails_the_flow_in_bounded_time(authority: Authority, inbox: Inbox) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        async with opened(inbox, contexts_of(authority, authority.sign("a")), connect_s=0.3) as a:
            flow = Flow("tls", address(a), deaf.getsockname(), domain="b.example")
            a.send(OPTIONS, flow)
            assert await inbox.failure() == (flow, "no connection within 0.3 s")


async def test_new_certificates_without_a_restart(authority: Authority, tmp_path: Path, inbox: Inbox) -> None:
    async def shown(to: tuple[str, int]) -> object:
        client = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection(*to, ssl=client)
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        writer.close()
        return certificate["serialNumber"]

    async with opened(inbox, contexts_of(authority, authority.sign("a", "127.0.0.1"))) as a:
        client = ssl.create_default_context(cafile=str(authority.file))
        _, old = await asyncio.open_connection(*address(a), ssl=client)
        before = await shown(address(a))
        assert await shown(address(a)) == before
        a.trust(contexts_of(authority, authority.sign("a", "127.0.0.1")))
        assert await shown(address(a)) != before
        old.write(OPTIONS)
        await inbox.message()
        old.close()


async def test_without_a_certificate_nothing_listens(authority: Authority, inbox: Inbox) -> None:
    transports = Transports(inbox)
    with pytest.raises(LocalError, match=r"tls\.certificate"):
        await transports.open(("tls:127.0.0.1:0",), contexts_of(authority, None))
    assert transports.local_address("tls") is None
