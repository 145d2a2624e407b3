"""Between picking up and the bridge: the whisper, the key that accepts, what the agent's phone is told."""

from __future__ import annotations

import pytest

from acd import messages as acd
from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.call import Stage
from softswitch.call.leg import Leg
from softswitch.call.settings import AgentCare, Peer, QueueCare
from softswitch.call.whisper import Whisper
from softswitch.sip.uri import Uri
from tests.support.centre import Centre, Ended

MUSIC = ("/music.wav",)
WHISPER = Whisper(("{call_type}", "tone:beep"), {"sales": "/sales.wav"})
MOBILE = "peer:cell/0791234567"


def whispering() -> tuple[Centre, Leg]:
    """A caller of the type `sales`, an agent who has just picked up, and the leg to him as the switch has
    it."""
    centre = Centre(care=QueueCare(MUSIC, whisper=WHISPER))
    centre.log_in("201")
    centre.phones["300"].call("600")
    centre.settle()
    centre.key(centre.call, "1")
    return centre, pick_up(centre)


def pick_up(centre: Centre, number: str = "201") -> Leg:
    phone = centre.phones[number]
    phone.answer(phone.legs[-1])
    centre.settle()
    (attempt,) = centre.call.attempts.values()
    (leg,) = attempt.legs.values()
    return leg


def heard(centre: Centre, leg: Leg) -> m.Play | None:
    return centre.workers[1].heard.get(leg.id)


def played(centre: Centre, leg: Leg, reason: str = "finished") -> None:
    play = centre.workers[1].heard.pop(leg.id)
    centre.media_event(m.Played(leg.id, play.play, reason))  # type: ignore[arg-type]


def press(centre: Centre, leg: Leg, digit: str) -> None:
    centre.media_event(m.Digit(leg.id, digit, "rfc4733"))


def test_the_agent_alone_hears_the_whisper_and_is_connected_when_it_is_over() -> None:
    centre, leg = whispering()
    play = heard(centre, leg)
    assert play is not None and play.clips == ("/sales.wav", "tone:beep") and not play.loop
    music = centre.heard(centre.call)
    assert music is not None and music.clips == MUSIC and centre.call.stage is Stage.QUEUE
    assert not centre.workers[1].bridges
    centre.advance(3)
    played(centre, leg)
    assert centre.call.stage is Stage.TALK and centre.workers[1].bridges == [(centre.call.leg.id, leg.id)]
    (connect,) = [event for event in centre.log if event.kind is Kind.CONNECT]
    assert connect.data["wait_s"] == pytest.approx(3.0), "the wait counts to the bridge"
    centre.phones["300"].hang_up(centre.phones["300"].legs[0])
    centre.advance(60)
    centre.check_empty()


@pytest.mark.parametrize("how", ["rfc4733", "failed"])
def test_a_key_skips_the_whisper_and_a_broken_one_keeps_nobody(how: str) -> None:
    centre, leg = whispering()
    if how == "failed":
        played(centre, leg, "failed")
        assert any("whisper" in warning.text for warning in centre.warnings)
    else:
        press(centre, leg, "5")
    assert centre.call.stage is Stage.TALK
    press(centre, leg, "5")
    assert centre.call.stage is Stage.TALK
    centre.advance(40)
    assert centre.call.stage is Stage.TALK, "no time-out of the offer comes later"


def test_the_caller_hangs_up_during_the_whisper() -> None:
    centre, _ = whispering()
    centre.phones["300"].hang_up(centre.phones["300"].legs[0])
    centre.advance(1)
    assert centre.phones["201"].of(Ended), "the agent's phone is free again"
    assert Kind.ABANDON in centre.kinds() and Kind.CONNECT not in centre.kinds()
    centre.advance(60)
    centre.check_empty()


def test_the_agent_hangs_up_during_the_whisper() -> None:
    centre, _ = whispering()
    centre.log_in("202")
    centre.phones["201"].hang_up(centre.phones["201"].legs[-1])
    centre.advance(1)
    (missed,) = [event for event in centre.log if event.kind is Kind.RINGNOANSWER]
    assert missed.agent == "agent201" and missed.data["reason"] == "refused"
    music = centre.heard(centre.call)
    assert music is not None and music.clips == MUSIC
    leg = pick_up(centre, "202")
    played(centre, leg)
    assert centre.call.agent == "agent202"


def test_a_whisper_that_never_ends_costs_the_offer_not_the_caller() -> None:
    centre, _ = whispering()
    centre.advance(29)
    assert centre.call.stage is Stage.QUEUE and not centre.phones["201"].of(Ended)
    centre.advance(2)
    assert centre.phones["201"].of(Ended) and Kind.RINGNOANSWER in centre.kinds()


