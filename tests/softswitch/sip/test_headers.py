"""Typed header values: reading, refusing, writing back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sip.headers import Auth, CSeq, NameAddr, Via, closing_quote, quote, split_commas, unquote
from softswitch.sip.uri import Uri


def test_commas_in_quotes_and_brackets_do_not_split() -> None:
    assert split_commas('"A, \\"B" <sip:a,b@c>;x="1,2" , <sip:d@e>,,sip:f@g') == [
        '"A, \\"B" <sip:a,b@c>;x="1,2"',
        "<sip:d@e>",
        "sip:f@g",
    ]


@pytest.mark.parametrize("text", ['"open', '"a\\"', "<sip:a@b", 'x, "y'])
def test_open_quotes_and_brackets_are_refused(text: str) -> None:
    with pytest.raises(PeerError):
        split_commas(text)


def test_values_in_a_header_are_bounded() -> None:
    with pytest.raises(PeerError):
        split_commas("a," * 1000)


def test_name_addr_forms() -> None:
    full = NameAddr.parse('"Doe, \\"J\\"" <sip:j@example.org;lr> ; tag=x1 ;q="0.5"')
    assert full.display == 'Doe, "J"'
    assert full.uri == Uri("sip", "j", None, "example.org", None, (("lr", None),))
    assert (full.tag, full.param("q"), full.param("none")) == ("x1", "0.5", None)
    bare = NameAddr.parse("sip:j@example.org;tag=77")
    assert (bare.tag, bare.uri.params) == ("77", ())
    assert str(bare) == "<sip:j@example.org>;tag=77"
    assert bare.with_tag("new").tag == "new"
    assert NameAddr.parse("Bob Builder <sip:b@c>").display == "Bob Builder"


@pytest.mark.parametrize(
    "text",
    ["", "<>", "<sip:a@b", '"x <sip:a@b>', '"x" sip:a@b', "a, b <sip:a@b>", "sip:a@b?x=y", "<sip:a@b>x",
     "<sip:a@b>;;", "<sip:a@b>;x=", "<sip:a@b>;=x", '<sip:a@b>;x="y"z', "<sip:a@b>;x y=z"],
)  # fmt: skip
def test_bad_name_addr(text: str) -> None:
    with pytest.raises(PeerError):
        NameAddr.parse(text)


def test_via_with_spaces_everywhere_and_ipv6() -> None:
    via = Via.parse(
        "SIP / 2.0 / UDP first.example.com : 4000;ttl=16 ;maddr=224.2.0.1 ;branch = z9hG4bKa7c6a8"
    )
    assert (via.transport, via.host, via.port) == ("UDP", "first.example.com", 4000)
    assert via.branch == "z9hG4bKa7c6a8"
    six = Via.parse("SIP/2.0/TCP [2001:db8::9:1]:5060;received=[2001:db8::9:255];branch=z9hG4bKas3")
    assert (six.host, six.port, six.param("received")) == ("2001:db8::9:1", 5060, "[2001:db8::9:255]")
    assert Via.parse(str(six)) == six


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/3.0/UDP a", "HTTP/2.0/UDP a", "SIP/2.0/ a", "SIP/2.0/UDP a b", "SIP/2.0/U@P a"],
)
def test_bad_via(text: str) -> None:
    with pytest.raises(PeerError):
        Via.parse(text)


def test_received_and_rport_are_noted() -> None:
    plain = Via.parse("SIP/2.0/UDP 192.0.2.1;branch=b")
    assert plain.received_from(("192.0.2.1", 5060)) is plain
    assert (
        str(plain.received_from(("192.0.2.9", 5060))) == "SIP/2.0/UDP 192.0.2.1;branch=b;received=192.0.2.9"
    )
    asks = Via.parse("SIP/2.0/UDP 10.1.1.1:4540;rport;received=forged;branch=z9hG4bKkjshdyff")
    noted = asks.received_from(("192.0.2.1", 9988))
    assert (noted.param("received"), noted.param("rport")) == ("192.0.2.1", "9988")


def test_cseq() -> None:
    assert CSeq.parse(" 0009  INVITE ") == CSeq(9, "INVITE")
    for bad in ("", "9", "x INVITE", "-1 INVITE", "2147483648 INVITE", "9 IN VITE", "9 INV@TE", "٣ INVITE"):
        with pytest.raises(PeerError):
            CSeq.parse(bad)


def test_auth_is_read_without_regard_to_case_and_a_double_is_refused() -> None:
    auth = Auth.parse('DIGEST Realm="a, \\"b\\"" ,nonce=xyz, URI="sip:a=b@c"')
    assert auth == Auth("digest", {"realm": 'a, "b"', "nonce": "xyz", "uri": "sip:a=b@c"})
    for bad in ("", 'Digest realm="a", realm="b"', "Digest realm", 'Digest realm="a'):
        with pytest.raises(PeerError):
            Auth.parse(bad)


@given(st.text(max_size=40))
def test_quoted_strings_round_trip(text: str) -> None:
    assert unquote(quote(text)) == text
    assert closing_quote(quote(text) + '"', 0) == len(quote(text)) - 1


@given(st.text(max_size=30).filter(lambda text: text.strip() == text), st.text(max_size=12))
def test_name_addr_round_trip(display: str, tag: str) -> None:
    address = NameAddr(Uri("sip", "a", None, "b"), display, (("x", quote(tag)),))
    assert NameAddr.parse(str(address)) == address
    assert address.param("x") == tag


@given(st.text(alphabet=st.sampled_from('ab,;:<>"\\= @?[]%/.0123 sip'), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (NameAddr.parse, Via.parse, CSeq.parse, Auth.parse):
        try:
            value = read(text)
        except PeerError:
            continue
        if isinstance(value, NameAddr | Via):
            assert read(str(value)) == value
