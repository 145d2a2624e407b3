"""What a call comes to, and what must not come of it: outcomes, phones that are gone, strangers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from acd import messages as acd
from acd.events import Kind
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptCall, keep
from softswitch.call.outcome import passed_on
from softswitch.call.record import Disposition
from softswitch.call.settings import Peer, Phone, QueueCare, Target
from softswitch.errors import LocalError
from softswitch.sip.flow import Flow
from softswitch.sip.uri import Uri
from tests.support.centre import SWITCH, Centre, Ended


def talk(centre: Centre) -> None:
    """A caller of the queue talks with agent 201."""
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    centre.phones["201"].answer(centre.phones["201"].legs[-1])
    centre.settle()
    assert centre.call.stage is Stage.TALK


def over(centre: Centre) -> Disposition:
    """The outcome of the only call, when nothing of it is left."""
    centre.advance(200)
    centre.check_empty()
    assert centre.switch.hub.timer_deadline() is None and not centre.switch.hub.ua.ep.by_transaction
    return centre.record.disposition


# ----- who ended it


@pytest.mark.parametrize(
    ("wait_s", "outcome"), [(4.0, Disposition.SHORT_ABANDON), (6.0, Disposition.ABANDONED)]
)
def test_short_and_long_abandons(wait_s: float, outcome: Disposition) -> None:
    centre = Centre(care=QueueCare(("/music.wav",), short_abandon_s=5.0))
    leg = centre.phones["300"].call("601")
    centre.advance(wait_s)
    centre.phones["300"].hang_up(leg)
    assert over(centre) is outcome


@pytest.mark.parametrize(
    ("number", "exit_kind"),
    [("600", None), ("601", Kind.EXITSYSTEM), ("301", None)],
    ids=["menu", "queue", "ring"],
)
def test_a_call_that_an_administrator_ends_is_not_abandoned(number: str, exit_kind: Kind | None) -> None:
    centre = Centre()
    centre.phones["300"].call(number)
    centre.advance(10)
    name = centre.call.id
    centre._carry_out(centre.switch.hang_up(name, "admin", centre.now))
    assert over(centre) is Disposition.FAILED and centre.record.ended_by == "system"
    assert exit_kind is None or exit_kind in centre.kinds(name)


def test_a_shutdown_in_talk_is_an_answered_call() -> None:
    centre = Centre()
    talk(centre)
    centre.stop()
    assert over(centre) is Disposition.ANSWERED and centre.record.cause == "shutdown"


def test_a_menu_that_comes_to_its_end_served_the_caller() -> None:
    centre = Centre()
    centre.phones["300"].call("600")
    centre.settle()
    for _ in range(2):
        centre.play_out(centre.call)
        centre.advance(5)
    assert over(centre) is Disposition.SELF_SERVICE


def test_a_route_that_hangs_up_refuses() -> None:
    centre = Centre(routes={"666": Target("hangup")})
    centre.phones["300"].call("666")
    assert over(centre) is Disposition.REFUSED
    assert (centre.record.cause, centre.record.sip_status) == ("route", 403)
    assert centre.workers[1].allocated == 0


@pytest.mark.parametrize(
    ("phone", "code", "why"),
    [("300", "*11", "extension 300 has no agent"), ("201", "*13", "log in first")],
)
def test_a_code_that_cannot_be_obeyed_is_refused(phone: str, code: str, why: str) -> None:
    centre = Centre()
    centre.phones[phone].call(code)
    assert over(centre) is Disposition.REFUSED and why in centre.record.cause


def test_a_code_that_is_obeyed_is_self_service() -> None:
    centre = Centre()
    centre.phones["201"].call("*11")
    assert over(centre) is Disposition.SELF_SERVICE


def test_an_overflow_outranks_what_follows() -> None:
    care = QueueCare(("/music.wav",), {"timeout": Target("flow", "main")})
    centre = Centre(queue={"max_wait_s": 10.0}, care=care)
    leg = centre.phones["300"].call("601")
    centre.advance(11)
    assert centre.call.stage is Stage.MENU
    centre.phones["300"].hang_up(leg)
    assert over(centre) is Disposition.OVERFLOW


def test_an_abandon_outranks_the_overflow_before_it() -> None:
    care = QueueCare(("/music.wav",), {"timeout": Target("queue", "support")})
    centre = Centre(queue={"max_wait_s": 10.0}, care=care)
    leg = centre.phones["300"].call("601")
    centre.advance(16)
    centre.phones["300"].hang_up(leg)
    assert over(centre) is Disposition.ABANDONED


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (486, 486),
        (404, 404),
        (603, 603),
        (302, 480),
        (487, 480),
        (503, 480),
        (401, 502),
        (407, 502),
        (420, 502),
    ],
)
def test_what_a_called_phone_says_is_for_us_first(said: int, told: int) -> None:
    """No challenge, redirection or overload of the called side reaches the caller's phone as its own."""
    error = passed_on(said, "\x1b[2Jwhy")
    assert error.status == told and error.reason.isprintable()
    centre = Centre()
    centre.phones["300"].call("301")
    centre.settle()
    centre.phones["301"].refuse(centre.phones["301"].legs[-1], said)
    centre.settle()
    assert [event.status for event in centre.phones["300"].of(Ended)] == [told]


