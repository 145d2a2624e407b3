"""RFC 3263 against a DNS server on loopback, made of dnspython's own messages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.net.dns import DnsLookup, Srv, read_hosts
from softswitch.net.resolver import Resolver, Target, in_srv_order
from softswitch.sip.uri import Uri

ZONE = {
    ("full.test.", "NAPTR"): [
        '50 50 "s" "SIPS+D2T" "" _sips._tcp.full.test.',
        '90 50 "s" "SIP+D2T" "" _sip._tcp.full.test.',
        '100 50 "s" "SIP+D2U" "" _sip._udp.full.test.',
    ],
    ("_sip._tcp.full.test.", "SRV"): ["10 0 5070 a.full.test.", "20 0 5071 b.full.test."],
    ("_sip._udp.full.test.", "SRV"): ["10 0 5080 a.full.test."],
    ("_sips._tcp.full.test.", "SRV"): ["10 0 5061 a.full.test."],
    ("a.full.test.", "A"): ["192.0.2.1"],
    ("a.full.test.", "AAAA"): ["2001:db8::1"],
    ("b.full.test.", "A"): ["192.0.2.2"],
    ("srv.test.", "A"): ["192.0.2.8"],
    ("_sip._udp.srv.test.", "SRV"): ["0 0 5062 srv.test."],
    ("plain.test.", "A"): ["192.0.2.9"],
    ("many.test.", "A"): [f"192.0.2.{n}" for n in range(100, 140)],
    ("_sip._udp.none.test.", "SRV"): ["0 0 0 ."],
    ("none.test.", "A"): ["192.0.2.66"],
}


class Server(asyncio.DatagramProtocol):
    """Answers from ZONE, counts the questions, and is silent about names under `dead.test`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.transport: asyncio.DatagramTransport | None = None
        self.ttl = 60

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name.endswith("dead.test."):
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = ZONE.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", kind, records))
        elif not any(known == name for known, _ in ZONE):
            response.set_rcode(dns.rcode.NXDOMAIN)
        assert self.transport is not None
        self.transport.sendto(response.to_wire(), addr)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Server, local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()


def lookup(server: Server, time: Time | None = None, **options: float) -> DnsLookup:
    assert server.transport is not None
    port = server.transport.get_extra_info("sockname")[1]
    return DnsLookup(time or Time(), ("127.0.0.1",), port, hosts=None, **options)


def resolver(server: Server, ipv6: bool = False) -> Resolver:
    return Resolver(lookup(server), ipv6=ipv6, uniform=lambda: 0.5)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:a@192.0.2.7", [Target("udp", "192.0.2.7", 5060)]),
        ("sip:a@192.0.2.7:5070;transport=tcp", [Target("tcp", "192.0.2.7", 5070)]),
        ("sip:a@[2001:db8::7];transport=TCP", [Target("tcp", "2001:db8::7", 5060)]),
        ("sip:a@b;maddr=192.0.2.4", [Target("udp", "192.0.2.4", 5060)]),
        ("sip:localhost", [Target("udp", "127.0.0.1", 5060)]),
        ("sip:a@pbx.localhost:5080", [Target("udp", "127.0.0.1", 5080)]),
        ("sip:a@example.org", None),
        ("sip:a@example.org:5060", None),
    ],
)
async def test_literal_addresses_need_no_dns(uri: str, expected: list[Target] | None, server: Server) -> None:
    made = resolver(server)
    assert made.literal(Uri.parse(uri)) == expected
    if expected is not None:
        assert await made.resolve(Uri.parse(uri)) == expected
    assert server.asked == []


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        # NAPTR order decides; SIPS is not ours to speak, so TCP comes first, then UDP.
        (
            "sip:full.test",
            [
                Target("tcp", "192.0.2.1", 5070),
                Target("tcp", "192.0.2.2", 5071),
                Target("udp", "192.0.2.1", 5080),
            ],
        ),
        ("sip:full.test;transport=udp", [Target("udp", "192.0.2.1", 5080)]),
        ("sip:a.full.test:5099", [Target("udp", "192.0.2.1", 5099)]),
        ("sip:a.full.test:5099;transport=tcp", [Target("tcp", "192.0.2.1", 5099)]),
        ("sip:srv.test", [Target("udp", "192.0.2.8", 5062)]),
        ("sip:SRV.test.;transport=tcp", [Target("tcp", "192.0.2.8", 5060)]),
        ("sip:plain.test", [Target("udp", "192.0.2.9", 5060)]),
    ],
)
async def test_names(uri: str, expected: list[Target], server: Server) -> None:
    assert await resolver(server).resolve(Uri.parse(uri)) == expected


