"""Keys in descriptions: tables after RFC 4568 and the field, hostile lines, and what two sides agree on."""

import base64
import itertools
import secrets

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sdp.crypto import (
    KEY_BYTES,
    LIFETIME,
    MAX_LINES,
    SUITES,
    Crypto,
    Srtp,
    SrtpPolicy,
    Suite,
    attribute_of,
    crypto_of,
    parse_crypto,
)
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, Negotiated, accept_answer, make_answer, make_offer

CM80, CM32, GCM128, GCM256 = SUITES
KEY = base64.b64encode(bytes(range(30))).decode()
GCM_KEY = base64.b64encode(bytes(range(28))).decode()
POLICIES: tuple[SrtpPolicy, ...] = ("off", "allowed", "required")


def keys(*suites: Suite) -> tuple[Crypto, ...]:
    return tuple(Crypto(tag, one, secrets.token_bytes(KEY_BYTES[one])) for tag, one in enumerate(suites, 1))


def side(policy: SrtpPolicy, *suites: Suite, address: str = "192.0.2.1") -> LocalMedia:
    lines = () if policy == "off" else keys(*(suites or SUITES))
    return LocalMedia(address, 4000, 1, 1, srtp=policy, crypto=lines)


def session(*media: str) -> SessionDescription:
    text = "v=0\r\no=- 5 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
    for section in media:
        text += "".join(line + "\r\n" for line in section.split("|"))
    return SessionDescription.parse(text.encode())


# ----- one line


@pytest.mark.parametrize(
    ("value", "tag", "suite"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", 1, CM80),
        (f"2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20", 2, CM32),
        (f"999999999 aes_cm_128_hmac_sha1_80 INLINE:{KEY}|1048576", 999999999, CM80),
        (f"1  AEAD_AES_128_GCM   inline:{GCM_KEY}", 1, GCM128),
        (f"1 AEAD_AES_128_GCM inline:{GCM_KEY.rstrip('=')}", 1, GCM128),
        (f"3 AEAD_AES_256_GCM inline:{base64.b64encode(bytes(44)).decode()}", 3, GCM256),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=64 KDR=0", 1, CM80),
    ],
)
def test_lines_that_are_ours(value: str, tag: int, suite: Suite) -> None:
    found = parse_crypto(value)
    assert found is not None and (found.tag, found.suite, len(found.key)) == (tag, suite, KEY_BYTES[suite])


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("", LIFETIME),
        ("|2^48", LIFETIME),
        ("|281474976710656", LIFETIME),
        ("|2^20", 1 << 20),
        ("|1048576", 1 << 20),
        ("|0002^4", None),
        ("|2^0", 1),
        ("|007", 7),
        ("|0", None),
        ("|2^49", None),
        ("|281474976710657", None),
        ("|2^999999999999", None),
        ("|9" * 400, None),
        ("|" + "9" * 400, None),
        ("|-1", None),
        ("|2^", None),
        ("|^20", None),
        ("|3^20", None),
        ("|\u0662^20", None),
        ("|", None),
        ("||", None),
        ("|2^20|2^20", None),
    ],
)
def test_lifetimes(text: str, lifetime: int | None) -> None:
    found = parse_crypto(f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{text}")
    assert (None if found is None else found.lifetime) == lifetime


def test_their_lifetime_goes_with_their_key() -> None:
    lines = f"a=crypto:1 {CM80} inline:{KEY}|2^64\r\na=crypto:2 {CM80} inline:{KEY}|2^20\r\n"
    offer = SessionDescription.parse(session("m=audio 4000 RTP/SAVP 0").serialise() + lines.encode())
    answer, negotiated = make_answer(offer, side("allowed"))
    assert negotiated.srtp is not None and negotiated.srtp.lifetime == 1 << 20
    [line] = crypto_of(answer.media[0])
    assert line.tag == 2
    assert line.lifetime == LIFETIME, "of ours: the longest, which needs no word"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1 AES_CM_128_HMAC_SHA1_80",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"-1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 prompt:{KEY}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-4]}",  # short
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}AAAA",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:!{KEY[1:]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4",  # an MKI would stand in each packet
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4;inline:{KEY}|2:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=01",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} FEC_ORDER=FEC_SRTP",
        f"1 AEAD_AES_128_GCM inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}" + " " * 600,
    ],
)
def test_lines_that_are_passed_over(value: str) -> None:
    assert parse_crypto(value) is None


