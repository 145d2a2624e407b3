"""The record of a call while it grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from media.messages import Quality
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg, LegState
from softswitch.call.media import Audio
from softswitch.call.record import Disposition
from softswitch.call.story import MAX_LEGS, MAX_PATH, Story, Stretch
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri

FLOW = Flow("udp", ("10.0.0.1", 5060), ("10.0.0.2", 5070))
JO = Identity("guest", "", "jo", "Jo")
STRETCHES: tuple[Stretch, ...] = ("menu", "wait", "talk", "hold", "ring")


def invite(user: str = "600") -> Request:
    headers = [("Call-ID", "c@\x1b[2Jx"), ("User-Agent", "phone" * 100)]
    return Request("INVITE", Uri("sip", user, None, "x"), headers)


def story(now: float = 100.0, user: str = "600", identity: Identity = JO) -> Story:
    return Story.begun("c1", invite(user), "udp", identity, now)


def leg(number: int, direction: str = "in") -> Leg:
    return Leg(number, direction, invite(), FLOW, LegState.INCOMING, "tag")  # type: ignore[arg-type]


def test_a_whole_call() -> None:
    told = story()
    caller, agent = leg(1), leg(2, "out")
    caller.audio, agent.audio = Audio(1), Audio(1)
    told.leg(caller, "caller", "jo", 100)
    told.begin("menu", 100)
    told.node("main", "choose")
    told.begin("wait", 110)
    told.leg(agent, "agent", "anna", 115)
    told.begin("ring", 115)
    told.leg_answered(agent, 118)
    told.stop("ring", 118)
    told.connected(agent, "anna", 118)
    told.begin("hold", 130)
    told.begin("talk", 140)
    told.leg_ended(agent, 200, 150)
    told.finish(Disposition.ANSWERED, "hung up", "agent", 150)
    caller.audio.quality = Quality(99, 99, 1, 2.0, 3.0)
    record = told.record()
    assert (record.menu_s, record.wait_s, record.ring_s) == (10, 8, 3)
    assert (record.talk_s, record.hold_s) == (22, 10)
    assert (record.started_at, record.answered_at, record.ended_at) == (100, 118, 150)
    assert record.path == ("main.choose",) and record.agent == "anna"
    assert record.caller_loss_percent == pytest.approx(1) and record.agent_loss_percent is None
    first, second = record.legs
    assert (first.role, first.address, first.ended_at) == ("caller", "udp:10.0.0.2:5070", 150)
    assert (second.role, second.sip_status, second.answered_at) == ("agent", 200, 118)


@pytest.mark.parametrize(
    ("identity", "direction"), [(JO, "inbound"), (Identity("extension", "201", "201", "Anna"), "internal")]
)
def test_direction(identity: Identity, direction: str) -> None:
    assert story(identity=identity).record().direction == direction


def test_what_a_stranger_sends_is_bounded_and_printable() -> None:
    told = story(user="6" * 500 + "\x07")
    for number in range(MAX_LEGS + 10):
        told.leg(leg(number), "agent", "anna", 100)
    for number in range(MAX_PATH + 10):
        told.node("main", str(number))
    told.finish(Disposition.FAILED, "SIP;text=\x1b]0;title\x07" + "x" * 900, "caller", 101)
    record = told.record()
    assert len(record.path) == MAX_PATH and len(record.legs) == MAX_LEGS
    texts = [record.to_number, record.cause, record.legs[0].sip_call_id, record.legs[0].user_agent]
    assert all(text.isprintable() and len(text) <= 128 for text in texts)


def test_a_leg_ends_once() -> None:
    told = story()
    told.leg(leg(1), "agent", "anna", 100)
    told.leg_ended(leg(1), 486, 105)
    told.leg_ended(leg(1), 200, 110)
    told.leg_ended(leg(7), 200, 110)
    (only,) = told.record().legs
    assert (only.sip_status, only.ended_at) == (486, 105)


@given(st.lists(st.tuples(st.sampled_from(STRETCHES), st.sampled_from("bs"), st.floats(0, 60))))
def test_stretches_never_overlap(steps: list[tuple[Stretch, str, float]]) -> None:
    """Whatever begins and stops in whatever order: menu, wait, talk and hold together are no longer than the
    call, and no stretch is negative."""
    now = 100.0
    told = story(now)
    for stretch, what, passed_s in steps:
        now += passed_s
        if what == "b":
            told.begin(stretch, now)
        else:
            assert told.stop(stretch, now) >= 0
    told.finish(Disposition.FAILED, "", "system", now)
    record = told.record()
    parts = [record.menu_s or 0, record.wait_s or 0, record.talk_s or 0, record.hold_s or 0]
    assert sum(parts) <= now - 100 + 1e-6 and min(parts) >= 0
    assert 0 <= (record.ring_s or 0) <= now - 100 + 1e-6


def test_a_story_that_goes_on_elsewhere_has_forgotten_nothing() -> None:
    told = story()
    told.leg(leg(1), "caller", "jo", 100)
    told.node("main", "choose")
    for index, stretch in enumerate(STRETCHES):
        told.begin(stretch, 101 + 2 * index)
    told.end(120)
    told.finish(Disposition.ANSWERED, "hung up", "agent", 130)
    record = replace(
        told.record(),
        answered_at=105.0,
        direction="outbound",
        caller_status="vip",
        callback_of="c0",
        client="acme",
        greeting="Acme, hello",
        call_type="billing",
        queue="sales",
        agent="anna",
        sip_status=200,
        recording="c1.wav",
    )
    assert Story.resumed(record, JO, {}, [], 140).record() == record
