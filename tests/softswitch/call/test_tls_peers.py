"""Calls to peers over TLS and IPv6: where they go, whose certificate must be there, which Contact they are
given."""

import pytest

from softswitch.call.settings import Peer, Target
from softswitch.sip.flow import Flow, Places
from softswitch.sip.uri import Uri
from tests.support.centre import Centre


@pytest.mark.parametrize(
    ("target", "remote", "transport", "domain", "contact"),
    [
        ("sip:10.9.9.9", ("10.9.9.9", 5060), "udp", "", "<sip:300@10.0.0.1:5060>"),
        ("sip:10.9.9.9;transport=tcp", ("10.9.9.9", 5060), "tcp", "", "transport=tcp>"),
        ("sip:10.9.9.9;transport=tls", ("10.9.9.9", 5061), "tls", "10.9.9.9", "transport=tls>"),
        ("sips:10.9.9.9", ("10.9.9.9", 5061), "tls", "10.9.9.9", "<sips:300@"),
        ("sips:10.9.9.9:5099", ("10.9.9.9", 5099), "tls", "10.9.9.9", "<sips:300@"),
        ("sip:pbx.example;transport=tls", ("pbx.example", 0), "tls", "pbx.example", "transport=tls>"),
    ],
)
def test_the_way_to_a_peer(
    target: str, remote: tuple[str, int], transport: str, domain: str, contact: str
) -> None:
    centre = Centre(
        routes={"700": Target("peer", "pbx")}, more={"peers": {"pbx": Peer("pbx", Uri.parse(target))}}
    )
    centre.phones["300"].call("700")
    centre.settle()
    [attempt] = centre.switch.hub.attempts.values()
    [leg] = attempt.legs.values()
    assert (leg.flow.transport, leg.flow.remote, leg.flow.domain) == (transport, remote, domain)
    assert contact in (leg.invite.headers.get("Contact") or "")


def test_a_name_that_was_looked_up_stays_the_one_that_the_certificate_must_have() -> None:
    peers = {"pbx": Peer("pbx", Uri.parse("sip:pbx.example;transport=tls"))}
    centre = Centre(routes={"700": Target("peer", "pbx")}, more={"peers": peers})
    ringing = centre.switch.desk.ringing
    ringing.bound = Places([*ringing.bound, ("tls", "10.0.0.1", 5061)])
    centre.phones["300"].call("700")
    centre.settle()
    [attempt] = centre.switch.hub.attempts.values()
    [leg] = attempt.legs.values()
    ringing.resolved(leg.id, [("tls", "10.9.9.9", 5061)], centre.now)
    assert leg.flow == Flow("tls", ("10.0.0.1", 5061), ("10.9.9.9", 5061), domain="pbx.example")


@pytest.mark.parametrize("target", ["sip:[2001:db8::9]", "sip:pbx.example"])
def test_a_peer_on_ipv6_is_called_from_our_address_of_ipv6(target: str) -> None:
    peers = {"pbx": Peer("pbx", Uri.parse(target))}
    centre = Centre(routes={"700": Target("peer", "pbx")}, more={"peers": peers})
    ringing = centre.switch.desk.ringing
    ringing.bound = Places([*ringing.bound, ("udp", "2001:db8::1", 5060)])
    centre.phones["300"].call("700")
    centre.settle()
    [attempt] = centre.switch.hub.attempts.values()
    [leg] = attempt.legs.values()
    ringing.resolved(leg.id, [("tcp", "2001:db8::8", 5060), ("udp", "2001:db8::9", 5060)], centre.now)
    assert leg.flow == Flow("udp", ("2001:db8::1", 5060), ("2001:db8::9", 5060))
    assert "<sip:300@[2001:db8::1]:5060>" in (leg.invite.headers.get("Contact") or "")
