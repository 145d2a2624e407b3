"""Calls through the whole core, step by step: real switch, real user agents, time as a number."""

from __future__ import annotations

import pytest

from acd import messages as acd
from acd.events import Kind
from media import messages as m
from softswitch.call.allowance import BURST, EVERY_S
from softswitch.call.call import Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Target
from softswitch.sip.message import Response
from softswitch.sip.parser import parse
from tests.support.centre import Accepted, Centre, Ended, Progress


def talk(centre: Centre) -> tuple[str, str]:
    """A caller in the queue is connected with agent 201; the number of the call."""
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()
    return centre.call.id, centre.call.agent


def test_menu_queue_agent_and_back() -> None:
    centre = Centre(care=QueueCare(("/music.wav",), record="always"))
    caller, agent = centre.phones["300"], centre.phones["201"]
    leg = caller.call("600")
    centre.settle()
    assert caller.of(Accepted)
    call = centre.call
    assert call.stage is Stage.MENU
    assert centre.heard(call).clips == ("/Press 1 or 2..wav",)
    centre.key(call, "1")
    assert call.stage is Stage.QUEUE
    assert centre.heard(call).clips == ("/music.wav",) and centre.heard(call).loop
    centre.advance(10)
    centre.log_in("201")
    (ringing,) = agent.legs
    assert ringing.invite.headers.get("X-Queue") == "sales"
    assert ringing.invite.headers.get("X-Call-Type") == "sales"
    assert ringing.invite.from_.uri.user == "300"
    agent.ring(ringing)
    centre.advance(3)
    agent.answer(ringing)
    centre.settle()
    assert call.stage is Stage.TALK and call.agent == "agent201"
    assert centre.workers[1].bridges == [(call.leg.id, call.partner.id)]
    assert centre.heard(call) is None, "the music stops when the agent answers"
    centre.advance(60)
    agent.hang_up(ringing)
    centre.settle()
    assert caller.of(Ended)
    record = centre.record
    assert record.disposition is Disposition.ANSWERED and record.ended_by == "agent"
    assert (record.queue, record.agent, record.call_type) == ("sales", "agent201", "sales")
    assert record.path == ("main.choose", "main.sales")
    assert record.wait_s == pytest.approx(13) and record.ring_s == pytest.approx(3)
    assert record.talk_s == pytest.approx(60)
    assert record.recording == f"/recordings/1970/01/12/{record.id}.wav"
    assert record.caller_loss_percent == pytest.approx(100 / 101)
    assert leg.state.name == "ENDED"
    story = [Kind.CALL_START, Kind.MENU, Kind.DIGIT, Kind.MENU, Kind.ENTERQUEUE, Kind.OFFER, Kind.CONNECT]
    assert [kind for kind in centre.kinds(record.id) if kind in story] == story
    assert centre.kinds(record.id).count(Kind.COMPLETEAGENT) == 1
    centre.advance(60)
    assert Kind.WRAPUP_END in centre.kinds()
    centre.check_empty()


@pytest.mark.parametrize(
    ("stage", "disposition"),
    [
        ("menu", Disposition.MENU_ABANDONED),
        ("queue", Disposition.ABANDONED),
        ("ringing", Disposition.ABANDONED),
        ("talk", Disposition.ANSWERED),
    ],
)
def test_caller_hangs_up_at_any_moment(stage: str, disposition: Disposition) -> None:
    centre = Centre()
    caller, agent = centre.phones["300"], centre.phones["201"]
    leg = caller.call("600")
    centre.settle()
    if stage != "menu":
        centre.key(centre.call, "1")
    if stage in ("ringing", "talk"):
        centre.log_in("201")
        agent.ring(agent.legs[-1])
    if stage == "talk":
        agent.answer(agent.legs[-1])
    centre.advance(8)
    caller.hang_up(leg)
    centre.settle()
    assert centre.record.disposition is disposition and centre.record.ended_by == "caller"
    if stage in ("ringing", "talk"):
        assert agent.of(Ended)
    centre.advance(60)
    centre.check_empty()
    assert centre.acd.agents(centre.now)[0].state == (
        "ready" if stage in ("ringing", "talk") else "logged out"
    )


