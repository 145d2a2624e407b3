"""The parser: RFC 4475's torture messages (torture/, with a manifest), bounds, and anything at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sip.dialog import Dialog
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Flow
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import RequestReceived, Send
from softswitch.sip.parser import _FOLD, MAX_HEADER_LINES, MAX_LINE_CHARS, MAX_MESSAGE_BYTES, parse, refuse
from softswitch.sip.registrar import Registrar
from tests.support.sip_wire import counter

TORTURE = Path(__file__).parent / "torture"
MANIFEST: dict[str, dict[str, Any]] = json.loads((TORTURE / "manifest.json").read_text())
FLOW = Flow("udp", ("192.0.2.200", 5060), ("192.0.2.201", 5060))

GOOD = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n"
    b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)

ASKED = GOOD.replace(b"OPTIONS", b"INVITE") + b"\r\n"
LAZY = ("contacts", "routes", "record_routes", "expires", "max_forwards", "content_type", "contact_is_star")

FACTS: dict[str, Any] = {
    "vias": lambda m: len(m.headers.values("Via")),
    "to_tag": lambda m: m.to.tag,
    "from_tag": lambda m: m.from_.tag,
    "to_display": lambda m: m.to.display,
    "from_display": lambda m: m.from_.display,
    "contact_display": lambda m: m.contacts[0].display,
    "to_user": lambda m: m.to.uri.user,
    "from_user": lambda m: m.from_.uri.user,
    "uri_user": lambda m: m.uri.user,
    "cseq": lambda m: m.cseq.number,
    "max_forwards": lambda m: m.max_forwards,
    "body": lambda m: len(m.body),
    "contacts": lambda m: len(m.contacts),
    "method": lambda m: m.method,
    "status": lambda m: m.status,
    "reason": lambda m: m.reason,
    "require": lambda m: list(m.options("Require")),
    "content_type": lambda m: m.content_type,
    "contact_param_in": lambda m: (
        "header" if m.contacts[0].params else "uri" if m.contacts[0].uri.params else ""
    ),
}


def torture(*outcomes: str) -> list[str]:
    return [name for name, entry in MANIFEST.items() if entry["outcome"] in outcomes]


def test_every_file_is_in_the_manifest() -> None:
    assert {path.stem for path in TORTURE.glob("*.dat")} == set(MANIFEST)


@pytest.mark.parametrize("name", torture("request", "response"))
def test_torture_valid(name: str) -> None:
    entry = MANIFEST[name]
    message = parse((TORTURE / f"{name}.dat").read_bytes())
    assert isinstance(message, Request if entry["outcome"] == "request" else Response)
    for fact in entry.keys() & FACTS.keys():
        assert FACTS[fact](message) == entry[fact], fact
    assert parse(message.serialise()) == message
    if isinstance(message, Request):
        layer = TransactionLayer(token=counter())
        outputs = layer.receive(message, FLOW, 0.0)
        assert [type(output) for output in outputs] == [RequestReceived]


@pytest.mark.parametrize("name", torture("refused"))
def test_torture_refused(name: str) -> None:
    data = (TORTURE / f"{name}.dat").read_bytes()
    with pytest.raises(PeerError) as caught:
        parse(data)
    assert caught.value.status == MANIFEST[name]["status"]
    answers = TransactionLayer(token=counter()).receive_bytes(data, FLOW, 0.0)
    if MANIFEST[name].get("answered", True):
        (answer,) = answers
        assert isinstance(answer, Send)
        # It repeats what was malformed, so it is not parsed here.
        start, *headers = answer.data.decode("utf-8", "surrogateescape").split("\r\n")
        assert start.startswith(f"SIP/2.0 {MANIFEST[name]['status']} ")
        assert any(line.startswith("Via: ") and ";received=192.0.2.201" in line for line in headers)
        assert all("tag=" in line for line in headers if line.startswith("To: "))
    else:  # nobody can be answered: a response, or a Via that cannot be read
        assert answers == []


@pytest.mark.parametrize("name", torture("bad contact"))
def test_torture_lazy_headers_are_refused_when_used(name: str) -> None:
    message = parse((TORTURE / f"{name}.dat").read_bytes())
    with pytest.raises(PeerError) as caught:
        _ = message.contacts
    assert caught.value.status == MANIFEST[name]["status"]


@pytest.mark.parametrize("name", torture("unknown scheme"))
def test_torture_unknown_scheme_is_answered_by_the_layer(name: str) -> None:
    (answer,) = TransactionLayer(token=counter()).receive_bytes(
        (TORTURE / f"{name}.dat").read_bytes(), FLOW, 0.0
    )
    assert isinstance(answer, Send)
    assert isinstance(answer.message, Response)
    assert answer.message.status == 416


def test_folded_and_leading_crlf() -> None:
    message = parse(b"\r\n\r\n" + GOOD + b"Subject: one\r\n  two\r\n\tthree\r\n\r\n")
    assert message.headers.get("Subject") == "one two three"


def test_content_length_cuts_a_datagram() -> None:
    assert parse(GOOD + b"l: 3\r\n\r\nabcdef").body == b"abc"
    assert parse(GOOD + b"\r\nabcdef").body == b"abcdef"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"\r\n\r\n", 400),
        (GOOD, 400),
        (GOOD + b"no colon\r\n\r\n", 400),
        (GOOD + b": empty\r\n\r\n", 400),
        (GOOD + b"a b: c\r\n\r\n", 400),
        (GOOD + b"X: a\nb\r\n\r\n", 400),
        (GOOD + b"X: a\rb\r\n\r\n", 400),
        (GOOD + b"CSeq: 2 OPTIONS\r\n\r\n", 400),
        (GOOD.replace(b"Call-ID: 1", b"Call-ID:") + b"\r\n", 400),
        (GOOD.replace(b"SIP/2.0\r\n", b"HTTP/1.1\r\n", 1) + b"\r\n", 400),
        (GOOD.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1) + b"\r\n", 505),
        (GOOD + b"X: y\r\n" * MAX_HEADER_LINES + b"\r\n", 400),
        (GOOD + b"X: " + b"y" * MAX_LINE_CHARS + b"\r\n\r\n", 400),
        (GOOD + b"\r\n" + b"x" * MAX_MESSAGE_BYTES, 413),
        (GOOD.replace(b"OPTIONS sip:a@b", b"OPTIONS sip:" + b"a" * 5000) + b"\r\n", 414),
        (b"SIP/2.0 99 x" + GOOD[GOOD.index(b"\r\n") :] + b"\r\n", 400),
        (b"SIP/2.0 700 x" + GOOD[GOOD.index(b"\r\n") :] + b"\r\n", 400),
    ],
)
def test_refused(data: bytes, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        parse(data)
    assert caught.value.status == status


def test_octets_that_are_not_utf8_pass_through() -> None:
    message = parse(GOOD + b"Subject: \xff\xfe\r\n\r\n")
    assert b"Subject: \xff\xfe\r\n" in message.serialise()


def check_any(data: bytes) -> None:
    try:
        message = parse(data)
    except PeerError as error:
        answer = refuse(data, error, "ours")
        if answer is not None:
            parse_or_refuse(answer.serialise())
    else:
        assert parse(message.serialise()) == message
        use(message)
    for output in TransactionLayer(token=counter()).receive_bytes(data, FLOW, 0.0):
        assert isinstance(output, object)


def use(message: Request | Response) -> None:
    """What the users of a message do with it: PeerError is all that may come of it."""
    reads: list[Callable[[Any], object]] = [attrgetter(name) for name in LAZY]
    if isinstance(message, Request):
        digest, registrar = DigestServer("pbx", b"0123456789abcdef"), Registrar()
        reads += [
            lambda m: Dialog.uas(m, "t", "<sip:me@h>").request("BYE").serialise(),
            lambda m: registrar.register("sip:a@b", m, FLOW, 0.0).contact_headers(0.0),
            lambda m: digest.verify(m, "Authorization", {"a": "b"}.get, 0.0),
            lambda m: Response.answering(m, 200, to_tag="t").serialise(),
        ]
    else:
        asked = parse(ASKED)
        assert isinstance(asked, Request)
        reads.append(lambda m: Dialog.uac(asked, m).ack(1).serialise())
    for read in reads:
        with contextlib.suppress(PeerError):
            read(message)


def parse_or_refuse(data: bytes) -> None:
    try:
        parse(data)
    except PeerError:
        return


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_peer_error(data: bytes) -> None:
    check_any(data)


@settings(max_examples=400)
@given(st.sampled_from(sorted(MANIFEST)), st.data())
def test_mutated_torture_is_a_message_or_a_peer_error(name: str, data: st.DataObject) -> None:
    octets = bytearray((TORTURE / f"{name}.dat").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "cut", "move"]))
        piece = data.draw(
            st.sampled_from([b"\r\n", b" ", b'"', b"<", b">", b";", b",", b"\x00", b"\xff", b":", b"%"])
        )
        if kind == "change":
            octets[at : at + 1] = piece
        elif kind == "insert":
            octets[at:at] = piece
        elif kind == "cut":
            del octets[at : at + data.draw(st.integers(1, 40))]
        else:
            octets += octets[at : at + 60]
        if not octets:
            return
    check_any(bytes(octets))


def test_long_runs_of_white_space_are_refused_at_once() -> None:
    """Each of these cost seconds when folding looked for the white space before a line break."""
    data = GOOD + b"Subject: a" + b" " * 60_000 + b"b\r\n c\r\n\r\n"
    with pytest.raises(PeerError) as caught:
        parse(data)
    assert _FOLD.pattern[:2] == "\\r"  # begins at the break: linear
    assert refuse(data, caught.value, "t") is not None


def test_line_feeds_alone_are_line_ends_and_a_mixture_is_refused() -> None:
    lone = (GOOD + b"Content-Length: 3\r\n\r\n").replace(b"\r\n", b"\n") + b"a\r\n"
    message = parse(lone)
    assert (message.body, message.headers.all("Via")) == (b"a\r\n", parse(GOOD + b"\r\n").headers.all("Via"))
    for mixed in (GOOD + b"Subject: a\nb\r\n\r\n", GOOD + b"Subject: a\n\nb"):
        with pytest.raises(PeerError):
            parse(mixed)
