"""Codecs with a clock and parameters of their own: Opus (RFC 7587), and keys beside it (RFC 4733)."""

import msgspec
import pytest

from softswitch.sdp.codecs import PCMU, Codec, codecs_of, events_for
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, accept_answer, make_answer, make_offer

OPUS = Codec("opus", 107, 48000, 2, "useinbandfec=1", 60)
G722 = Codec("G722", 9, 8000, 1, "", 60)


def session(*lines: str) -> SessionDescription:
    head = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0")
    return SessionDescription.parse("\r\n".join((*head, *lines, "")).encode())


def local(*codecs: Codec) -> LocalMedia:
    return LocalMedia("192.0.2.50", 40000, 7, 1, codecs=codecs)


def test_our_offer_of_opus() -> None:
    audio = make_offer(local(OPUS, G722, PCMU)).media[0]
    assert audio.formats == ("107", "9", "0", "101", "102")
    assert [value for name, value in audio.attributes if name in ("rtpmap", "fmtp", "maxptime")] == [
        "107 opus/48000/2",
        "107 useinbandfec=1",
        "9 G722/8000",
        "0 PCMU/8000",
        "101 telephone-event/8000",
        "101 0-16",
        "102 telephone-event/48000",
        "102 0-16",
        "60",
    ]


def test_an_answer_has_their_number_and_our_parameters() -> None:
    offer = session(
        "m=audio 4000 RTP/AVP 96 0 97 98",
        "a=rtpmap:96 OPUS/48000/2",
        "a=fmtp:96 maxaveragebitrate=20000; usedtx=1",
        "a=rtpmap:97 telephone-event/8000",
        "a=rtpmap:98 telephone-event/48000",
    )
    answer, agreed = make_answer(offer, local(PCMU, OPUS), ["opus"])
    assert (agreed.codec, agreed.payload_type) == ("OPUS", 96)
    assert agreed.fmtp == "maxaveragebitrate=20000; usedtx=1"
    assert (agreed.event_payload_type, agreed.event_clock_hz) == (98, 48000)
    audio = answer.media[0]
    assert audio.formats == ("96", "98")
    assert {("rtpmap", "96 opus/48000/2"), ("fmtp", "96 useinbandfec=1")} <= set(audio.attributes)
    assert ("rtpmap", "98 telephone-event/48000") in audio.attributes


def test_keys_of_8_khz_beside_opus_are_better_than_none() -> None:
    offer = session(
        "m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000"
    )
    answer, agreed = make_answer(offer, local(OPUS))
    assert (agreed.event_payload_type, agreed.event_clock_hz) == (101, 8000)
    assert ("rtpmap", "101 telephone-event/8000") in answer.media[0].attributes


@pytest.mark.parametrize(("clock", "number"), [(8000, 101), (48000, 102)])
def test_an_answer_to_our_offer_of_opus(clock: int, number: int) -> None:
    offer = make_offer(local(OPUS, PCMU))
    answer = session(
        f"m=audio 5000 RTP/AVP 107 {number}",
        "a=rtpmap:107 opus/48000/2",
        "a=fmtp:107 useinbandfec=1;stereo=0",
        f"a=rtpmap:{number} telephone-event/{clock}",
    )
    agreed = accept_answer(offer, answer)
    assert (agreed.codec, agreed.fmtp) == ("OPUS", "useinbandfec=1;stereo=0")
    assert (agreed.event_payload_type, agreed.event_clock_hz) == (number, clock)


def test_the_numbers_of_events_are_free_ones() -> None:
    codecs = [
        msgspec.structs.replace(OPUS, payload_type=102),
        msgspec.structs.replace(OPUS, clock_rate=16000),
    ]
    numbers = [PCMU.payload_type, *(one.payload_type for one in codecs)]
    found = [one.payload_type for one in events_for(codecs, 101)]
    assert len(found) == 3 and not set(found) & set(numbers)
    assert events_for(codecs, None) == []


def test_parameters_from_the_network_are_bounded() -> None:
    media = session(
        "m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 " + "a=b;" * 1000
    ).media[0]
    assert codecs_of(media) == [Codec("opus", 96, 48000, 2)]