def test_answer_that_crosses_the_cancel() -> None:
    centre = Centre()
    centre.log_in("201")
    caller, agent = centre.phones["300"], centre.phones["201"]
    leg = caller.call("601")
    centre.settle()
    ringing = agent.legs[-1]
    agent.ring(ringing)
    centre.settle()
    caller.hang_up(leg)  # both on the wire at once
    agent.answer(ringing)
    centre.advance(60)
    assert ringing.state.name == "ENDED", "the agent's phone is let go of by ACK and BYE"
    assert centre.record.disposition is Disposition.SHORT_ABANDON
    centre.check_empty()


def test_missed_offer_goes_to_the_other_agent() -> None:
    centre = Centre()
    centre.log_in("201")
    centre.advance(1)
    centre.log_in("202")
    centre.phones["300"].call("601")
    centre.settle()
    first = centre.phones["201"]
    assert len(first.legs) == 1
    first.ring(first.legs[-1])
    centre.advance(16)
    assert first.of(Ended)
    second = centre.phones["202"]
    assert len(second.legs) == 1
    second.answer(second.legs[-1])
    centre.settle()
    assert centre.call.agent == "agent202"
    assert centre.kinds().count(Kind.RINGNOANSWER) == 1


def test_busy_and_unreachable_agents_keep_the_callers_place() -> None:
    centre = Centre()
    centre.log_in("201")
    centre.log_in("202")
    centre.phones["300"].call("601")
    centre.settle()
    agent = centre.phones["201"]
    agent.refuse(agent.legs[-1], 486)
    centre.settle()
    other = centre.phones["202"]
    other.answer(other.legs[-1])
    centre.settle()
    assert centre.call.agent == "agent202"
    reasons = [event.data["reason"] for event in centre.log if event.kind is Kind.RINGNOANSWER]
    assert reasons == ["refused"]


def test_agent_whose_phone_is_dead() -> None:
    centre = Centre()
    centre.log_in("201")
    centre.lose = lambda data: b"INVITE sip:201" in data.split(b"\r\n", 1)[0]
    centre.phones["300"].call("601")
    centre.advance(16)
    assert Kind.RINGNOANSWER in centre.kinds() and centre.call.stage is Stage.QUEUE
    centre.lose = lambda data: False
    centre.advance(5)
    agent = centre.phones["201"]
    assert agent.legs, "he is offered again when nobody else is left"
    agent.answer(agent.legs[-1])
    centre.settle()
    assert centre.call.stage is Stage.TALK


def test_hold_and_resume() -> None:
    centre = Centre()
    name, _ = talk(centre)
    agent = centre.phones["201"]
    centre.advance(10)
    agent.hold(agent.legs[-1])
    centre.settle()
    call = centre.call
    assert centre.heard(call).clips == ("/music.wav",)
    remote = centre.workers[1].remotes[call.partner.id]
    assert (remote.send, remote.receive) == (False, True)
    centre.advance(20)
    agent.hold(agent.legs[-1], held=False)
    centre.settle()
    assert centre.heard(call) is None
    centre.advance(5)
    agent.hang_up(agent.legs[-1])
    centre.settle()
    record = centre.records[name]
    assert record.hold_s == pytest.approx(20) and record.talk_s == pytest.approx(15)
    assert [kind for kind in centre.kinds(name) if kind in (Kind.HOLD, Kind.UNHOLD)] == [
        Kind.HOLD,
        Kind.UNHOLD,
    ]
    centre.advance(60)
    centre.check_empty()


def test_a_phone_that_holds_and_resumes_without_end_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    centre = Centre()
    name, _ = talk(centre)
    agent, heard = centre.phones["201"], list[bytes]()
    receive = agent.receive
    monkeypatch.setattr(agent, "receive", lambda data: (heard.append(data), receive(data)))
    for _ in range(4 * BURST):
        for held in (True, False):
            agent.hold(agent.legs[-1], held=held)
            centre.settle()
    for _ in range(BURST):
        agent.hold(agent.legs[-1], held=False)  # a re-INVITE that changes nothing
        centre.settle()
    told = [kind for kind in centre.kinds(name) if kind in (Kind.HOLD, Kind.UNHOLD)]
    assert told == [Kind.HOLD, Kind.UNHOLD] * BURST, "what was refused has changed nothing"
    refused = [one for one in map(parse, heard) if isinstance(one, Response) and one.status == 500]
    assert refused and {one.headers.get("Retry-After") for one in refused} == {"6"} and not centre.call.held
    centre.advance(EVERY_S)
    for held in (True, False, True):
        agent.hold(agent.legs[-1], held=held)
        centre.settle()
    told = [kind for kind in centre.kinds(name) if kind in (Kind.HOLD, Kind.UNHOLD)]
    assert told == [Kind.HOLD, Kind.UNHOLD] * (BURST + 1), "who holds may always take back"
    agent.hang_up(agent.legs[-1])
    centre.advance(60)
    centre.check_empty()