# ----- hold


def test_a_caller_who_holds_the_queue_is_on_hold_when_the_agent_answers() -> None:
    centre = Centre()
    centre.log_in("201")
    caller, agent = centre.phones["300"], centre.phones["201"]
    leg = caller.call("601")
    centre.settle()
    caller.hold(leg)
    centre.settle()
    agent.answer(agent.legs[-1])
    centre.advance(10)
    call = centre.call
    assert call.stage is Stage.TALK and call.partner is not None
    assert centre.workers[1].heard[call.partner.id].clips == ("/music.wav",), "the agent knows why"
    caller.hold(leg, held=False)
    centre.advance(20)
    caller.hang_up(leg)
    assert over(centre) is Disposition.ANSWERED
    assert (centre.record.hold_s, centre.record.talk_s) == (pytest.approx(10), pytest.approx(20))


@pytest.mark.parametrize("alive", [True, False])
def test_a_silent_phone_on_hold_is_asked_whether_it_is_there(alive: bool) -> None:
    centre = Centre()
    talk(centre)
    agent = centre.phones["201"]
    agent.hold(agent.legs[-1])
    centre.settle()
    assert centre.call.partner is not None
    if not alive:
        centre.lose = lambda data: b"sip:201@" in data.split(b"\r\n", 1)[0]
    centre.media_event(m.MediaLost(centre.call.partner.id, 30.0))
    centre.advance(100)
    assert bool(centre.switch.calls) is alive
    centre.lose = lambda data: False
    centre.phones["300"].hang_up(centre.phones["300"].legs[-1])
    assert over(centre) is Disposition.ANSWERED


@pytest.mark.parametrize("talking", [True, False])
def test_a_browser_with_which_no_keys_can_be_agreed_upon(talking: bool) -> None:
    centre = Centre()
    if talking:
        talk(centre)
    else:
        centre.phones["300"].call("600")
        centre.settle()
    centre.media_event(m.HandshakeFailed(centre.call.leg.id, "the certificate is not the one"))
    assert not centre.switch.calls
    assert centre.record.disposition is (Disposition.ANSWERED if talking else Disposition.MEDIA_FAILURE)
    assert centre.record.cause == "no encryption with caller: the certificate is not the one"
    assert centre.warnings[-1].text == "no encryption with a browser"


def test_a_caller_who_died_on_hold_does_not_wait_for_ever() -> None:
    """The ghost call: an agent must never be rung for someone who is long gone."""
    centre = Centre()
    caller = centre.phones["300"]
    leg = caller.call("601")
    centre.settle()
    caller.hold(leg)
    centre.settle()
    centre.lose = lambda data: b"sip:300@" in data.split(b"\r\n", 1)[0]
    centre.media_event(m.MediaLost(centre.call.leg.id, 30.0))
    centre.advance(60)
    assert not centre.switch.calls and Kind.EXITSYSTEM in centre.kinds()
    caller.hang_up(leg)
    assert over(centre) is Disposition.FAILED


# ----- agents and their own calls


def test_nothing_rings_while_an_agent_logs_in_by_phone() -> None:
    """A phone with one line would be busy, which would count as a refusal and soon pause its owner."""
    centre = Centre()
    agent = centre.phones["201"]
    centre.phones["300"].call("601")
    centre.settle()
    leg = agent.call("*11")
    centre.settle()
    assert agent.legs == [leg], "he hears that he is logged in"
    feature = next(call for call in centre.switch.calls.values() if call.story.to_number == "*11")
    centre.play_out(feature)
    assert len(agent.legs) == 2, "and now the caller comes"
    assert Kind.RINGNOANSWER not in centre.kinds()


