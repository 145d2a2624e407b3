"""Who may say that he is whom: extensions prove it, peers are known by their address, others are guests."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.call.identity import Identities, Unauthorized
from softswitch.call.settings import Phone, Settings
from softswitch.call.text import MAX_CHARS, printable
from softswitch.errors import PeerError
from softswitch.sip.digest import DigestServer, answer
from softswitch.sip.flow import Flow, Transport
from softswitch.sip.message import Request
from softswitch.sip.parser import parse
from softswitch.sip.registrar import Registrar
from softswitch.sip.uri import Uri
from tests.softswitch.call.test_router import Plan

US = ("10.0.0.1", 5060)
NOW = 1_000_000.0
_numbers = itertools.count(1)


class KnownPlan(Plan):
    def peer_of(self, address: str) -> str | None:
        return "pbx" if address == "10.0.9.9" else None


def identities(*, guests: bool = True) -> Identities:
    phones = {
        "201": Phone("201", "Anna", "secret"),
        "202": Phone("202", "Boris", "other"),
        "301": Phone("301", contact=Uri("sip", "301", None, "10.0.3.1", 5080)),
        "302": Phone("302", "Both", "secret", contact=Uri("sip", "302", None, "10.0.3.2", 5060)),
    }
    settings = Settings(
        plan=KnownPlan(),
        phones=phones,
        peers={},
        queues={},
        flows={},
        phrases={},
        clip=str,
        music=(),
        guests=guests,
    )
    return Identities(settings, DigestServer("test", bytes(32)), Registrar())


def flow(host: str = "10.0.5.5", port: int = 5060, transport: Transport = "udp") -> Flow:
    return Flow(transport, US, (host, port))


def request(sender: str, method: str = "INVITE", to: str = "<sip:600@x>") -> Request:
    text = (
        f"{method} sip:600@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.5.5;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        f"From: {sender};tag=a\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: {next(_numbers)} {method}\r\n"
        "Contact: <sip:me@10.0.5.5>\r\nContent-Length: 0\r\n\r\n"
    )
    parsed = parse(text.encode("utf-8", "surrogateescape"))
    assert isinstance(parsed, Request)
    return parsed


def signed(known: Identities, plain: Request, user: str, password: str) -> Request:
    """The request with the answer to our challenge."""
    challenges = known.digest.challenge(NOW)
    count = plain.cseq.number
    keys: dict[str, Any] = {"username": user, "password": password, "cnonce": "c", "nonce_count": count}
    uri = str(plain.uri)
    plain.headers.add("Authorization", answer(challenges, method=plain.method, uri=uri, **keys))
    return plain


def refused(known: Identities, bad: Request, where: Flow) -> int:
    with pytest.raises(PeerError) as error:
        known.caller(bad, where, NOW)
    return error.value.status


def test_a_guest() -> None:
    found = identities().caller(request('"Jo" <sip:jo@x>'), flow(), NOW)
    assert (found.kind, found.name, found.number, found.display) == ("guest", "", "jo", "Jo")


def test_no_guests() -> None:
    assert refused(identities(guests=False), request("<sip:jo@x>"), flow()) == 401


@pytest.mark.parametrize("user", ["201", "%32%30%31"])
def test_the_number_of_an_extension_must_be_proven(user: str) -> None:
    assert refused(identities(), request(f"<sip:{user}@x>"), flow()) == 401


def test_an_extension_with_its_password() -> None:
    known = identities()
    found = known.caller(signed(known, request('"Boss" <sip:201@x>'), "201", "secret"), flow(), NOW)
    assert (found.kind, found.name, found.display) == ("extension", "201", "Anna"), "named as we know it"


def test_one_extension_is_not_another() -> None:
    known = identities()
    assert refused(known, signed(known, request("<sip:202@x>"), "201", "secret"), flow()) == 403
    with pytest.raises(Unauthorized) as error:
        known.caller(signed(known, request("<sip:201@x>"), "201", "wrong"), flow(), NOW)
    assert error.value.status == 401 and "201" in error.value.why, "the administrator is told"


def test_a_peer_is_its_address_and_nothing_more() -> None:
    found = identities().caller(request("<sip:201@x>"), flow("10.0.9.9", 9999), NOW)
    assert (found.kind, found.name, found.number) == ("peer", "pbx", "201")


def test_a_phone_at_a_fixed_address() -> None:
    known = identities()
    assert known.caller(request("<sip:301@x>"), flow("10.0.3.1", 5080), NOW).kind == "extension"
    assert refused(known, request("<sip:301@x>"), flow("10.0.3.1", 5060)) == 401
    assert refused(known, request("<sip:302@x>"), flow("10.0.3.2", 5060)) == 401, "it has a password"


def test_registration_is_for_its_owner() -> None:
    known = identities()
    own = signed(known, request("<sip:201@x>", "REGISTER", "<sip:201@x>"), "201", "secret")
    number, registered = known.register(own, flow(), NOW)
    assert number == "201" and len(registered.bindings) == 1
    assert [reach.flow for reach in known.reach("201", NOW)] == [flow()]
    foreign = signed(known, request("<sip:201@x>", "REGISTER", "<sip:202@x>"), "201", "secret")
    with pytest.raises(PeerError, match="403"):
        known.register(foreign, flow(), NOW)
    assert not known.reach("202", NOW) and not known.reach("nobody", NOW)


def test_an_extension_holds_as_many_phones_as_it_may() -> None:
    known = identities()
    phones = {**known.settings.phones, "201": Phone("201", "Anna", "secret", max_contacts=2)}
    known = Identities(replace(known.settings, phones=phones), known.digest, known.registrar)
    for port in (5061, 5062, 5063):
        asking = request("<sip:201@x>", "REGISTER", "<sip:201@x>")
        asking.headers.remove("Contact")
        asking.headers.add("Contact", f"<sip:201@10.0.5.5:{port}>")
        known.register(signed(known, asking, "201", "secret"), flow(port=port), NOW + port - 5061)
    assert sorted(way.uri.port or 0 for way in known.reach("201", NOW)) == [5062, 5063]


def test_fixed_addresses_are_reached_without_registration() -> None:
    (way,) = identities().reach("301", NOW)
    assert way.uri.host == "10.0.3.1" and way.flow is None


def test_names_of_strangers_are_printable_and_short() -> None:
    sender = '"\x1b[31mred\u202e\udcff' + "x" * 500 + '" <sip:\u200bjo%0A%FF@x>'
    for where in (flow(), flow("10.0.9.9")):
        found = identities().caller(request(sender), where, NOW)
        for text in (found.number, found.display):
            assert text.isprintable() and len(text) <= MAX_CHARS
            text.encode()


@given(st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and len(shown) == min(len(text), MAX_CHARS)
    assert shown.encode().decode() == shown
    if text.isprintable():
        assert shown == text[:MAX_CHARS]
