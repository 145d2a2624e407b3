"""Ports, descriptions and commands of legs, without a worker."""

import itertools
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from media import messages as m
from softswitch.call.events import Media
from softswitch.call.leg import Leg, LegState
from softswitch.call.media import MediaPlane
from softswitch.errors import LocalError, PeerError
from softswitch.sdp.crypto import SUITES, Crypto, SrtpPolicy, crypto_of
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import PCMA, PCMU, LocalMedia, accept_answer, make_answer, make_offer
from softswitch.sip.flow import Flow, Transport
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri

FLOW = Flow("udp", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
QUALITY = m.Quality(100, 100, 1, 2.0, 3.0)
THEIRS = LocalMedia("10.0.0.2", 4000, 1, 1)


def secrets_of_no_worth() -> Callable[[], str]:
    return (f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in itertools.count(1)).__next__


def leg(number: int = 1, body: bytes = b"") -> Leg:
    request = Request("INVITE", Uri("sip", "600", None, "x"), (), body)
    return Leg(number, "in", request, FLOW, LegState.INCOMING, "tag")


def plane(*workers: int) -> MediaPlane:
    made = MediaPlane(secrets_of_no_worth())
    for worker in workers or (1,):
        made.worker_ready(worker)
    return made


def ready(on: MediaPlane, one: Leg) -> Leg:
    """The leg with its port."""
    on.allocate(one, on.choose(), (PCMU, PCMA), "10.0.0.2")
    on.allocated(one, m.Allocated(one.id, "10.0.0.1", 20000 + 2 * one.id))
    return one


def commands(effects: list[Media]) -> list[m.Command]:
    return [effect.command for effect in effects]


def test_the_worker_with_the_fewest_legs() -> None:
    media = plane(1, 2)
    legs = [leg(number) for number in range(6)]
    for each in legs:
        ready(media, each)
    assert media.workers == {1: 3, 2: 3}
    for each in legs[:3]:
        media.release(each)
        media.released(m.Released(each.id, QUALITY))
    assert sum(media.workers.values()) == 3 and legs[0].audio is not None
    assert legs[0].audio.quality == QUALITY


def test_without_a_worker() -> None:
    with pytest.raises(PeerError, match="503"):
        MediaPlane(secrets_of_no_worth()).choose()


def test_a_leg_is_released_once() -> None:
    media = plane()
    one = ready(media, leg())
    assert commands(media.release(one)) == [m.Release(1)]
    assert media.release(one) == [] and media.release(leg(2)) == []
    assert media.released(m.Released(1, QUALITY)) is one
    assert media.released(m.Released(1, QUALITY)) is None and media.leg(1) is None


def test_a_lost_worker_takes_its_legs_along() -> None:
    media = plane(1, 2)
    one, other = ready(media, leg(1)), ready(media, leg(2))
    assert one.audio is not None and other.audio is not None
    lost = media.worker_lost(one.audio.worker)
    assert lost == [one] and media.release(one) == []
    assert media.workers == {other.audio.worker: 1}
    assert media.worker_lost(99) == []


def test_an_offer_is_answered_and_the_worker_told() -> None:
    media = plane()
    one = ready(media, leg())
    body, effects = media.answer(one, make_offer(THEIRS).serialise())
    answer = SessionDescription.parse(body)
    assert answer.media[0].port == 20002
    (remote,) = commands(effects)
    assert isinstance(remote, m.SetRemote)
    assert (remote.address, remote.port, remote.codec) == ("10.0.0.2", 4000, "PCMU")
    assert remote.send and remote.receive and remote.event_payload_type == 101


def test_our_offer_is_answered() -> None:
    media = plane()
    one = ready(media, leg())
    offer = SessionDescription.parse(media.offer(one))
    answer, _ = make_answer(offer, THEIRS, ["PCMA"])
    (remote,) = commands(media.accept(one, answer.serialise()))
    assert isinstance(remote, m.SetRemote) and remote.codec == "PCMA"


V6 = ("2001:db8::1", "2001:db8::2")
THEIRS_V6 = LocalMedia("2001:db8::2", 4000, 1, 1)


@pytest.mark.parametrize("signalling", ["10.0.0.2", "2001:db8::2"])
def test_our_offer_is_in_the_family_of_the_signalling(signalling: str) -> None:
    media = plane()
    one = leg()
    one.flow = Flow("udp", FLOW.local, (signalling, 5060))
    media.allocate(one, 1, (PCMU,), signalling)
    media.allocated(one, m.Allocated(1, "10.0.0.1", 20000, "", V6[0]))
    offer = SessionDescription.parse(media.offer(one))
    assert offer.connection == (V6[0] if ":" in signalling else "10.0.0.1")


def test_later_offers_stay_in_the_family_of_the_session_even_on_hold() -> None:
    """A phone that signals over IPv4 and speaks over IPv6."""
    media = plane()
    one = leg()
    media.allocate(one, 1, (PCMU,), V6[1])
    media.allocated(one, m.Allocated(1, "10.0.0.1", 20000, "", V6[0]))
    body, effects = media.answer(one, make_offer(THEIRS_V6).serialise())
    assert SessionDescription.parse(body).connection == V6[0]
    (remote,) = commands(effects)
    assert isinstance(remote, m.SetRemote) and (remote.address, remote.port) == (V6[1], 4000)
    held = LocalMedia("::", 4000, 1, 2)
    assert SessionDescription.parse(media.answer(one, make_offer(held).serialise())[0]).connection == V6[0]
    assert SessionDescription.parse(media.offer(one)).connection == V6[0]
    moved = LocalMedia("10.0.0.2", 4000, 1, 3)
    body, _ = media.answer(one, make_offer(moved).serialise())
    assert SessionDescription.parse(body).connection == "10.0.0.1"
    assert SessionDescription.parse(media.offer(one)).connection == "10.0.0.1"


def test_a_worker_on_ipv6_alone_describes_itself_so() -> None:
    media = plane()
    one = leg()
    media.allocate(one, 1, (PCMU,), V6[1])
    media.allocated(one, m.Allocated(1, "", 20000, "", V6[0]))
    with pytest.raises(PeerError, match="488"):
        media.answer(one, make_offer(THEIRS).serialise())
    assert (
        SessionDescription.parse(media.answer(one, make_offer(THEIRS_V6).serialise())[0]).connection == V6[0]
    )


def test_each_further_description_has_the_next_version() -> None:
    media = plane()
    one = ready(media, leg())
    offer = make_offer(THEIRS).serialise()
    versions = [SessionDescription.parse(media.answer(one, offer)[0]).origin.version for _ in range(2)]
    held = LocalMedia("10.0.0.2", 4000, 1, 2, direction="sendonly")
    versions.append(
        SessionDescription.parse(media.answer(one, make_offer(held).serialise())[0]).origin.version
    )
    assert [int(version) for version in versions] == sorted({int(version) for version in versions})
    assert one.audio is not None and one.audio.held


@pytest.mark.parametrize(
    "body", [b"", b"v=0", b"\xff\xfe", b"v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\nm=video 1 RTP/AVP 31\r\n"]
)
def test_what_cannot_be_agreed_changes_nothing(body: bytes) -> None:
    media = plane()
    one = ready(media, leg())
    media.answer(one, make_offer(THEIRS).serialise())
    assert one.audio is not None
    before = (one.audio.agreed, one.audio.sent, one.audio.held)
    with pytest.raises(PeerError):
        media.answer(one, body)
    with pytest.raises(PeerError):
        media.accept(one, body)
    assert (one.audio.agreed, one.audio.sent, one.audio.held) == before


def test_a_port_is_asked_for_with_what_the_offer_tells() -> None:
    media = plane()
    (known,) = commands(media.allocate_for_offer(leg(1, make_offer(THEIRS).serialise()), 1, (PCMU,)))
    assert known == m.Allocate(1, "10.0.0.2", 4000)
    (late,) = commands(media.allocate_for_offer(leg(2), 1, (PCMU,)))
    assert late == m.Allocate(2, "10.0.0.2", 0)
    with pytest.raises(PeerError):
        media.allocate_for_offer(leg(3, b"nonsense"), 1, (PCMU,))
    assert media.leg(3) is None and media.workers == {1: 2}


def test_plays_are_told_apart_and_ended_by_a_bridge() -> None:
    media = plane()
    one, other = ready(media, leg(1)), ready(media, leg(2))
    assert media.stop(one) == [], "nothing plays"
    media.play(one, ("/a.wav",))
    assert one.audio is not None
    first = one.audio.play
    media.play(one, ("/b.wav",), loop=True)
    assert one.audio.play != first
    assert commands(media.connect(one, other)) == [m.Connect(1, 2)]
    assert media.stop(one) == [], "the bridge has ended it"


def test_no_description_without_a_port() -> None:
    media = plane()
    one = leg()
    with pytest.raises(LocalError):
        media.offer(one)
    media.allocate(one, 1, (PCMU,), "")
    with pytest.raises(LocalError):
        media.offer(one)
    media.allocated(one, m.Allocated(1, "10.0.0.1", 20002))
    with pytest.raises(LocalError, match="without an offer"):
        media.accept(one, make_offer(THEIRS).serialise())


# ----- browsers

CHROMIUM = (Path(__file__).parents[1] / "sdp" / "chromium.sdp").read_bytes()


def browser(on: MediaPlane, one: Leg) -> m.Allocate:
    """A caller in a browser, with his port."""
    (command,) = commands(on.allocate_for_offer(one, on.choose(), (PCMU, PCMA)))
    assert isinstance(command, m.Allocate)
    on.allocated(one, m.Allocated(one.id, "10.0.0.1", 20000, "sha-256 " + ":".join(["0F"] * 32)))
    return command


def settled(effects: list[Media]) -> m.Browser:
    (command,) = commands(effects)
    assert isinstance(command, m.SetRemote) and command.browser is not None
    return command.browser


def test_a_browsers_leg_has_the_credentials_that_are_told_to_it() -> None:
    media, one = plane(), leg(body=CHROMIUM)
    asked = browser(media, one)
    assert asked.ice is not None and len(asked.ice.password) >= 22
    answer, effects = media.answer(one, CHROMIUM)
    told = settled(effects)
    assert told.ice == asked.ice and told.client is False
    assert f"a=ice-ufrag:{asked.ice.ufrag}\r\na=ice-pwd:{asked.ice.password}\r\n".encode() in answer


def test_an_ice_restart_is_answered_with_others_and_anything_else_with_the_same() -> None:
    """RFC 8839 4.4.1.1.1; and RFC 8842 5.5: who begins DTLS stays as it was."""
    media, one = plane(), leg(body=CHROMIUM)
    asked = browser(media, one)
    media.answer(one, CHROMIUM)
    assert settled(media.answer(one, CHROMIUM)[1]).ice == asked.ice
    again = CHROMIUM.replace(b"f5De", b"f5Df")
    body, effects = media.answer(one, again)
    restarted = settled(effects)
    assert asked.ice is not None
    assert restarted.ice.ufrag != asked.ice.ufrag and restarted.ice.password != asked.ice.password
    assert restarted.ice.password.encode() in body
    assert settled(media.answer(one, again)[1]).ice == restarted.ice


def test_an_offer_that_is_refused_restarts_nothing() -> None:
    media, one = plane(), leg(body=CHROMIUM)
    asked = browser(media, one)
    media.answer(one, CHROMIUM)
    with pytest.raises(PeerError, match="488"):
        media.answer(one, CHROMIUM.replace(b"f5De", b"f5Df").replace(b"a=rtcp-mux\n", b""))
    assert settled(media.answer(one, CHROMIUM)[1]).ice == asked.ice


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_who_came_by_a_websocket_is_offered_what_a_browser_needs(transport: Transport) -> None:
    media, one = plane(), leg()
    one.flow = msgspec.structs.replace(FLOW, transport=transport)
    (asked,) = commands(media.allocate(one, media.choose(), (PCMU, PCMA), "10.0.0.2"))
    assert isinstance(asked, m.Allocate) and asked.ice is not None
    media.allocated(one, m.Allocated(one.id, "10.0.0.1", 20000, "sha-256 " + ":".join(["0F"] * 32)))
    offer = media.offer(one)
    assert b"UDP/TLS/RTP/SAVPF" in offer and asked.ice.password.encode() in offer
    with pytest.raises(PeerError, match="488"):
        media.accept(one, make_answer(make_offer(THEIRS), THEIRS)[0].serialise())


# ----- encryption


def secure_plane() -> MediaPlane:
    made = MediaPlane(secrets_of_no_worth(), SUITES)
    made.worker_ready(1)
    return made


def secure_theirs(version: int = 1) -> LocalMedia:
    key = Crypto(1, SUITES[0], secrets.token_bytes(30))
    return msgspec.structs.replace(THEIRS, version=version, srtp="required", crypto=(key,))


def remote_of(effects: list[Media]) -> m.SetRemote:
    [command] = commands(effects)
    assert isinstance(command, m.SetRemote)
    return command


def test_keys_go_to_the_worker_and_are_those_of_the_descriptions() -> None:
    media = secure_plane()
    offer = make_offer(secure_theirs())
    one = ready(media, leg(1, offer.serialise()))
    one.srtp = "allowed"
    answer, effects = media.answer(one, one.invite.body)
    agreed = accept_answer(offer, SessionDescription.parse(answer), srtp="required")
    keys = remote_of(effects).srtp
    assert keys is not None and agreed.srtp is not None
    assert (keys.inbound, keys.outbound) == (agreed.srtp.outbound, agreed.srtp.inbound)
    assert keys.inbound not in (keys.outbound, b"")


def test_every_leg_has_keys_of_its_own() -> None:
    media, seen = secure_plane(), set()
    for number in range(1, 30):
        one = ready(media, leg(number))
        one.srtp = "required"
        offered = crypto_of(SessionDescription.parse(media.offer(one)).media[0])
        assert [line.suite for line in offered] == list(SUITES)
        seen |= {line.key for line in offered}
    assert len(seen) == 29 * len(SUITES)


@pytest.mark.parametrize(
    ("policy", "transport", "protocol", "lines"),
    [
        ("off", "tls", "RTP/AVP", 0),
        ("allowed", "udp", "RTP/AVP", 0),
        ("allowed", "tcp", "RTP/AVP", 0),
        ("allowed", "tls", "RTP/AVP", len(SUITES)),
        ("required", "udp", "RTP/SAVP", len(SUITES)),
        ("required", "tls", "RTP/SAVP", len(SUITES)),
    ],
)
def test_keys_are_offered_where_nobody_else_reads_them_or_where_they_must_be(
    policy: SrtpPolicy, transport: Transport, protocol: str, lines: int
) -> None:
    media = secure_plane()
    one = ready(media, leg())
    one.srtp, one.flow = policy, Flow(transport, FLOW.local, FLOW.remote)
    [audio] = SessionDescription.parse(media.offer(one)).media
    assert audio.protocol == protocol and len(audio.values("crypto")) == lines


def test_keys_stay_while_theirs_stay() -> None:
    """Hold and resume by re-INVITE; then new keys, a late offer, plain audio, and keys again."""
    media = secure_plane()
    one = ready(media, leg(1))
    one.srtp = "allowed"
    theirs = secure_theirs()
    first = remote_of(media.answer(one, make_offer(theirs).serialise())[1]).srtp
    held = msgspec.structs.replace(theirs, version=2, direction="sendonly")
    assert remote_of(media.answer(one, make_offer(held).serialise())[1]).srtp == first
    other = secure_theirs(version=3)
    second = remote_of(media.answer(one, make_offer(other).serialise())[1]).srtp
    assert first is not None and second is not None
    assert second.inbound != first.inbound and second.outbound != first.outbound
    offer = SessionDescription.parse(media.offer(one))  # a re-INVITE without SDP
    [ours, *_] = crypto_of(offer.media[0])
    assert ours.key == second.outbound and offer.media[0].protocol == "RTP/SAVP"
    answer, _ = make_answer(offer, other)
    assert remote_of(media.accept(one, answer.serialise())).srtp == second
    plain = make_offer(msgspec.structs.replace(THEIRS, version=4)).serialise()
    assert remote_of(media.answer(one, plain)[1]).srtp is None
    third = remote_of(media.answer(one, make_offer(other).serialise())[1]).srtp
    assert third is not None and third.outbound != second.outbound, "a key is never taken up again"