def test_two_calls_of_his_own_count_as_one() -> None:
    centre = Centre()
    centre.log_in("201")
    agent = centre.phones["201"]
    first, second = agent.call("301"), agent.call("302")
    centre.settle()
    for number in ("301", "302"):
        centre.phones[number].answer(centre.phones[number].legs[-1])
    centre.phones["300"].call("601")
    centre.advance(10)
    agent.hang_up(first)
    centre.advance(10)
    assert len(agent.legs) == 2, "he talks on the other line"
    agent.hang_up(second)
    centre.settle()
    assert len(agent.legs) == 3
    (idle,) = [event for event in centre.log if event.kind is Kind.AGENT_IDLE]
    assert idle.data["talk_s"] == pytest.approx(30)


# ----- what the switch asks others for


def test_no_port_is_left() -> None:
    centre = Centre()
    command = centre.workers[1].command
    centre.workers[1].command = lambda given: (  # type: ignore[method-assign]
        [m.AllocateFailed(given.leg, "full")] if isinstance(given, m.Allocate) else command(given)
    )
    centre.phones["300"].call("600")
    centre.settle()
    assert centre.phones["300"].of(Ended)[0].status == 503  # type: ignore[union-attr]
    assert centre.record.disposition is Disposition.MEDIA_FAILURE, "the record waits for nothing"
    centre.workers[1].command = command  # type: ignore[method-assign]
    assert over(centre) is Disposition.MEDIA_FAILURE


def test_a_peer_without_a_target_is_no_trap() -> None:
    centre = Centre(routes={"700": Target("peer", "pbx")})
    centre.phones["300"].call("700")
    centre.settle()
    assert centre.phones["300"].of(Ended)[0].status == 404  # type: ignore[union-attr]
    assert over(centre) is Disposition.REFUSED


def test_a_name_that_dns_never_answers_for_leaves_nothing() -> None:
    centre = Centre()
    contact = centre.switch.hub.settings.phones["301"]
    assert contact.contact is not None
    phones = dict(centre.switch.hub.settings.phones)
    phones["301"] = Phone("301", contact=msgspec.structs.replace(contact.contact, host="phone.example"))
    object.__setattr__(centre.switch.hub.settings, "phones", phones)
    leg = centre.phones["300"].call("301")
    centre.advance(5)
    (key,) = centre.switch.desk.ringing._resolving
    centre.phones["300"].hang_up(leg)
    assert over(centre) is Disposition.CANCELED
    assert not centre.switch.desk.ringing._resolving
    assert centre.switch.resolved(key, [("udp", "10.0.1.1", 5060)], centre.now) == [], (
        "the answer is too late"
    )


# ----- strangers


def stranger(centre: Centre, number: str, sender: bytes, body: bytes = b"", call: str = "c") -> None:
    """An INVITE from somewhere."""
    head = (
        f"INVITE sip:{number}@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.6.6;branch=z9hG4bK{number}{call}\r\n"
        f"Max-Forwards: 70\r\nTo: <sip:{number}@10.0.0.1>\r\nCall-ID: {number}{call}\r\nCSeq: 1 INVITE\r\n"
        f"User-Agent: \x1b[2J\r\nContact: <sip:x@10.0.6.6>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\nFrom: "
    )
    data = head.encode() + sender + b";tag=s\r\n\r\n" + body
    flow = Flow("udp", SWITCH, ("10.0.6.6", 5060))
    centre._carry_out(centre.switch.receive(data, flow, centre.now))


def test_a_flood_of_strange_names_is_kept_in_bounds() -> None:
    """Control characters, wrong UTF-8 and a display name of thousands reach neither log nor agent."""
    centre = Centre()
    centre.log_in("201")
    sender = b'"\x1b]0;owned\x07\xff\xfe' + b"A" * 4000 + b'" <sip:x%0d%0aEvil:1@h>'
    stranger(centre, "601", sender, centre.phones["300"].offer())
    story = centre.call.story
    texts = [story.from_number, story.from_name, story.to_number, story.record().legs[0].user_agent]
    assert all(text.isprintable() and len(text) <= 128 for text in texts), texts
    for event in centre.log:
        assert all(str(value).isprintable() for value in event.data.values())


def test_guests_find_no_feature_codes() -> None:
    centre = Centre()
    for number in ("*11", "*12", "201"):
        stranger(centre, number, b"<sip:guest@x>")
    assert {record.sip_status for record in centre.records.values()} == {404}
    assert {view.state for view in centre.acd.agents(centre.now)} == {"logged out"}


