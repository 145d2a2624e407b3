"""URIs: what is read, what is refused, what is equal (RFC 3261 19.1, RFC 3966)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sip.uri import MAX_URI_CHARS, Uri, escape, same_uri, unescape


def test_every_part_is_read() -> None:
    uri = Uri.parse("SIPS:alice:secret@Atlanta.example.COM:5061;Transport=TCP;lr?subject=x&priority=urgent")
    assert uri == Uri(
        "sips",
        "alice",
        "secret",
        "atlanta.example.com",
        5061,
        (("transport", "TCP"), ("lr", None)),
        (("subject", "x"), ("priority", "urgent")),
    )
    assert uri.transport == "tcp"
    assert uri.loose


def test_ipv6_reference_goes_without_brackets_inside() -> None:
    uri = Uri.parse("sip:[2001:db8::10]:5070")
    assert (uri.host, uri.port, uri.user) == ("2001:db8::10", 5070, None)
    assert str(uri) == "sip:[2001:db8::10]:5070"


def test_feature_code_with_escaped_hash_is_decoded() -> None:
    uri = Uri.parse("sip:*21%23@pbx")
    assert uri.user == "*21#"
    assert str(uri) == "sip:*21%23@pbx"


def test_tel_and_foreign_schemes() -> None:
    tel = Uri.parse("tel:+7-495-123;phone-context=example.org")
    assert (tel.user, tel.host, tel.param("phone-context")) == ("+7-495-123", "", "example.org")
    assert str(tel) == "tel:+7-495-123;phone-context=example.org"
    assert str(Uri.parse("urn:service:sos")) == "urn:service:sos"


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", "alice@example.org", "sip:@example.org", "sip:alice@", "sip:a@b:port", "sip:a@b:0",
        "sip:a@b:65536", "sip:a@[::1", "sip:a@[nonsense]", "sip:a@[fe80::1%eth0]", "sip:a@b;", "sip:a@b;=x",
        "sip:a b@c", "<sip:a@b>", "sip:a@b?=x", "sip:a@b c", "sip:a@b\r\n", "tel:", "tel:abc def",
        "sip:a@b@c", "sip:a@b_:5060:1",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_length_is_bounded() -> None:
    with pytest.raises(PeerError) as caught:
        Uri.parse("sip:" + "a" * MAX_URI_CHARS)
    assert caught.value.status == 414


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
        ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
    ],
)  # fmt: skip
def test_equal_by_the_examples_of_19_1_4(a: str, b: str) -> None:
    assert same_uri(Uri.parse(a), Uri.parse(b))
    assert same_uri(Uri.parse(b), Uri.parse(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
    ],
)  # fmt: skip
def test_different_by_the_examples_of_19_1_4(a: str, b: str) -> None:
    assert not same_uri(Uri.parse(a), Uri.parse(b))


USERS = st.text(min_size=1, max_size=20)
TOKENS = st.text(string.ascii_lowercase + string.digits + "-.", min_size=1, max_size=8)
HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z]{1,5}){0,2}", fullmatch=True),
    st.ip_addresses(v=6).map(str).filter(lambda text: "%" not in text),
)


@given(
    USERS,
    HOSTS,
    st.none() | st.integers(1, 65535),
    st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=4),
)
def test_round_trip(user: str, host: str, port: int | None, params: list[tuple[str, str | None]]) -> None:
    uri = Uri("sip", unescape(escape(user)), None, host, port, tuple(params))
    assert Uri.parse(str(uri)) == uri


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_what_is_read_is_stable(text: str) -> None:
    for candidate in (text, "sip:" + text, "tel:" + text, "sip:a@" + text):
        try:
            uri = Uri.parse(candidate)
        except PeerError:
            continue
        assert Uri.parse(str(uri)) == uri