@given(st.text(max_size=600))
def test_any_line_is_read_without_harm(value: str) -> None:
    found = parse_crypto(value)
    assert found is None or len(found.key) == KEY_BYTES[found.suite]


@given(
    st.sampled_from(SUITES),
    st.integers(1, 999_999_999),
    st.binary(min_size=44, max_size=44),
    st.text(max_size=8),
)
def test_what_we_write_is_what_we_read(suite: Suite, tag: int, key: bytes, more: str) -> None:
    line = Crypto(tag, suite, key[: KEY_BYTES[suite]])
    name, value = attribute_of(line)
    assert name == "crypto" and value is not None and parse_crypto(value) == line
    found = parse_crypto(value + more)
    assert found is None or found.tag == tag


def test_no_repr_shows_a_key() -> None:
    for one in (Crypto(1, CM80, b"A" * 30), Srtp(CM80, b"A" * 30, b"A" * 30)):
        for shown in (repr(one), str(one), f"{one!r}", repr(one.__rich_repr__())):
            assert "AAA" not in shown and CM80 in shown
    negotiated = Negotiated("192.0.2.1", 4000, 4001, "PCMU", 0, 101, srtp=Srtp(CM80, b"A" * 30, b"A" * 30))
    assert "AAA" not in repr(negotiated)
    assert "AAA" not in repr(LocalMedia("192.0.2.1", 4000, 1, 1, crypto=(Crypto(1, CM80, b"A" * 30),)))


def test_more_lines_than_anybody_needs_are_not_read() -> None:
    lines = "|".join(f"a=crypto:{n} NONE inline:{KEY}" for n in range(MAX_LINES))
    offer = session(f"m=audio 4000 RTP/SAVP 0|{lines}|a=crypto:99 {CM80} inline:{KEY}")
    assert crypto_of(offer.media[0]) == []


# ----- offers and answers


def agree(caller: LocalMedia, called: LocalMedia) -> tuple[Negotiated, Negotiated]:
    """The caller's and the called side's view. Raises PeerError."""
    offer = SessionDescription.parse(make_offer(caller).serialise())
    answer, theirs = make_answer(offer, called)
    ours = accept_answer(offer, SessionDescription.parse(answer.serialise()), srtp=caller.srtp)
    return ours, theirs


@pytest.mark.parametrize(("ours", "theirs"), [*itertools.product(POLICIES, POLICIES)])
def test_every_pair_of_policies(ours: SrtpPolicy, theirs: SrtpPolicy) -> None:
    a, b = side(ours), side(theirs, address="192.0.2.2")
    if {ours, theirs} == {"off", "required"}:
        with pytest.raises(PeerError) as refused:
            agree(a, b)
        assert refused.value.status == 488 and "encryption" in dict(refused.value.headers)["Warning"]
        return
    caller, called = agree(a, b)
    if "off" in (ours, theirs):
        assert caller.srtp is None and called.srtp is None
        return
    assert caller.srtp is not None and called.srtp is not None
    assert caller.srtp.suite == called.srtp.suite == CM80
    assert caller.srtp.outbound == called.srtp.inbound == a.crypto[0].key
    assert caller.srtp.inbound == called.srtp.outbound == b.crypto[0].key


@pytest.mark.parametrize("suite", SUITES)
def test_the_only_suite_in_common(suite: Suite) -> None:
    caller, called = agree(side("required"), side("allowed", suite, address="192.0.2.2"))
    assert caller.srtp is not None and called.srtp is not None and caller.srtp.suite == suite


def test_the_offerers_order_decides() -> None:
    caller, _ = agree(side("required", GCM256, CM80), side("required", address="192.0.2.2"))
    assert caller.srtp is not None and caller.srtp.suite == GCM256


def test_no_suite_in_common() -> None:
    with pytest.raises(PeerError) as refused:
        agree(side("required", CM80), side("allowed", GCM128, address="192.0.2.2"))
    assert "a=crypto" in dict(refused.value.headers)["Warning"]
    caller, called = agree(side("allowed", CM80), side("allowed", GCM128, address="192.0.2.2"))
    assert caller.srtp is None and called.srtp is None, (
        "where it is not required, plain is better than nothing"
    )