def test_late_offer() -> None:
    centre = Centre()
    centre.log_in("201")
    caller = centre.phones["300"]
    leg = caller.call("601", sdp=False)
    centre.settle()
    # The handset acknowledges without a description: there is no audio to be had.
    assert centre.record.disposition is Disposition.FAILED
    assert leg.state.name == "ENDED"
    centre.advance(60)
    centre.check_empty()


@pytest.mark.parametrize("stage", ["menu", "queue", "talk"])
def test_worker_dies(stage: str) -> None:
    centre = Centre()
    centre.log_in("201")
    if stage == "talk":
        talk(centre)
    else:
        centre.phones["300"].call("600")
        centre.settle()
    if stage == "queue":
        centre.command(acd.Pause("agent201"))
        centre.key(centre.call, "1")
    centre.kill_worker()
    assert centre.record.disposition is Disposition.MEDIA_FAILURE
    assert "killed" in centre.record.cause
    centre.phones["301"].call("600")
    centre.settle()
    assert centre.call.stage is Stage.MENU, "the next call is on the next worker"
    centre.stop()
    centre.advance(60)
    centre.check_empty()


def test_direct_call_between_extensions() -> None:
    centre = Centre()
    caller, called = centre.phones["300"], centre.phones["301"]
    caller.call("301")
    centre.settle()
    assert not caller.of(Accepted)
    called.ring(called.legs[-1])
    centre.settle()
    assert caller.of(Progress), "the caller's own phone rings back"
    called.answer(called.legs[-1])
    centre.advance(30)
    assert caller.of(Accepted) and centre.call.stage is Stage.TALK
    caller.hang_up(caller.legs[-1])
    centre.settle()
    record = centre.record
    assert (record.disposition, record.direction, record.agent) == (Disposition.ANSWERED, "internal", "301")
    assert record.talk_s == pytest.approx(30)
    centre.advance(60)
    centre.check_empty()


@pytest.mark.parametrize(
    ("status", "disposition"),
    [(486, Disposition.BUSY), (480, Disposition.NO_ANSWER), (404, Disposition.NO_ANSWER)],
)
def test_direct_call_refused(status: int, disposition: Disposition) -> None:
    centre = Centre()
    centre.phones["300"].call("301")
    centre.settle()
    centre.phones["301"].refuse(centre.phones["301"].legs[-1], status)
    centre.settle()
    (ended,) = centre.phones["300"].of(Ended)
    assert ended.status == status
    assert centre.record.disposition is disposition and centre.record.sip_status == status
    centre.advance(60)
    centre.check_empty()


def test_direct_call_unanswered() -> None:
    centre = Centre(ring_s=20)
    centre.phones["300"].call("301")
    centre.settle()
    called = centre.phones["301"]
    called.ring(called.legs[-1])
    centre.advance(25)
    assert called.of(Ended)
    (ended,) = centre.phones["300"].of(Ended)
    assert ended.status == 480
    assert centre.record.disposition is Disposition.NO_ANSWER
    centre.advance(60)
    centre.check_empty()


def test_unknown_number() -> None:
    centre = Centre()
    centre.phones["300"].call("999")
    centre.settle()
    (ended,) = centre.phones["300"].of(Ended)
    assert ended.status == 404
    assert centre.record.disposition is Disposition.REFUSED
    centre.advance(60)
    centre.check_empty()


def test_feature_codes_log_in_pause_and_log_out() -> None:
    centre = Centre()
    phone = centre.phones["201"]

    def dial(code: str) -> str:
        phone.call(code)
        centre.settle()
        if centre.switch.calls:
            centre.play_out(centre.call) if centre.heard(centre.call) else None
        return centre.acd.agents(centre.now)[0].state

    assert dial("*11") == "ready"
    assert dial("*14lunch") == "paused"
    assert centre.acd.agents(centre.now)[0].reason == "lunch"
    assert dial("*13") == "ready"
    assert dial("*12") == "logged out"
    assert len(phone.of(Accepted)) == 4 and not centre.switch.calls
    centre.advance(60)
    centre.check_empty()


