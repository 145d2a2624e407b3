"""Messages: headers without regard to case, what is written, how a response is made of a request."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import LocalError, PeerError
from softswitch.sip.message import Headers, Request, Response
from softswitch.sip.names import COMPACT
from softswitch.sip.parser import parse
from softswitch.sip.uri import Uri

BASE = [
    ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"),
    ("From", "<sip:a@b>;tag=1"),
    ("To", "<sip:c@d>"),
    ("Call-ID", "x@y"),
    ("CSeq", "1 INVITE"),
]


def request(*more: tuple[str, str], body: bytes = b"") -> Request:
    return Request("INVITE", Uri.parse("sip:c@d"), [*BASE, *more], body)


def test_names_are_one_whatever_their_spelling() -> None:
    headers = Headers([("v", "1"), ("VIA", "2"), ("x-Mine", "3"), ("cAlL-iD", "4")])
    assert headers.all("via") == ["1", "2"]
    assert headers.get("X-MINE") == "3"
    assert "i" in headers
    assert [name for name, _ in headers] == ["Via", "Via", "x-Mine", "Call-ID"]
    assert all(Headers([(short, "v")]).get(long) == "v" for short, long in COMPACT.items())


def test_changes_keep_order_and_forget_what_was_read() -> None:
    message = request(("X-A", "1"), ("x-a", "2"))
    assert message.from_.tag == "1"
    message.headers.set("f", "<sip:a@b>;tag=2")
    assert message.from_.tag == "2"
    message.headers.set("X-a", "3")
    assert message.headers.all("x-A") == ["3"]
    message.headers.remove("x-A")
    assert "X-A" not in message.headers
    message.headers.prepend("Via", "SIP/2.0/TCP h;branch=z9hG4bK0")
    assert message.top_via.host == "h"
    message.headers.add("Route", "<sip:p1;lr>, <sip:p2;lr>")
    message.headers.replace_first("Route", "<sip:p3;lr>")
    assert [route.uri.host for route in message.routes] == ["p3", "p2"]


def test_missing_headers_are_named() -> None:
    with pytest.raises(PeerError, match="Missing CSeq"):
        _ = Request("INVITE", Uri.parse("sip:a@b")).cseq


def test_typed_values() -> None:
    message = request(
        ("Contact", "<sip:a@h>;q=1, sip:b@h"),
        ("Expires", "99999999999"),
        ("Content-Type", "Application/SDP ; charset=utf-8"),
        ("Supported", "100rel, Timer"),
        ("Supported", "replaces"),
    )
    assert [contact.uri.user for contact in message.contacts] == ["a", "b"]
    assert message.expires == 2**32 - 1
    assert message.content_type == "application/sdp"
    assert message.options("Supported") == ("100rel", "timer", "replaces")
    assert request(("Contact", "*")).contact_is_star
    assert request(("Contact", "*")).contacts == ()
    with pytest.raises(PeerError):
        _ = request(("Expires", "soon")).expires


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\r"])
def test_line_breaks_cannot_be_smuggled_out(value: str) -> None:
    with pytest.raises(LocalError, match="line break"):
        request(("Subject", value)).serialise()
    with pytest.raises(LocalError):
        Response(200, value, BASE).serialise()


def test_response_answering_copies_what_8_2_6_asks() -> None:
    asked = request(("Record-Route", "<sip:p;lr>"), ("Subject", "x"), ("Timestamp", "54"))
    ringing = Response.answering(asked, 180, to_tag="new", headers=[("Contact", "<sip:me@h>")])
    assert ringing.to.tag == "new"
    assert ringing.reason == "Ringing"
    names = [name for name, _ in ringing.headers]
    assert names == ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route", "Timestamp", "Contact"]
    trying = Response.answering(asked, 100, to_tag="new")
    assert trying.to.tag is None
    assert "Record-Route" not in Response.answering(asked, 486).headers
    inside = request()
    inside.headers.set("To", "<sip:c@d>;tag=old")
    assert Response.answering(inside, 200, to_tag="new").to.tag == "old"


NAMES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=10).map(lambda s: "X-" + s)
VALUES = st.text(max_size=30).map(lambda s: "".join(c for c in s if c not in "\r\n").strip(" \t"))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.binary(max_size=50))
def test_round_trip(more: list[tuple[str, str]], body: bytes) -> None:
    sent = request(*more, body=body)
    assert parse(sent.serialise()) == sent
    answer = Response.answering(sent, 200, to_tag="t", body=body, headers=more)
    assert parse(answer.serialise()) == answer
