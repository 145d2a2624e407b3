"""Flows, and which of our addresses a peer is spoken to from."""

from __future__ import annotations

from softswitch.sip.flow import Flow, Places


def test_the_first_address_of_each_transport_and_family_counts() -> None:
    named = [
        ("udp", "192.0.2.1", 5060),
        ("udp", "192.0.2.2", 5060),
        ("udp", "2001:db8::1", 5062),
        ("tls", "2001:db8::1", 5061),
    ]
    places = Places(named)  # type: ignore[arg-type]
    assert places.towards("udp", "198.51.100.7") == ("192.0.2.1", 5060)
    assert places.towards("udp", "2001:db8::7") == ("2001:db8::1", 5062)
    assert places.towards("tls", "198.51.100.7") is None and places.towards("tcp", "2001:db8::7") is None
    assert sorted(places) == sorted(named[:1] + named[2:])


def test_addresses_of_ipv6_have_brackets() -> None:
    flow = Flow("tls", ("2001:db8::1", 5061), ("2001:db8::7", 40000))
    assert str(flow) == "tls:[2001:db8::1]:5061<->[2001:db8::7]:40000"
    assert str(Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))) == "udp:192.0.2.1:5060<->192.0.2.7:5060"