def test_what_is_offered_as_text() -> None:
    offered = make_offer(side("allowed", CM80)).serialise().decode()
    assert "m=audio 4000 RTP/AVP 0 8 101\r\n" in offered and f"a=crypto:1 {CM80} inline:" in offered
    assert "m=audio 4000 RTP/SAVP 0 8 101\r\n" in make_offer(side("required", CM80)).serialise().decode()
    plain = make_offer(side("off")).serialise().decode()
    assert "RTP/AVP" in plain and "crypto" not in plain


def test_an_answer_has_one_line_with_their_tag() -> None:
    offer = session(
        f"m=audio 4000 RTP/SAVP 0|a=crypto:7 F8_128_HMAC_SHA1_80 inline:{KEY}|a=crypto:8 {CM32} inline:{KEY}|"
        f"a=crypto:9 {CM80} inline:{KEY}"
    )
    answer, negotiated = make_answer(offer, side("allowed"))
    [line] = crypto_of(answer.media[0])
    assert (line.tag, line.suite) == (8, CM32) and answer.media[0].protocol == "RTP/SAVP"
    assert negotiated.srtp is not None and negotiated.srtp.inbound == bytes(range(30))
    assert line.key == negotiated.srtp.outbound != negotiated.srtp.inbound


def test_two_sections_the_encrypted_one_first() -> None:
    """Some offer the same audio twice, for peers without SRTP."""
    twice = (f"m=audio 4000 RTP/SAVP 0|a=crypto:1 {CM80} inline:{KEY}", "m=audio 4002 RTP/AVP 0")
    for policy, ports, secure in (("off", [0, 4000], False), ("allowed", [4000, 0], True)):
        answer, negotiated = make_answer(session(*twice), side(policy))  # type: ignore[arg-type]
        assert [m.port for m in answer.media] == ports and (negotiated.srtp is not None) == secure
    answer, negotiated = make_answer(session(*reversed(twice)), side("required"))
    assert [m.port for m in answer.media] == [0, 4000] and negotiated.srtp is not None


@pytest.mark.parametrize(
    "lines",
    [
        "",
        f"|a=crypto:2 {CM80} inline:{KEY}",  # a tag that we had not offered
        f"|a=crypto:1 {GCM128} inline:{GCM_KEY}",  # another suite under that tag
        f"|a=crypto:1 {CM80} inline:{KEY[:8]}",
    ],
)
def test_an_answer_that_takes_no_key_of_ours(lines: str) -> None:
    ours = side("required", CM80)
    for protocol in ("RTP/SAVP", "RTP/AVP"):
        with pytest.raises(PeerError, match="488"):
            accept_answer(make_offer(ours), session(f"m=audio 5000 {protocol} 0{lines}"), srtp="required")
    plain = accept_answer(
        make_offer(side("allowed", CM80)), session(f"m=audio 5000 RTP/AVP 0{lines}"), srtp="allowed"
    )
    assert plain.srtp is None


def test_an_encrypted_answer_to_a_plain_offer_with_keys() -> None:
    ours = side("allowed", CM80)
    answer = session(f"m=audio 5000 RTP/SAVP 0|a=crypto:1 {CM80} inline:{KEY}")
    negotiated = accept_answer(make_offer(ours), answer, srtp="allowed")
    assert negotiated.srtp == Srtp(CM80, bytes(range(30)), ours.crypto[0].key)
    with pytest.raises(PeerError):
        accept_answer(make_offer(side("off")), answer)


def test_the_same_key_again_keeps_ours() -> None:
    """A re-INVITE for hold: nobody must change his keys; a new one changes both."""
    offer = make_offer(side("required", CM80))
    called = side("required", address="192.0.2.2")
    _, first = make_answer(offer, called)
    again = msgspec.structs.replace(called, crypto=keys(*SUITES), srtp_in_use=first.srtp)
    answer, second = make_answer(offer, again)
    assert second.srtp == first.srtp
    [line] = crypto_of(answer.media[0])
    assert first.srtp is not None and line.key == first.srtp.outbound
    _, third = make_answer(make_offer(side("required", CM80)), again)
    assert third.srtp is not None and third.srtp.outbound == again.crypto[0].key != first.srtp.outbound
