"""Which codecs a leg is offered and answered with, so that as little as possible is transcoded."""

from dataclasses import replace

import msgspec
import pytest

from media import messages as m
from media.codecs import BUILT_IN
from softswitch.call.codecs import described, preferring
from softswitch.call.leg import Leg
from softswitch.call.media import MediaPlane
from softswitch.call.settings import Peer, Phone, Settings
from softswitch.sdp.codecs import PCMA, PCMU, Codec
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, make_answer, make_offer
from tests.softswitch.call.test_media_plane import leg, plane

G722, OPUS = described(("G722", "OPUS"), BUILT_IN)
ALL = (PCMU, G722, OPUS)


def ready(on: MediaPlane, one: Leg, *codecs: Codec) -> Leg:
    on.allocate(one, 1, codecs, "10.0.0.2")
    on.allocated(one, m.Allocated(one.id, "10.0.0.1", 20000 + 2 * one.id))
    return one


def caller(on: MediaPlane, *codecs: Codec) -> tuple[Leg, m.SetRemote]:
    """A leg whose phone offered these."""
    body = make_offer(LocalMedia("10.0.0.2", 4000, 1, 1, codecs=codecs)).serialise()
    one = ready(on, leg(1, body), *ALL)
    _, (effect,) = on.answer(one, one.invite.body)
    assert isinstance(effect.command, m.SetRemote)
    return one, effect.command


def names(body: bytes) -> list[str]:
    audio = SessionDescription.parse(body).media[0]
    named = {"0": "PCMU", "8": "PCMA", "9": "G722", "107": "OPUS"}
    return [named[one] for one in audio.formats if one in named]


def test_records_become_descriptions() -> None:
    assert described(("OPUS", "PCMA", "G722", "G729"), BUILT_IN) == (
        Codec("opus", 107, 48000, 2, "useinbandfec=1", 60), PCMA, Codec("G722", 9, 8000, 1, "", 60),
    )  # fmt: skip


def test_what_is_not_installed_is_not_offered() -> None:
    gone = replace(BUILT_IN["OPUS"], missing=lambda: "no libopus")
    assert described(("OPUS", "PCMU"), {"OPUS": gone}) == (PCMU,)


def test_our_first_codec_counts() -> None:
    assert caller(plane(), OPUS, PCMU)[1].codec == "PCMU"
    assert caller(plane(), OPUS, G722)[1].codec == "G722"


def test_the_worker_is_told_of_a_codec_with_all_that_belongs_to_it() -> None:
    theirs = msgspec.structs.replace(OPUS, payload_type=98, fmtp="usedtx=1")
    said = caller(plane(), theirs)[1]
    assert (said.codec, said.payload_type, said.fmtp, said.event_clock_hz) == ("OPUS", 98, "usedtx=1", 48000)


def test_the_called_phone_is_offered_the_callers_codec_first() -> None:
    media = plane()
    one, _ = caller(media, OPUS)
    other = ready(media, leg(2), *ALL)
    assert names(media.offer(other, one)) == ["OPUS", "PCMU", "G722"]
    assert preferring(ALL, "") == ALL


def test_a_caller_is_answered_with_the_codec_of_whom_he_called() -> None:
    media = plane()
    one, said = caller(media, PCMU, G722)
    assert said.codec == "PCMU"
    other = ready(media, leg(2), *ALL)
    offer = SessionDescription.parse(media.offer(other, one))
    answer, _ = make_answer(offer, LocalMedia("10.0.0.3", 4000, 1, 1, codecs=(G722,)))
    media.accept(other, answer.serialise())
    _, (effect,) = media.answer(one, one.invite.body, other)
    assert isinstance(effect.command, m.SetRemote) and effect.command.codec == "G722"


def test_a_session_keeps_its_codec_when_it_is_offered_anew() -> None:
    media = plane()
    one, _ = caller(media, G722)
    again = make_offer(LocalMedia("10.0.0.2", 4000, 1, 2, codecs=(PCMU, G722))).serialise()
    _, (effect,) = media.answer(one, again)
    assert isinstance(effect.command, m.SetRemote) and effect.command.codec == "G722"


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("extension", "201", (G722,)),
        ("extension", "202", (PCMU, PCMA)),
        ("peer", "carrier", (OPUS,)),
        ("guest", "", (PCMU, PCMA)),
        ("peer", "gone", (PCMU, PCMA)),
    ],
)
def test_phones_and_peers_may_have_their_own(kind: str, name: str, expected: tuple[Codec, ...]) -> None:
    settings = Settings(
        plan=None,  # type: ignore[arg-type]
        phones={"201": Phone("201", codecs=(G722,)), "202": Phone("202")},
        peers={"carrier": Peer("carrier", codecs=(OPUS,))},
        queues={}, flows={}, phrases={}, clip=str, music=(),
    )  # fmt: skip
    assert settings.codecs_of(kind, name) == expected
