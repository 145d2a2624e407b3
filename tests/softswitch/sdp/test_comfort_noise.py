"""Comfort noise in offers and answers: agreed only where both sides name it."""

from __future__ import annotations

import pytest

from softswitch.errors import PeerError
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, accept_answer, make_answer, make_offer

OURS = LocalMedia("192.0.2.1", 4000, 1, 1, comfort_noise=True)
PLAIN = LocalMedia("192.0.2.1", 4000, 1, 1)
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"


def theirs(formats: str, lines: str = "") -> SessionDescription:
    return SessionDescription.parse((HEAD + f"m=audio 5004 RTP/AVP {formats}\r\n" + lines).encode())


def test_our_offer_has_it_last() -> None:
    text = make_offer(OURS).serialise().decode()
    assert "m=audio 4000 RTP/AVP 0 8 101 13\r\n" in text and "a=rtpmap:13 CN/8000\r\n" in text
    assert "13" not in make_offer(PLAIN).media[0].formats


@pytest.mark.parametrize(
    ("formats", "lines", "agreed"),
    [
        ("0 13", "", True),
        ("0 13 101", "a=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\n", True),
        ("0 13", "a=rtpmap:13 cn/8000/1\r\n", True),
        ("0 13", "a=rtpmap:13 CN/16000\r\n", False),
        ("0", "", False),
    ],
)
def test_offer_and_answer(formats: str, lines: str, agreed: bool) -> None:
    answer, negotiated = make_answer(theirs(formats, lines), OURS)
    assert negotiated.comfort_noise is agreed and ("13" in answer.media[0].formats) is agreed
    assert not make_answer(theirs(formats, lines), PLAIN)[1].comfort_noise
    assert accept_answer(make_offer(OURS), theirs(formats, lines)).comfort_noise is agreed
    assert not accept_answer(make_offer(PLAIN), theirs(formats, lines)).comfort_noise


def test_noise_alone_is_no_audio() -> None:
    with pytest.raises(PeerError):
        make_answer(theirs("13"), OURS)