def test_strangers_cannot_take_every_place() -> None:
    centre = Centre()
    object.__setattr__(centre.switch.hub.settings, "max_calls", 20)
    body = centre.phones["300"].offer()
    for number in range(30):
        stranger(centre, "600", b"<sip:guest@x>", body, call=str(number))
    assert len(centre.switch.calls) == 18
    assert {record.sip_status for record in centre.records.values()} == {503}
    for number in ("300", "301", "302"):
        centre.phones[number].call("600")
        centre.settle()
    assert len(centre.switch.calls) == 20, "two of those whom we know"
    assert centre.phones["302"].of(Ended)[0].status == 503  # type: ignore[union-attr]


def test_keys_cost_no_timers() -> None:
    """A caller who presses keys without end fills no memory."""
    centre = Centre()
    centre.phones["300"].call("600")
    centre.settle()
    for _ in range(500):
        if centre.switch.calls:
            centre.key(centre.call, "7")
    assert len(centre.switch.hub._timers) < 20
    assert centre.kinds().count(Kind.DIGIT) <= 200


@pytest.mark.parametrize("part", ["talk", "leg_ended", "digit"])
def test_a_defect_costs_one_call(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with our own code: the call in which it shows is ended and told of, others go on."""
    centre = Centre()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such thing")

    centre.phones["301"].call("600")
    centre.settle()
    other = centre.call
    centre.log_in("201")
    leg = centre.phones["300"].call("600")
    centre.settle()
    call = next(call for call in centre.switch.calls.values() if call is not other)
    monkeypatch.setattr(centre.switch.desk, part, broken)
    centre.key(call, "1")
    for ringing in centre.phones["201"].legs:
        centre.phones["201"].answer(ringing)
    centre.settle()
    centre.phones["300"].hang_up(leg)
    centre.settle()
    monkeypatch.undo()
    assert list(centre.switch.calls.values()) == [other] and other.stage is Stage.MENU
    assert centre.record.disposition is Disposition.FAILED
    assert any("no such thing" in dict(warning.fields)["trace"] for warning in centre.warnings)
    centre.stop()
    centre.advance(200)
    centre.check_empty()


def test_a_defect_in_what_is_kept_of_a_call_costs_that_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time again, it would cost all that comes after it."""
    centre = Centre()

    def broken(hub: Hub, call: Call, *rest: Any) -> KeptCall | None:
        if call.identity.number == "300":
            raise RuntimeError("no such thing")
        return keep(hub, call, *rest)

    monkeypatch.setattr("softswitch.call.switch.keep", broken)
    for number in ("300", "301"):
        centre.phones[number].call("600")
        centre.settle()
    (other,) = centre.switch.calls.values()
    assert other.identity.number == "301" and list(centre.kept_calls) == [other.id]
    centre.advance(5)
    assert centre.record.disposition is Disposition.FAILED and centre.phones["300"].of(Ended)


def test_distributor_commands_that_are_refused_change_nothing() -> None:
    centre = Centre()
    centre.log_in("201")
    with pytest.raises(LocalError):
        centre.command(acd.LogIn("agent202", "201"))
    with pytest.raises(LocalError):
        centre.switch.hang_up("nobody", "admin", centre.now)
    assert [view.state for view in centre.acd.agents(centre.now)] == ["ready", "logged out"]


def test_calls_to_and_from_a_peer_say_so() -> None:
    """The record which way they went, the log from whom they came."""
    peers = {"pbx": Peer("pbx", Uri("sip", None, None, "10.0.1.5", 5060), max_calls=9)}
    here = Centre(
        routes={"+7900": Target("peer", "pbx"), "600": Target("flow", "main")}, more={"peers": peers}
    )
    caller, pbx = here.phones["300"], here.phones["302"]
    pbx.on_incoming = pbx.answer
    leg = caller.call("+7900")
    here.settle()
    caller.hang_up(leg)
    here.advance(5)
    here.switch.hub.settings.plan.peers["10.0.1.5"] = "pbx"  # type: ignore[attr-defined]
    pbx.hang_up(pbx.call("600"))
    here.advance(5)
    assert [record.direction for record in here.records.values()] == ["outbound", "inbound"]
    starts = [event.data for event in here.log if event.kind is Kind.CALL_START]
    assert [start.get("trunk") for start in starts] == [None, "pbx"]