def test_an_announcement_to_the_caller_goes_on_during_the_whisper_and_ends_with_it() -> None:
    centre = Centre(
        care=QueueCare(MUSIC, whisper=WHISPER), queue={"announce_position_s": 5.0, "announce_first_s": 5.0}
    )
    centre.phones["300"].call("600")
    centre.settle()
    centre.key(centre.call, "1")
    centre.advance(5)
    announced = centre.heard(centre.call)
    assert announced is not None and announced.clips == ("/position-1.wav",)
    centre.log_in("201")
    leg = pick_up(centre)
    assert centre.heard(centre.call) is announced
    played(centre, leg)
    assert centre.heard(centre.call) is None and centre.call.stage is Stage.TALK


def test_a_key_while_the_number_to_be_called_back_rings_means_nothing() -> None:
    centre, leg = whispering()
    (attempt,) = centre.call.attempts.values()
    attempt.picked_up = "dialling"
    press(centre, leg, "1")
    assert attempt.picked_up == "dialling" and Kind.CONNECT not in centre.kinds()


# ----- outside


def outside(confirm: bool = True, max_calls: int | None = None, taken: int = 0, data: bool = False) -> Centre:
    """Agent 201 has logged in with a mobile behind a carrier, of which others have `taken` channels, and a
    caller waits."""
    carrier = Peer("cell", Uri("sip", None, None, "10.0.1.1", 5060), max_calls, data)
    centre = Centre(
        more={
            "peers": {"cell": carrier},
            "agents": {"agent201": AgentCare(outside=MOBILE, confirm=confirm)},
            "phrases": {"accept": Prompt(text="accept")},
        }
    )
    for _ in range(taken):
        centre.switch.desk.channels.take("cell")
    centre.command(acd.LogIn("agent201", MOBILE))
    centre.phones["300"].call("601")
    centre.settle()
    return centre


@pytest.mark.parametrize("data", [False, True])
def test_a_carrier_is_told_nothing_of_the_caller_unless_it_may_be(data: bool) -> None:
    headers = outside(data=data).phones["201"].legs[-1].invite.headers
    assert headers.get("X-Queue") == ("sales" if data else None)


def test_an_agent_outside_accepts_by_a_key() -> None:
    centre = outside()
    assert centre.phones["201"].legs[-1].invite.uri.user == "0791234567"
    leg = pick_up(centre)
    play = heard(centre, leg)
    assert play is not None and play.clips[0] == "/accept.wav" and play.loop
    centre.advance(10)
    assert centre.call.stage is Stage.QUEUE
    press(centre, leg, "1")
    assert centre.call.stage is Stage.TALK and centre.call.agent == "agent201"
    assert centre.switch.desk.channels.taken == {"cell": 1}
    centre.phones["300"].hang_up(centre.phones["300"].legs[0])
    centre.advance(60)
    assert centre.switch.desk.channels.taken == {"cell": 0}
    centre.check_empty()


@pytest.mark.parametrize("key", ["2", ""])
def test_another_key_or_none_refuses(key: str) -> None:
    centre = outside()
    leg = pick_up(centre)
    if key:
        press(centre, leg, key)
    else:
        centre.advance(21)
    (missed,) = [event for event in centre.log if event.kind is Kind.RINGNOANSWER]
    assert missed.data["reason"] == "refused"
    assert centre.call.stage is Stage.QUEUE and Kind.CONNECT not in centre.kinds()
    assert centre.phones["201"].of(Ended), "the mailbox is hung up on"


def test_a_mailbox_pauses_the_agent_in_the_end() -> None:
    centre = outside()
    for _ in range(3):
        pick_up(centre)
        centre.advance(26)  # twenty seconds for his key, then he rests from this caller for five
    (agent,) = [view for view in centre.acd.agents(centre.now) if view.name == "agent201"]
    assert (agent.state, agent.reason) == ("paused", "missed")
    assert centre.call.stage is Stage.QUEUE
    assert centre.switch.desk.channels.taken == {"cell": 0}


def test_without_confirm_he_is_connected_at_once() -> None:
    centre = outside(confirm=False)
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()
    assert centre.call.stage is Stage.TALK


def test_no_channel_is_left() -> None:
    centre = outside(max_calls=1, taken=1)
    centre.advance(30)
    assert not centre.phones["201"].legs, "his phone is not called over the limit"
    assert centre.switch.desk.channels.taken == {"cell": 1}
    assert any("outside" in warning.text for warning in centre.warnings)


# ----- what the phone is told


def test_auto_answer_and_display() -> None:
    centre = Centre(more={"agents": {"agent201": AgentCare(auto_answer=True)}})
    centre.log_in("201")
    centre.phones["300"].call("600")
    centre.settle()
    centre.key(centre.call, "1")
    (leg,) = centre.phones["201"].legs
    assert leg.invite.headers.get("Call-Info") == "<sip:10.0.0.1>;answer-after=0"
    assert leg.invite.headers.get("Alert-Info") == "info=alert-autoanswer"
    assert leg.invite.from_.display == "sales: 300"


def test_calls_from_colleagues_ring() -> None:
    centre = Centre(more={"agents": {"agent201": AgentCare(auto_answer=True)}})
    centre.phones["300"].call("201")
    centre.settle()
    (leg,) = centre.phones["201"].legs
    assert "Call-Info" not in leg.invite.headers