async def test_a_name_with_many_addresses_gives_a_bounded_number_of_targets(server: Server) -> None:
    found = await resolver(server).resolve(Uri.parse("sip:many.test:5060"))
    assert len(set(found)) == 16


async def test_with_ipv6_both_families_are_targets(server: Server) -> None:
    found = await resolver(server, ipv6=True).resolve(Uri.parse("sip:a.full.test:5060"))
    assert found == [Target("udp", "192.0.2.1", 5060), Target("udp", "2001:db8::1", 5060)]


@pytest.mark.parametrize(
    ("uri", "culprit"),
    [
        ("sip:nowhere.test", "nowhere.test"),
        ("sip:none.test", "none.test"),  # RFC 2782: the target "." says that there is no such service
        ("sips:full.test", "tls"),
        ("sip:full.test;transport=sctp", "sctp"),
        ("tel:+123", "no host"),
        ("sip:" + "x" * 200 + ".test", "xxx"),
    ],
)
async def test_what_has_no_address_is_503_and_named(uri: str, culprit: str, server: Server) -> None:
    with pytest.raises(PeerError, match=culprit) as caught:
        await resolver(server).resolve(Uri.parse(uri))
    assert caught.value.status == 503


async def test_a_silent_server_costs_bounded_time_and_is_not_asked_again_at_once(server: Server) -> None:
    dns_lookup = lookup(server, timeout_s=0.2)
    assert await dns_lookup.query("x.dead.test", "A") == ()
    asked = len(server.asked)
    assert await dns_lookup.query("x.dead.test", "A") == ()
    assert len(server.asked) == asked


async def test_answers_are_cached_for_their_ttl_within_the_bound(server: Server) -> None:
    time = Time()
    dns_lookup = lookup(server, time, max_ttl_s=100.0)
    for moment, questions in ((0.0, 1), (59.0, 1), (61.0, 2)):
        time.now = moment
        assert (await dns_lookup.query("plain.test", "A"))[0].address == "192.0.2.9"
        assert len(server.asked) == questions
    server.ttl = 100_000
    for moment, questions in ((200.0, 3), (299.0, 3), (301.0, 4)):
        time.now = moment
        await dns_lookup.query("plain.test", "A")
        assert len(server.asked) == questions


async def test_equal_questions_at_once_are_asked_once(server: Server) -> None:
    dns_lookup = lookup(server)
    answers = await asyncio.gather(*(dns_lookup.query("plain.test", "A") for _ in range(20)))
    assert len(server.asked) == 1
    assert all(answer == answers[0] for answer in answers)


async def test_the_hosts_file_goes_first(server: Server, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.44 Pbx.test pbx # ours\n2001:db8::44 pbx.test\nbroken line\n\n")
    assert server.transport is not None
    port = server.transport.get_extra_info("sockname")[1]
    made = Resolver(DnsLookup(Time(), ("127.0.0.1",), port, hosts=hosts))
    assert await made.resolve(Uri.parse("sip:pbx.test:5060")) == [Target("udp", "192.0.2.44", 5060)]
    assert server.asked == []
    assert read_hosts(tmp_path / "missing") == {}


SERVICES = st.lists(
    st.builds(Srv, st.integers(0, 3), st.integers(0, 100), st.integers(1, 65535), st.just("h")), max_size=12
)


@given(SERVICES, st.floats(0, 1))
def test_srv_order_keeps_all_and_puts_priorities_first(services: list[Srv], draw: float) -> None:
    ordered = in_srv_order(services, lambda: draw)
    assert sorted(ordered) == sorted(services)
    assert [s.priority for s in ordered] == sorted(s.priority for s in services)


def test_srv_weights_decide_how_often_one_is_first() -> None:
    heavy, light = Srv(0, 90, 1, "heavy"), Srv(0, 10, 2, "light")
    draws = [n / 100 + 0.005 for n in range(100)]
    firsts = [in_srv_order([heavy, light], lambda draw=draw: draw)[0] for draw in draws]  # type: ignore[misc]
    assert firsts.count(heavy) == 90
