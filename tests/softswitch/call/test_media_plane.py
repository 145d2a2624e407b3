"""Ports, descriptions and commands of legs, without a worker."""

import pytest

from media import messages as m
from softswitch.call.events import Media
from softswitch.call.leg import Leg, LegState
from softswitch.call.media import MediaPlane
from softswitch.errors import LocalError, PeerError
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import PCMA, PCMU, LocalMedia, make_answer, make_offer
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri

FLOW = Flow("udp", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
QUALITY = m.Quality(100, 100, 1, 2.0, 3.0)
THEIRS = LocalMedia("10.0.0.2", 4000, 1, 1)


def leg(number: int = 1, body: bytes = b"") -> Leg:
    request = Request("INVITE", Uri("sip", "600", None, "x"), (), body)
    return Leg(number, "in", request, FLOW, LegState.INCOMING, "tag")


def plane(*workers: int) -> MediaPlane:
    made = MediaPlane([PCMU, PCMA])
    for worker in workers or (1,):
        made.worker_ready(worker)
    return made


def ready(on: MediaPlane, one: Leg) -> Leg:
    """The leg with its port."""
    on.allocate(one, on.choose(), "10.0.0.2")
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
        MediaPlane([PCMU]).choose()


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
    (known,) = commands(media.allocate_for_offer(leg(1, make_offer(THEIRS).serialise()), 1))
    assert known == m.Allocate(1, "10.0.0.2", 4000)
    (late,) = commands(media.allocate_for_offer(leg(2), 1))
    assert late == m.Allocate(2, "10.0.0.2", 0)
    with pytest.raises(PeerError):
        media.allocate_for_offer(leg(3, b"nonsense"), 1)
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
    media.allocate(one, 1, "")
    with pytest.raises(LocalError):
        media.offer(one)
    media.allocated(one, m.Allocated(1, "10.0.0.1", 20002))
    with pytest.raises(LocalError, match="without an offer"):
        media.accept(one, make_offer(THEIRS).serialise())
