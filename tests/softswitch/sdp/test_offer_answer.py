"""Offer and answer: tables after RFC 3264, RFC 4317 and the field, and properties over generated sessions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import (
    PCMA,
    PCMU,
    Codec,
    Direction,
    LocalMedia,
    accept_answer,
    make_answer,
    make_offer,
)

OURS = LocalMedia("192.0.2.50", 40000, 7, 1)


def session(*media: str, address: str = "192.0.2.9", version: int = 1) -> SessionDescription:
    """A description of m= and a= lines; each text is one section, lines separated by '|'."""
    family = "IP6" if ":" in address else "IP4"
    text = f"v=0\r\no=- 5 {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n"
    for section in media:
        text += "".join(line + "\r\n" for line in section.split("|"))
    return SessionDescription.parse(text.encode())


def test_our_offer_as_text() -> None:
    assert make_offer(OURS).serialise().decode().split("\r\n") == [
        "v=0",
        "o=- 7 1 IN IP4 192.0.2.50",
        "s=-",
        "c=IN IP4 192.0.2.50",
        "t=0 0",
        "m=audio 40000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-xr:voip-metrics",
        "",
    ]


def test_rfc_4317_2_1_audio_and_video_one_codec_each() -> None:
    offer = session(
        "m=audio 49170 RTP/AVP 0 8 97|a=rtpmap:0 PCMU/8000|a=rtpmap:8 PCMA/8000|a=rtpmap:97 iLBC/8000",
        "m=video 51372 RTP/AVP 31 32|a=rtpmap:31 H261/90000|a=rtpmap:32 MPV/90000",
    )
    answer, media = make_answer(offer, OURS)
    audio, video = answer.media
    assert (audio.kind, audio.port, audio.formats) == ("audio", 40000, ("0",))
    assert (video.kind, video.port, video.formats) == ("video", 0, ("31",))
    assert (media.address, media.port, media.rtcp_port) == ("192.0.2.9", 49170, 49171)
    assert (media.codec, media.payload_type, media.event_payload_type) == ("PCMU", 0, None)
    assert (media.send, media.receive, media.held) == (True, True, False)


def test_rfc_4317_2_4_two_audio_streams_the_second_for_events_alone() -> None:
    offer = session(
        "m=audio 49170 RTP/AVP 0 97|a=rtpmap:0 PCMU/8000|a=rtpmap:97 iLBC/8000",
        "m=audio 49172 RTP/AVP 98|a=rtpmap:98 telephone-event/8000|a=sendonly",
    )
    answer, media = make_answer(offer, OURS)
    assert [m.port for m in answer.media] == [40000, 0]
    assert media.event_payload_type is None


@pytest.mark.parametrize(
    ("section", "codec", "payload_type", "events", "ptime_ms"),
    [
        ("m=audio 4000 RTP/AVP 8 0", "PCMA", 8, None, 20),
        (
            "m=audio 4000 RTP/AVP 96 101|a=rtpmap:96 pcmu/8000|a=rtpmap:101 telephone-event/8000",
            "PCMU",
            96,
            101,
            20,
        ),
        ("m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/8000|a=fmtp:96 0-15", "PCMU", 0, 96, 20),
        ("m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/8000|a=fmtp:96 0-5", "PCMU", 0, None, 20),
        ("m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/16000", "PCMU", 0, None, 20),
        (
            "m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/8000|a=fmtp:96 " + "99," * 5000 + "0-15",
            "PCMU",
            0,
            None,
            20,
        ),
        (
            "m=audio 4000 RTP/AVP 9 0 96 97|a=rtpmap:97 telephone-event/8000|a=rtpmap:96 telephone-event/9",
            "PCMU",
            0,
            97,
            20,
        ),
        ("m=audio 4000 RTP/AVP 18 4 8|a=ptime:30", "PCMA", 8, None, 30),
        ("m=audio 4000 RTP/AVP 0|a=ptime:40|a=maxptime:30", "PCMU", 0, None, 30),
        ("m=audio 4000 RTP/AVP 0|a=ptime:bogus|a=maxptime:99999", "PCMU", 0, None, 20),
        (
            "m=audio 4000 RTP/AVP 0 0 999 x 8|a=rtpmap:0|a=rtpmap:x y/z|a=rtpmap:8 PCMA/8000/1",
            "PCMU",
            0,
            None,
            20,
        ),
        ("m=audio 4000 RTP/AVPF 0", "PCMU", 0, None, 20),
    ],
)
def test_codec_events_and_packet_time_of_an_offer(
    section: str, codec: str, payload_type: int, events: int | None, ptime_ms: int
) -> None:
    answer, media = make_answer(session(section), OURS)
    assert (media.codec, media.payload_type, media.event_payload_type) == (codec, payload_type, events)
    assert media.ptime_ms == ptime_ms
    expected = [str(payload_type)] if events is None else [str(payload_type), str(events)]
    assert list(answer.media[0].formats) == expected
    assert answer.media[0].protocol == session(section).media[0].protocol


def test_an_answer_lists_the_events_that_both_have() -> None:
    offer = session("m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/8000|a=fmtp:96 0-11,16,66")
    answer, _ = make_answer(offer, OURS)
    assert answer.media[0].attribute("fmtp") == "96 0-11,16"


def test_our_preference_goes_before_the_offers_order() -> None:
    offer = session("m=audio 4000 RTP/AVP 0 8")
    assert make_answer(offer, OURS, ("G722", "PCMA", "PCMU"))[1].codec == "PCMA"
    assert make_answer(offer, OURS, ("G722",))[1].codec == "PCMU"


def test_without_events_of_ours_none_are_agreed() -> None:
    local = LocalMedia("192.0.2.50", 40000, 7, 1, event_payload_type=None)
    offer = session("m=audio 4000 RTP/AVP 0 96|a=rtpmap:96 telephone-event/8000")
    answer, media = make_answer(offer, local)
    assert media.event_payload_type is None
    assert answer.media[0].formats == ("0",)


@pytest.mark.parametrize(
    ("sections", "culprit"),
    [
        ((), "no audio"),
        (("m=video 4000 RTP/AVP 31",), "no audio"),
        (("m=audio 0 RTP/AVP 0",), "no audio"),
        (("m=audio 4000 RTP/SAVP 0",), "SRTP"),
        (("m=audio 4000 UDP/TLS/RTP/SAVPF 0",), "no audio"),
        (("m=audio 4000 RTP/AVP 18 9",), "no codec in common"),
        (("m=audio 4000 RTP/AVP 0|a=rtpmap:0 PCMU/16000",), "no codec in common"),
        (("m=audio 4000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000",), "no codec in common"),
        (("m=audio 4000 RTP/AVP 0|c=IN IP6 2001:db8::1",), "IPv4"),
        (("m=audio 4000 RTP/AVP 0|c=IN IP4 224.2.1.1/127",), "no address"),
        (("m=audio 4000 RTP/AVP 0|c=IN IP4 224.2.1.1",), "no address"),
        (("m=audio 4000 RTP/AVP 0|c=IN IP4 255.255.255.255",), "no address"),
        (("m=audio 4000 RTP/AVP 0|c=IN IP4 phone.example.org",), "no address"),
    ],
)
def test_what_has_no_usable_audio_is_488_and_says_why(sections: tuple[str, ...], culprit: str) -> None:
    with pytest.raises(PeerError) as caught:
        make_answer(session(*sections), OURS)
    assert caught.value.status == 488
    (name, warning) = caught.value.headers[0]
    assert name == "Warning"
    assert culprit in warning


def test_the_next_audio_line_is_taken_when_the_first_does_not_fit() -> None:
    offer = session(
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 4002 RTP/AVP 0|c=IN IP6 2001:db8::1",
        "m=audio 4004 RTP/AVP 18",
        "m=audio 4006 RTP/AVP 8",
        "m=audio 4008 RTP/AVP 8",
    )
    answer, media = make_answer(offer, OURS)
    assert [m.port for m in answer.media] == [0, 0, 0, 40000, 0]
    assert [m.protocol for m in answer.media] == [m.protocol for m in offer.media]
    assert (media.codec, media.port) == ("PCMA", 4006)


# offered, ours -> answered, send, receive, held
DIRECTIONS: list[tuple[str, Direction, str, bool, bool, bool]] = [
    ("sendrecv", "sendrecv", "sendrecv", True, True, False),
    ("sendrecv", "sendonly", "sendonly", True, False, False),
    ("sendrecv", "recvonly", "recvonly", False, True, False),
    ("sendrecv", "inactive", "inactive", False, False, False),
    ("sendonly", "sendrecv", "recvonly", False, True, True),
    ("sendonly", "sendonly", "inactive", False, False, True),
    ("recvonly", "sendrecv", "sendonly", True, False, False),
    ("recvonly", "recvonly", "inactive", False, False, False),
    ("inactive", "sendrecv", "inactive", False, False, True),
    ("inactive", "sendonly", "inactive", False, False, True),
]


@pytest.mark.parametrize(("offered", "ours", "answered", "send", "receive", "held"), DIRECTIONS)
@pytest.mark.parametrize("level", ["media", "session"])
def test_directions_of_an_offer_are_mirrored(
    level: str, offered: str, ours: Direction, answered: str, send: bool, receive: bool, held: bool
) -> None:
    if level == "media":
        offer = session(f"m=audio 4000 RTP/AVP 0|a={offered}")
    else:
        text = (
            session("m=audio 4000 RTP/AVP 0").serialise().replace(b"t=0 0", f"t=0 0\r\na={offered}".encode())
        )
        offer = SessionDescription.parse(text)
    answer, media = make_answer(offer, LocalMedia("192.0.2.50", 40000, 7, 2, direction=ours))
    assert answer.media[0].attributes[-1] == (answered, None)
    assert (media.send, media.receive, media.held) == (send, receive, held)


@pytest.mark.parametrize("address", ["0.0.0.0", "0000.invalid"])
def test_hold_of_old_by_address(address: str) -> None:
    offer = session(f"m=audio 4000 RTP/AVP 0|c=IN {'IP4' if address == '0.0.0.0' else 'IP6'} {address}")
    answer, media = make_answer(offer, OURS)
    assert (media.address, media.send, media.receive, media.held) == ("0.0.0.0", False, True, True)
    assert answer.media[0].attribute("recvonly") == ""


@pytest.mark.parametrize(
    ("lines", "rtcp_port"),
    [
        ("m=audio 4000 RTP/AVP 0", 4001),
        ("m=audio 65535 RTP/AVP 0", 0),
        ("m=audio 4000 RTP/AVP 0|a=rtcp:53020", 53020),
        ("m=audio 4000 RTP/AVP 0|a=rtcp:53020 IN IP4 192.0.2.77", 53020),
        ("m=audio 4000 RTP/AVP 0|a=rtcp:99999", 4001),
        ("m=audio 4000 RTP/AVP 0|a=rtcp-mux", 4001),
    ],
)
def test_rtcp_port(lines: str, rtcp_port: int) -> None:
    answer, media = make_answer(session(lines), OURS)
    assert media.rtcp_port == rtcp_port
    assert media.rtcp_mux == ("rtcp-mux" in lines) == (answer.media[0].attribute("rtcp-mux") is not None)


def test_what_the_peer_says_of_rtcp() -> None:
    plain = "m=audio 4000 RTP/AVP 0"
    answer, media = make_answer(session(plain), OURS)
    assert (media.rtcp_mux, media.rtcp_xr, media.rtcp_reduced) == (False, False, False)
    assert not [name for name, _ in answer.media[0].attributes if name.startswith("rtcp")]
    full = plain + "|a=rtcp-mux|a=rtcp-rsize|a=rtcp-xr:rcvr-rtt=all voip-metrics"
    answer, media = make_answer(session(full), OURS)
    assert (media.rtcp_mux, media.rtcp_xr, media.rtcp_reduced) == (True, True, True)
    assert answer.media[0].attribute("rtcp-xr") == "voip-metrics"
    assert accept_answer(make_offer(OURS), session(full)).rtcp_mux
    assert not accept_answer(make_offer(OURS), session(plain)).rtcp_mux


def test_ipv6_meets_ipv6() -> None:
    local = LocalMedia("2001:db8::50", 40000, 7, 1)
    answer, media = make_answer(session("m=audio 4000 RTP/AVP 0", address="2001:db8::9"), local)
    assert media.address == "2001:db8::9"
    assert b"c=IN IP6 2001:db8::50\r\n" in answer.serialise()


BOTH = LocalMedia("192.0.2.50", 40000, 7, 1, other_address="2001:db8::50")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("192.0.2.9", "IP4 192.0.2.50"), ("2001:db8::9", "IP6 2001:db8::50")]
)
def test_an_answer_is_in_the_family_of_its_offer(theirs: str, ours: str) -> None:
    answer, media = make_answer(session("m=audio 4000 RTP/AVP 0", address=theirs), BOTH)
    assert media.address == theirs
    text = answer.serialise().decode()
    assert f"o=- 7 1 IN {ours}\r\n" in text and f"c=IN {ours}\r\n" in text
    of_its_own, _ = make_answer(session(f"m=audio 4000 RTP/AVP 0|c=IN {ours[:3]} {theirs}"), BOTH)
    assert of_its_own.connection == ours[4:], "the section's own address counts"


def test_hold_in_either_family_is_answered_in_it() -> None:
    for nowhere, ours in (("0.0.0.0", "192.0.2.50"), ("::", "2001:db8::50")):
        answer, media = make_answer(session("m=audio 4000 RTP/AVP 0", address=nowhere), BOTH)
        assert (answer.connection, media.held) == (ours, True)


@pytest.mark.parametrize(
    ("peer", "ours"),
    [("192.0.2.9", "192.0.2.50"), ("2001:db8::9", "2001:db8::50"), ("sip.example.com", "192.0.2.50")],
)
def test_an_offer_is_in_the_family_of_whoever_gets_it(peer: str, ours: str) -> None:
    assert make_offer(BOTH.facing(peer)).connection == ours
    assert BOTH.facing(peer).facing("192.0.2.1") == BOTH


def test_a_family_that_we_have_no_address_of_is_refused_with_the_reason() -> None:
    with pytest.raises(PeerError) as refused:
        make_answer(session("m=audio 4000 RTP/AVP 0", address="2001:db8::9"), OURS)
    assert "audio goes over IPv4 here" in str(refused.value.headers)
    with pytest.raises(PeerError) as refused:
        make_answer(session("m=audio 4000 RTP/AVP 0"), LocalMedia("2001:db8::50", 40000, 7, 1))
    assert "audio goes over IPv6 here" in str(refused.value.headers)


@pytest.mark.parametrize(
    ("section", "codec", "payload_type", "events", "send", "receive", "held"),
    [
        ("m=audio 5000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000", "PCMU", 0, 101, True, True, False),
        ("m=audio 5000 RTP/AVP 8", "PCMA", 8, None, True, True, False),
        ("m=audio 5000 RTP/AVP 8 0", "PCMA", 8, None, True, True, False),
        # Other payload types than we offered: 6.1, to each side its own numbers.
        (
            "m=audio 5000 RTP/AVP 99 96|a=rtpmap:99 PCMA/8000|a=rtpmap:96 telephone-event/8000",
            "PCMA",
            99,
            96,
            True,
            True,
            False,
        ),
        ("m=audio 5000 RTP/AVP 18 0", "PCMU", 0, None, True, True, False),
        ("m=audio 5000 RTP/AVP 0|a=recvonly", "PCMU", 0, None, True, False, False),
        ("m=audio 5000 RTP/AVP 0|a=sendonly", "PCMU", 0, None, False, True, True),
        ("m=audio 5000 RTP/AVP 0|a=inactive", "PCMU", 0, None, False, False, True),
        ("m=audio 5000 RTP/AVP 0|c=IN IP4 0.0.0.0", "PCMU", 0, None, False, True, True),
    ],
)
def test_answers_to_our_offer(
    section: str, codec: str, payload_type: int, events: int | None, send: bool, receive: bool, held: bool
) -> None:
    media = accept_answer(make_offer(OURS), session(section))
    assert (media.codec, media.payload_type, media.event_payload_type) == (codec, payload_type, events)
    assert (media.send, media.receive, media.held) == (send, receive, held)
    assert media.port == 5000


def test_a_dynamic_type_that_the_answer_does_not_explain_means_what_we_offered() -> None:
    local = LocalMedia("192.0.2.50", 40000, 7, 1, codecs=(Codec("PCMA", 98), PCMU))
    assert accept_answer(make_offer(local), session("m=audio 5000 RTP/AVP 98")).codec == "PCMA"


def test_our_hold_is_not_the_peers() -> None:
    offer = make_offer(LocalMedia("192.0.2.50", 40000, 7, 2, direction="sendonly"))
    media = accept_answer(offer, session("m=audio 5000 RTP/AVP 0|a=recvonly"))
    assert (media.send, media.receive, media.held) == (True, False, False)
    # A peer that ignores our hold and says sendrecv still sends in vain.
    assert not accept_answer(offer, session("m=audio 5000 RTP/AVP 0")).receive
    offer = make_offer(LocalMedia("192.0.2.50", 40000, 7, 2, direction="inactive"))
    assert not accept_answer(offer, session("m=audio 5000 RTP/AVP 0|a=inactive")).held


@pytest.mark.parametrize(
    "sections",
    [
        (),
        ("m=audio 0 RTP/AVP 0",),
        ("m=video 5000 RTP/AVP 31",),
        ("m=audio 5000 RTP/SAVP 0",),
        ("m=audio 5000 RTP/AVP 18",),
        ("m=audio 5000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000",),
        ("m=audio 5000 RTP/AVP 0|c=IN IP6 2001:db8::1",),
    ],
)
def test_answers_that_leave_us_without_audio_are_488(sections: tuple[str, ...]) -> None:
    with pytest.raises(PeerError) as caught:
        accept_answer(make_offer(OURS), session(*sections))
    assert caught.value.status == 488


def test_a_new_offer_keeps_the_places_of_the_session() -> None:
    offer = session("m=video 4000 RTP/AVP 31", "m=audio 4002 RTP/AVPF 8", "m=application 4004 UDP wb")
    answer, _ = make_answer(offer, OURS)
    again = make_offer(LocalMedia("192.0.2.50", 40000, 7, 2, direction="sendonly"), answer)
    assert [(m.kind, m.port, m.protocol) for m in again.media] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 40000, "RTP/AVPF"),
        ("application", 0, "UDP"),
    ]
    theirs = session("m=video 0 RTP/AVP 31", "m=audio 4002 RTP/AVPF 8|a=recvonly", "m=application 0 UDP wb")
    assert accept_answer(again, theirs).codec == "PCMA"


def test_the_answers_time_is_the_offers() -> None:
    text = session("m=audio 4000 RTP/AVP 0").serialise().replace(b"t=0 0", b"t=3034423619 0")
    answer, _ = make_answer(SessionDescription.parse(text), OURS)
    assert answer.lines == (("t", "3034423619 0"),)


LOCALS = st.builds(
    LocalMedia,
    address=st.just("192.0.2.1") | st.just("192.0.2.2"),
    port=st.integers(1, 32767).map(lambda n: n * 2),
    session_id=st.integers(0, 2**31),
    version=st.integers(0, 2**31),
    direction=st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
    codecs=st.permutations([PCMU, PCMA]).map(tuple),
    event_payload_type=st.none() | st.integers(96, 127),
    ptime_ms=st.sampled_from([10, 20, 30]),
)


@given(offerer=LOCALS, answerer=LOCALS, prefer=st.permutations(["PCMU", "PCMA"]))
def test_both_sides_agree_on_what_was_negotiated(
    offerer: LocalMedia, answerer: LocalMedia, prefer: list[str]
) -> None:
    offer = SessionDescription.parse(make_offer(offerer).serialise())
    answer, theirs = make_answer(offer, answerer, prefer)
    ours = accept_answer(offer, SessionDescription.parse(answer.serialise()))
    assert (ours.codec, ours.payload_type) == (theirs.codec, theirs.payload_type)
    assert ours.event_payload_type == theirs.event_payload_type
    assert ours.codec == prefer[0]
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    assert (ours.address, ours.port) == (answerer.address, answerer.port)
    assert (theirs.address, theirs.port) == (offerer.address, offerer.port)


SECTION = st.builds(
    "m={} {} {} {}|{}".format,
    st.sampled_from(["audio", "audio", "video", "text"]),
    st.sampled_from([0, 4000, 65535]),
    st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVP", "RTP/AVPF", "udp"]),
    st.lists(st.sampled_from(["0", "8", "9", "18", "96", "101", "200", "*"]), min_size=1).map(" ".join),
    st.lists(
        st.sampled_from(
            [
                "a=rtpmap:96 PCMU/8000",
                "a=rtpmap:101 telephone-event/8000",
                "a=fmtp:101 0-16",
                "a=fmtp:101 ,-,9-1,0-99999999999",
                "a=rtpmap:96 telephone-event/8000/x",
                "a=sendonly",
                "a=inactive",
                "a=ptime:0",
                "a=rtcp:",
                "c=IN IP4 0.0.0.0",
                "c=IN IP6 ::",
                "c=IN IP4 a.b",
            ]
        ),
        min_size=1,
        max_size=6,
    ).map("|".join),
)


@given(st.lists(SECTION, max_size=5))
def test_an_answer_mirrors_the_offer_or_refuses_it(sections: list[str]) -> None:
    offer = session(*sections)
    try:
        answer, media = make_answer(offer, OURS)
    except PeerError as error:
        assert error.status == 488
        return
    assert [m.kind for m in answer.media] == [m.kind for m in offer.media]
    assert [m.protocol for m in answer.media] == [m.protocol for m in offer.media]
    assert sum(m.port != 0 for m in answer.media) == 1
    assert media.codec in ("PCMU", "PCMA")
    accepted = next(i for i, m in enumerate(answer.media) if m.port)
    assert set(answer.media[accepted].formats) <= set(offer.media[accepted].formats)