def test_overflow_after_the_longest_wait() -> None:
    care = QueueCare(("/music.wav",), {"timeout": Target("queue", "support")})
    centre = Centre(queue={"max_wait_s": 30.0}, care=care)
    centre.phones["300"].call("601")
    centre.advance(31)
    assert centre.call.story.queue == "support" and centre.call.stage is Stage.QUEUE
    assert Kind.EXITWITHTIMEOUT in centre.kinds()


def test_overflow_in_circles_ends() -> None:
    care = QueueCare(("/music.wav",), {"timeout": Target("queue", "sales")})
    centre = Centre(queue={"max_wait_s": 30.0}, care=care)
    centre.phones["300"].call("601")
    centre.advance(3600)
    assert centre.record.disposition is Disposition.FAILED and "circles" in centre.record.cause
    centre.check_empty()


def test_position_is_announced_and_music_goes_on() -> None:
    centre = Centre(queue={"announce_first_s": 10.0, "announce_position_s": 20.0})
    centre.phones["300"].call("601")
    centre.advance(11)
    assert centre.heard(centre.call).clips == ("/position-1.wav",)
    centre.play_out(centre.call)
    assert centre.heard(centre.call).clips == ("/music.wav",) and centre.heard(centre.call).resume


def test_answering_agent_cuts_the_announcement() -> None:
    centre = Centre(queue={"announce_first_s": 10.0, "announce_position_s": 20.0})
    centre.phones["300"].call("601")
    centre.advance(9)
    centre.log_in("201")
    agent = centre.phones["201"]
    agent.ring(agent.legs[-1])
    centre.advance(1.5)
    agent.answer(agent.legs[-1])
    centre.settle()
    assert centre.heard(centre.call) is None and centre.call.stage is Stage.TALK


def test_own_call_keeps_offers_away() -> None:
    centre = Centre()
    centre.log_in("201")
    agent, friend = centre.phones["201"], centre.phones["302"]
    agent.call("302")
    centre.settle()
    friend.answer(friend.legs[-1])
    centre.settle()
    centre.phones["300"].call("601")
    centre.advance(5)
    assert len(agent.legs) == 1, "nothing is offered while he talks"
    agent.hang_up(agent.legs[0])
    centre.settle()
    assert len(agent.legs) == 2, "and the next call comes when he is free"


def test_lost_media_ends_the_call() -> None:
    centre = Centre()
    talk(centre)
    centre.advance(10)
    centre.media_event(m.MediaLost(centre.call.leg.id, 30.0))
    assert centre.record.disposition is Disposition.ANSWERED and "no audio" in centre.record.cause
    centre.advance(60)
    centre.check_empty()


def test_lost_packets_are_sent_again() -> None:
    """Every first copy of a message is lost, in both directions: retransmissions carry the call."""
    centre = Centre()
    seen: set[bytes] = set()

    def lose_first(data: bytes) -> bool:
        if data in seen:
            return False
        seen.add(data)
        return True

    centre.lose = lose_first
    centre.log_in("201")
    caller, agent = centre.phones["300"], centre.phones["201"]
    leg = caller.call("601")
    centre.advance(10)
    agent.answer(agent.legs[-1])
    centre.advance(10)
    assert centre.call.stage is Stage.TALK
    caller.hang_up(leg)
    centre.advance(60)
    assert centre.record.disposition is Disposition.ANSWERED and centre.record.ended_by == "caller"
    centre.advance(60)
    centre.check_empty()


def test_caller_who_never_acknowledges() -> None:
    centre = Centre()
    centre.lose = lambda data: data.startswith(b"ACK ")
    centre.phones["300"].call("600")
    centre.advance(40)
    assert centre.record.disposition is Disposition.FAILED and centre.record.ended_by == "system"
    centre.lose = lambda data: False
    centre.advance(60)
    centre.check_empty()


def test_stop_ends_every_call() -> None:
    centre = Centre()
    talk(centre)
    centre.phones["301"].call("600")
    centre.settle()
    centre.stop()
    centre.settle()
    assert {record.cause for record in centre.records.values()} == {"shutdown"}
    assert centre.log[-1].kind is Kind.SYSTEM_STOP
    centre.phones["302"].call("600")
    centre.settle()
    assert centre.phones["302"].of(Ended)[0].status == 503
    centre.advance(60)
    centre.check_empty()
