"""Descriptions of browsers: what Chromium really sends, and what must not be accepted of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from softswitch.errors import PeerError
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, accept_answer, make_answer, make_offer
from softswitch.sdp.webrtc import LocalBrowser, PeerBrowser, from_browser, ufrag_of

CHROMIUM = (Path(__file__).parent / "chromium.sdp").read_text().replace("\n", "\r\n")
THEIRS = (
    "sha-256 B8:6D:28:D2:DD:78:6B:1B:60:48:57:0D:6A:2D:D3:78:68:CF:5E:FF:D0:B9:25:F4:87:55:16:D8:01:7D:06:CC"
)
OURS = LocalBrowser("abcd1234", "p" * 32, "sha-256 " + ":".join(["0F"] * 32))
LOCAL = LocalMedia("192.0.2.50", 40000, 7, 1, browser=OURS)


def parsed(text: str = CHROMIUM) -> SessionDescription:
    return SessionDescription.parse(text.encode())


def changed(old: str, new: str) -> SessionDescription:
    assert old in CHROMIUM
    return parsed(CHROMIUM.replace(old, new))


def test_chromiums_offer_is_answered_with_one_candidate_and_without_video() -> None:
    offer = parsed()
    assert from_browser(offer) and ufrag_of(offer) == "f5De"
    answer, media = make_answer(offer, LOCAL, ("PCMU",))
    text = answer.serialise().decode().split("\r\n")
    at = text.index("m=audio 40000 UDP/TLS/RTP/SAVPF 0 126")
    assert text[:at] == [
        "v=0",
        "o=- 7 1 IN IP4 192.0.2.50",
        "s=-",
        "c=IN IP4 192.0.2.50",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=ice-lite",
    ]
    audio = text[at:]
    for line in (
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:126 telephone-event/8000",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=ice-ufrag:abcd1234",
        f"a=ice-pwd:{'p' * 32}",
        f"a=fingerprint:{OURS.fingerprint}",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 192.0.2.50 40000 typ host",
        "a=mid:0",
    ):
        assert audio.count(line) == 1, line
    assert text[-3:] == ["m=video 0 UDP/TLS/RTP/SAVPF 96", "a=mid:1", ""]
    assert (media.codec, media.payload_type, media.event_payload_type) == ("PCMU", 0, 126)
    assert (media.send, media.receive, media.held, media.rtcp_mux) == (True, True, False, True)
    assert media.browser == PeerBrowser("f5De", THEIRS, client=False)


def test_a_browser_is_given_a_candidate_of_each_family() -> None:
    both = replace(LOCAL, other_address="2001:db8::50")
    for description in (make_answer(parsed(), both, ("PCMU",))[0], make_offer(both)):
        assert description.connection == "192.0.2.50"
        assert description.media[0].values("candidate") == [
            "1 1 udp 2130706431 192.0.2.50 40000 typ host",
            "2 1 udp 2130706175 2001:db8::50 40000 typ host",
        ]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("a=ice-ufrag:f5De\r\n", "", "no ICE credentials"),
        ("a=ice-ufrag:f5De", "a=ice-ufrag:f5D", "no ICE credentials"),
        ("a=ice-ufrag:f5De", "a=ice-ufrag:f5De:x", "no ICE credentials"),
        ("a=ice-ufrag:f5De", "a=ice-ufrag:" + "x" * 257, "no ICE credentials"),
        ("a=ice-pwd:f22MYYOhBnWkQu1lMKNx+hft", "a=ice-pwd:short", "no ICE credentials"),
        ("a=rtcp-mux\r\n", "", "RTCP must go over the port of the audio"),
        (f"a=fingerprint:{THEIRS}\r\n", "", "no a=fingerprint by sha-256"),
        ("a=fingerprint:sha-256 ", "a=fingerprint:sha-1 ", "no a=fingerprint by sha-256"),
        ("a=fingerprint:sha-256 B8:", "a=fingerprint:sha-256 ", "no a=fingerprint by sha-256"),
        ("a=fingerprint:sha-256 B8", "a=fingerprint:sha-256 XY", "no a=fingerprint by sha-256"),
        ("a=setup:actpass", "a=setup:holdconn", "makes no connection"),
        ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "no audio over UDP/TLS/RTP/SAVPF"),
    ],
)
def test_an_offer_that_lacks_what_keeps_it_safe_is_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(PeerError) as refused:
        make_answer(changed(old, new), LOCAL)
    assert refused.value.status == 488
    assert why in refused.value.headers[0][1]


def test_a_browser_is_answered_as_one_only_by_a_leg_that_is_ready_for_it() -> None:
    plain = LocalMedia("192.0.2.50", 40000, 7, 1)
    with pytest.raises(PeerError, match="Not Acceptable"):
        make_answer(parsed(), plain)
    with pytest.raises(PeerError, match="Not Acceptable"):
        make_answer(make_offer(plain), LOCAL)


@pytest.mark.parametrize(
    ("setup", "before", "client", "answered"),
    [
        ("actpass", None, False, "passive"),
        ("active", None, False, "passive"),
        ("passive", None, True, "active"),
        ("actpass", True, True, "active"),
        ("actpass", False, False, "passive"),
    ],
)
def test_who_begins_dtls(setup: str, before: bool | None, client: bool, answered: str) -> None:
    ours = LocalBrowser(OURS.ufrag, OURS.password, OURS.fingerprint, before)
    local = LocalMedia("192.0.2.50", 40000, 7, 1, browser=ours)
    answer, media = make_answer(changed("a=setup:actpass", f"a=setup:{setup}"), local)
    assert media.browser is not None and media.browser.client == client
    assert answer.media[0].attribute("setup") == answered


def test_the_best_of_several_fingerprints_is_taken() -> None:
    better = "a=fingerprint:SHA-512 " + ":".join(["ab"] * 64) + "\r\n"
    offer = changed(
        f"a=fingerprint:{THEIRS}\r\n", f"a=fingerprint:md5 00:11\r\n{better}a=fingerprint:{THEIRS}\r\n"
    )
    _, media = make_answer(offer, LOCAL)
    assert media.browser is not None and media.browser.fingerprint == THEIRS
    _, media = make_answer(changed(f"a=fingerprint:{THEIRS}\r\n", better), LOCAL)
    assert media.browser is not None
    assert media.browser.fingerprint == "sha-512 " + ":".join(["AB"] * 64)


def test_what_stands_at_the_head_counts_for_the_audio() -> None:
    """Firefox and many gateways write credentials and fingerprint once, before the sections."""
    moved = [
        "a=ice-ufrag:f5De\r\n",
        "a=ice-pwd:f22MYYOhBnWkQu1lMKNx+hft\r\n",
        f"a=fingerprint:{THEIRS}\r\n",
        "a=setup:actpass\r\n",
    ]
    text = CHROMIUM
    for line in moved:
        text = text.replace(line, "")
    _, media = make_answer(parsed(text.replace("t=0 0\r\n", "t=0 0\r\n" + "".join(moved))), LOCAL)
    assert media.browser == PeerBrowser("f5De", THEIRS, client=False)


def test_without_a_bundle_in_the_offer_there_is_none_in_the_answer() -> None:
    answer, _ = make_answer(changed("a=group:BUNDLE 0 1\r\n", ""), LOCAL)
    assert answer.attribute("group") is None
    assert answer.media[0].attribute("mid") == "0"
    answer, _ = make_answer(changed("a=mid:0\r\n", ""), LOCAL)
    assert answer.attribute("group") is None
    assert answer.media[0].attribute("mid") is None


def test_a_browser_on_hold_says_so_by_its_direction_alone() -> None:
    _, media = make_answer(changed("a=sendrecv", "a=sendonly"), LOCAL)
    assert (media.send, media.receive, media.held) == (False, True, True)


def test_our_offer_and_a_browsers_answer() -> None:
    offer = make_offer(LOCAL)
    assert offer.media[0].protocol == "UDP/TLS/RTP/SAVPF"
    assert offer.media[0].attribute("setup") == "actpass"
    assert offer.attribute("group") == "BUNDLE 0" and offer.attribute("ice-lite") == ""
    theirs = LocalBrowser("theirs00", "q" * 24, THEIRS)
    answer, _ = make_answer(offer, LocalMedia("192.0.2.9", 9, 1, 1, browser=theirs))
    media = accept_answer(offer, answer, OURS)
    assert media.browser == PeerBrowser("theirs00", THEIRS, client=True)  # two of us: the answerer is passive
    with pytest.raises(PeerError, match="Not Acceptable"):
        accept_answer(
            offer, SessionDescription.parse(answer.serialise().replace(b"a=rtcp-mux\r\n", b"")), OURS
        )


def test_a_later_offer_keeps_the_places_and_the_names() -> None:
    answer, _ = make_answer(parsed(), LOCAL, ("PCMU",))
    again = make_offer(LOCAL, answer)
    assert [(m.kind, m.port, m.attribute("mid")) for m in again.media] == [
        ("audio", 40000, "0"),
        ("video", 0, "1"),
    ]
    assert again.media[0].attribute("setup") == "actpass"


def test_a_password_is_not_shown() -> None:
    assert OURS.password not in repr(OURS) + repr(LOCAL)


LINES = CHROMIUM.split("\r\n")


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.text(max_size=30)), max_size=6))
def test_whatever_a_browser_writes_is_answered_or_refused(changes: list[tuple[int, str]]) -> None:
    lines = list(LINES)
    for at, text in changes:
        lines[at] = lines[at][: len(text)] + text
    try:
        description = SessionDescription.parse("\r\n".join(lines).encode("utf-8", "surrogatepass"))
        answer, media = make_answer(description, LOCAL)
    except PeerError:
        return
    assert media.browser is not None
    assert len(answer.media) == len(description.media)
    SessionDescription.parse(answer.serialise())
