"""The log: its grammar, what it must never write, and that no peer can forge a line."""

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch import log
from softswitch.sip.flow import Flow

FLOW = Flow("udp", ("127.0.0.1", 5060), ("192.0.2.1", 5060))
REGISTER = (
    b"REGISTER sip:demo SIP/2.0\r\n"
    b'Authorization: Digest username="201", realm="demo", nonce="abc", uri="sip:demo", '
    b'response="0123456789abcdef0123456789abcdef", cnonce="xyz", qop=auth\r\n'
    b"Contact: <sip:201:s3cret@192.0.2.1>\r\n\r\n"
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    log.configure()


def captured(style: log.Style, level: str = "debug") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level, style, stream)
    return stream


def test_json_lines_have_one_shape() -> None:
    stream = captured("json")
    log.logger("sip").bind(call="c-1").info("= call up", legs=2, wait_s=0.5, agent=None)
    line = json.loads(stream.getvalue())
    assert list(line) == ["time", "level", "part", "event", "call", "legs", "wait_s", "agent"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["part"], line["event"], line["call"]) == ("info", "sip", "= call up", "c-1")
    assert (line["legs"], line["wait_s"], line["agent"]) == (2, 0.5, None)


def test_the_grammar_of_the_wire() -> None:
    stream = captured("json")
    wire = log.WireLog(log.logger("udp"))
    wire.received(REGISTER, FLOW)
    wire.sent(b"SIP/2.0 200 OK\r\n\r\n", FLOW)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == [
        "< REGISTER sip:demo SIP/2.0",
        "> SIP/2.0 200 OK",
    ]
    assert events[0]["flow"] == "udp:127.0.0.1:5060<->192.0.2.1:5060"


def test_above_debug_the_wire_is_silent() -> None:
    stream = captured("console", "info")
    log.WireLog(log.logger("udp")).received(REGISTER, FLOW)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("style", ["console", "json"])
def test_secrets_are_never_written(style: log.Style) -> None:
    stream = captured(style)
    log.WireLog(log.logger("udp")).received(REGISTER, FLOW)
    log.logger("config").info("extension", password="s3cret", HA1="0123456789abcdef")
    text = stream.getvalue()
    assert "0123456789abcdef" not in text
    assert "s3cret" not in text
    assert "username" in text
    assert "nonce" in text


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("fill", [0, *range(160, 200)])
def test_a_password_in_a_uri_is_hidden_wherever_it_stands(style: log.Style, fill: int) -> None:
    stream = captured(style)
    uri = f"sip:{'u' * (fill % 100)}bob:topsecret@example.org"
    log.WireLog(log.logger("udp")).sent(f"{'I' * (fill // 100 * 100)} {uri} SIP/2.0\r\n\r\n".encode(), FLOW)
    log.logger("sip").info(f"calls {uri}", to=uri)
    assert "tops" not in stream.getvalue() and stream.getvalue().count("[hidden]") >= 3


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('Proxy-Authorization: Digest RESPONSE = "topsecret"', "topsecret"),
        ("Authorization: Digest response=topsecret, nc=1", "topsecret"),
        (r'Authorization: Digest response="top\"secret"', "secret"),
        ("Authorization: Basic dG9wc2VjcmV0", "dG9wc2VjcmV0"),
        ("authorization:Bearer topsecret", "topsecret"),
        ("INVITE sips:bob:topsecret@example.org SIP/2.0", "topsecret"),
        ('Authentication-Info: rspauth="topsecret"', "topsecret"),
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:topsecret|2^31", "topsecret"),
        ("a=crypto:1 AEAD_AES_128_GCM INLINE:topsecret;inline:other", "topsecret"),
        ("INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nSignal= 7\nDuration=160\n", "7"),
        ("INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nsignal=7\n", "7"),
        ("INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf\nContent-Length: 1\n\n7", "7"),
        ("INFO sip:a@b SIP/2.0\nc:application/dtmf;x=y\n\n7", "7"),
        ("a=ice-ufrag:name\r\na=ice-pwd:topsecret\r\n", "topsecret"),
    ],
)
def test_redaction(text: str, hidden: str) -> None:
    assert hidden not in log.redact(text)
    assert "[hidden]" in log.redact(text)


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_peer_cannot_forge_a_line_or_drive_the_terminal(style: log.Style) -> None:
    stream = captured(style)
    evil = "x\n2026-01-01T00:00:00.000Z info sip all is well\r\x1b[2J\u2028\udc80"
    log.logger("sip").info("from " + evil, name=evil)
    log.WireLog(log.logger("udp")).received(evil.encode("utf-8", "surrogateescape"), FLOW)
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\u2028" not in text
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())
    text.encode()


@pytest.mark.parametrize("style", ["console", "json"])
@given(event=st.text(), value=st.text() | st.binary() | st.floats() | st.none(), data=st.binary(max_size=300))
def test_anything_can_be_logged(style: log.Style, event: str, value: object, data: bytes) -> None:
    stream = captured(style)
    log.logger("sip").info(event, value=value)
    log.WireLog(log.logger("udp")).sent(data, FLOW)
    lines = stream.getvalue().split("\n")
    if style == "json":
        assert len([json.loads(line) for line in lines if line]) == 2


def test_a_traceback_is_logged_with_its_exception() -> None:
    stream = captured("console")
    try:
        raise ValueError("the culprit")
    except ValueError:
        log.logger("app").exception("it failed")
    text = stream.getvalue()
    assert "it failed" in text
    assert "    ValueError: the culprit" in text


def test_a_stream_that_cannot_be_written_stops_nothing() -> None:
    stream = captured("console")
    stream.close()
    log.logger("app").error("unseen")


@pytest.mark.parametrize("name", ["response", "RESPONSE", "rEsPoNsE"])
def test_a_digest_response_is_hidden_however_it_is_spelt(name: str) -> None:
    assert "c0ffee" not in log.redact(f'Authorization: Digest username="u", {name}="c0ffee"')
