"""A third party is called into a talk, and any of the three leaves: who is bridged, what the records say."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.events import Kind
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import Peer, Target
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri
from tests.support.centre import Centre, Handset


class Three:
    """Caller 300 talks with agent 201; 302 is to join."""

    def __init__(self, **more: Any) -> None:
        self.centre = centre = Centre(more={"add_code": "*3", **more})
        centre.log_in("201")
        agent = centre.phones["201"]
        agent.on_incoming = agent.answer
        self.caller_leg = centre.phones["300"].call("601")
        centre.settle()
        [self.call] = centre.switch.calls.values()
        assert self.call.stage is Stage.TALK and self.call.partner is not None
        self.agent_leg = self.call.partner

    def phone(self, number: str) -> Handset:
        return self.centre.phones[number]

    def add(self, number: str = "302") -> Call:
        """He is called; his call."""
        centre = self.centre
        before = set(centre.switch.calls)
        centre._carry_out(centre.switch.add_party(self.call.id, number, "lea", centre.now))
        centre.settle()
        [call] = [call for name, call in centre.switch.calls.items() if name not in before]
        return call

    def joined(self, number: str = "302") -> Call:
        """He is called and has answered."""
        call = self.add(number)
        self.phone(number).answer(self.phone(number).legs[-1])
        self.centre.settle()
        assert call.stage is Stage.ROOM
        return call

    def down(self, number: str) -> None:
        phone = self.phone(number)
        phone.hang_up(phone.legs[-1])
        self.centre.settle()

    def room(self) -> set[int]:
        return set(self.centre.workers[1].rooms)

    def events(self, kind: Kind) -> list[dict[str, Any]]:
        return [event.data for event in self.centre.log if event.kind is kind]


def test_he_joins_and_leaves() -> None:
    three = Three()
    third = three.joined()
    assert three.room() == {three.call.leg.id, three.agent_leg.id, third.leg.id}
    assert all(join.heard_by is None and join.keys for join in three.centre.workers[1].rooms.values())
    three.centre.advance(4.0)
    three.down("302")
    three.centre.advance(4.0)
    assert three.room() == {three.call.leg.id, three.agent_leg.id}
    record = three.centre.records[third.id]
    assert record.disposition is Disposition.ANSWERED and record.talk_s == 4.0
    assert three.events(Kind.PARTY_ADDED) == [{"party": "302", "by": "lea"}]
    assert three.events(Kind.PARTY_LEFT) == [{"party": "302", "by": "lea", "joined_s": 4.0}]
    assert three.call.stage is Stage.TALK


def test_the_agent_leaves_the_two_others() -> None:
    three = Three()
    third = three.joined()
    leg = third.leg
    three.down("201")
    assert three.call.partner is leg and three.call.stage is Stage.TALK and three.call.agent == ""
    assert three.centre.workers[1].bridges[-1] == (three.call.leg.id, leg.id)
    assert leg.id in three.centre.workers[1].live
    assert three.events(Kind.COMPLETEAGENT) and three.events(Kind.WRAPUP_START)
    assert third.id not in three.centre.switch.calls
    assert three.centre.switch.desk.supervision.host("302") is three.call
    three.centre.advance(10.0)
    assert three.centre.records[third.id].cause == f"goes on in call {three.call.id}"
    three.down("302")
    three.centre.advance(5.0)
    record = three.centre.records[three.call.id]
    assert (record.disposition, record.agent, record.talk_s) == (Disposition.ANSWERED, "302", 10.0)
    assert not three.centre.workers[1].live and not three.centre.switch.calls


def test_the_caller_leaves_the_two_others() -> None:
    three = Three()
    third = three.joined()
    three.centre.advance(3.0)
    three.down("300")
    assert third.stage is Stage.TALK and third.partner is three.agent_leg
    assert three.centre.workers[1].bridges[-1] == (third.leg.id, three.agent_leg.id)
    three.centre.advance(7.0)
    record = three.centre.records[three.call.id]
    assert (record.disposition, record.ended_by, record.talk_s) == (Disposition.ANSWERED, "caller", 3.0)
    [view] = [one for one in three.centre.acd.agents(three.centre.now) if one.name == "agent201"]
    assert view.state == "own call"  # nothing is offered to him meanwhile
    assert three.centre.switch.desk.supervision.host("201") is third
    three.down("201")
    three.centre.advance(5.0)
    assert [data["talk_s"] for data in three.events(Kind.AGENT_IDLE)] == [7.0]  # 3 s were the queue's
    record = three.centre.records[third.id]
    assert (record.disposition, record.agent, record.ended_by) == (Disposition.ANSWERED, "agent201", "agent")
    assert not three.centre.workers[1].live and not three.centre.switch.calls


def test_an_agent_who_was_added_counts_what_he_talked_himself() -> None:
    three = Three()
    three.centre.log_in("202")
    three.centre.advance(100.0)
    three.joined("202")
    three.centre.advance(5.0)
    three.down("201")
    three.centre.advance(7.0)
    three.down("202")
    three.centre.advance(5.0)
    assert [(data["talk_s"]) for data in three.events(Kind.AGENT_IDLE)] == [12.0]


def test_he_does_not_answer() -> None:
    three = Three()
    third = three.add()
    three.phone("302").refuse(three.phone("302").legs[-1])
    three.centre.advance(5.0)
    assert three.centre.records[third.id].disposition is Disposition.BUSY
    assert three.call.stage is Stage.TALK and not three.room()
    third = three.add()
    three.centre.advance(35.0)
    assert three.centre.records[third.id].disposition is Disposition.NO_ANSWER


def test_the_talk_ends_while_his_phone_rings() -> None:
    three = Three()
    three.add()
    three.down("300")
    three.centre.advance(5.0)
    assert not three.centre.switch.calls and not three.centre.workers[1].live


def test_the_agent_adds_him_by_keys() -> None:
    three = Three()
    phone = three.phone("302")
    phone.on_incoming = phone.answer
    for key in "12*3302#":
        three.centre.media_event(_digit(three.agent_leg.id, key))
    assert len(three.room()) == 3
    assert three.events(Kind.PARTY_ADDED)[0]["by"] == "key of agent201"


def test_the_caller_adds_nobody_by_keys() -> None:
    three = Three()
    for key in "*3302#":
        three.centre.media_event(_digit(three.call.leg.id, key))
    assert len(three.centre.switch.calls) == 1


def test_slow_keys_are_no_number() -> None:
    three = Three()
    for key in "*3302#":
        three.centre.media_event(_digit(three.agent_leg.id, key))
        three.centre.advance(6.0)
    assert len(three.centre.switch.calls) == 1


def test_a_number_outside_takes_a_channel_while_he_is_there() -> None:
    peer = Peer("pbx", Uri("sip", None, None, "10.0.9.9", 5060), max_calls=1)
    three = Three(peers={"pbx": peer})
    plan = three.centre.switch.hub.settings.plan
    assert hasattr(plan, "routes")
    plan.routes["555"] = Target("peer", "pbx")
    third = three.add("555")
    assert third.channels == ["pbx"] and third.story.direction == "outbound"
    with pytest.raises(LocalError, match="cannot be called"):
        three.add("555")
    three.down("300")
    three.centre.advance(5.0)
    assert not three.centre.switch.calls


def test_the_channel_of_a_number_outside_goes_on_with_it() -> None:
    peer = Peer("pbx", Uri("sip", None, None, "10.0.9.9", 5060), max_calls=1)
    three = Three(peers={"pbx": peer})
    centre = three.centre
    outside = Handset(centre, "555", "10.0.9.9")
    outside.on_incoming = outside.answer
    centre._by_address[outside.address] = outside
    centre.switch.hub.settings.plan.routes["555"] = Target("peer", "pbx")  # type: ignore[attr-defined]
    third = three.add("555")
    assert third.stage is Stage.ROOM
    three.down("201")
    centre.advance(5.0)
    assert three.call.channels == ["pbx"] and third.id in centre.records
    assert three.call.story.direction == "internal" and three.call.stage is Stage.TALK
    outside.hang_up(outside.legs[-1])
    centre.advance(10.0)
    assert not centre.switch.calls and centre.switch.desk.channels.taken == {"pbx": 0}
    centre.phones["300"].call("601")  # and the channel is free for another
    centre.advance(6.0)
    [call] = centre.switch.calls.values()
    centre._carry_out(centre.switch.add_party(call.id, "555", "lea", centre.now))
    assert len(centre.switch.calls) == 2


@pytest.mark.parametrize("number", ["999", "601", ""])
def test_what_is_no_phone_cannot_be_added(number: str) -> None:
    three = Three()
    with pytest.raises(LocalError, match="leads to no phone"):
        three.add(number)


def test_a_supervisor_and_a_third_party() -> None:
    three = Three()
    third = three.joined()
    centre = three.centre
    boss = centre.phones["301"]
    boss.on_incoming = boss.answer
    centre._carry_out(centre.switch.supervise(three.call.id, "listen", "301", "lea", centre.now))
    centre.settle()
    assert len(three.room()) == 4
    three.down("201")  # the third party takes the agent's place, and the supervisor still listens
    joins = centre.workers[1].rooms
    assert set(joins) >= {three.call.leg.id, third.leg.id} or len(joins) == 3
    assert sorted(join.heard_by is None for join in joins.values()) == [False, True, True]


def test_the_agent_hangs_up_while_he_holds_the_talk() -> None:
    three = Three()
    third = three.joined()
    leg = third.leg
    three.phone("201").hold(three.phone("201").legs[-1])
    three.centre.settle()
    assert three.call.held == {three.agent_leg.id}
    three.down("201")
    assert three.call.partner is leg and not three.call.held
    three.centre.advance(3.0)
    three.phone("302").hold(three.phone("302").legs[-1])
    three.centre.settle()
    three.centre.advance(4.0)
    three.down("300")
    three.centre.advance(4.0)
    assert three.centre.records[three.call.id].hold_s == 4.0


@pytest.mark.parametrize("how", ["added", "barge"])
def test_nobody_hears_the_music_of_who_holds_the_talk(how: str) -> None:
    three = Three()
    centre = three.centre
    if how == "added":
        leg = three.joined().leg
    else:
        centre._carry_out(centre.switch.supervise(three.call.id, "barge", "302", "lea", centre.now))
        centre.settle()
        three.phone("302").answer(three.phone("302").legs[-1])
        centre.settle()
        [watch] = centre.switch.desk.supervision.of(three.call)
        leg = watch.call.leg
    assert not centre.workers[1].rooms[leg.id].muted
    three.phone("302").hold(three.phone("302").legs[-1])
    centre.settle()
    assert centre.workers[1].rooms[leg.id].muted
    three.phone("302").hold(three.phone("302").legs[-1], held=False)
    centre.settle()
    assert not centre.workers[1].rooms[leg.id].muted
    assert set(centre.workers[1].rooms) == {three.call.leg.id, three.agent_leg.id, leg.id}


@pytest.mark.parametrize("leaves", ["caller", "called"])
def test_the_channel_of_whoever_stays_is_taken_and_no_other(leaves: str) -> None:
    peer = Peer("pbx", Uri("sip", None, None, "10.0.9.9", 5060), max_calls=5)
    three = Three(peers={"pbx": peer})
    centre = three.centre
    carrier = Handset(centre, "555", "10.0.9.9")
    carrier.on_incoming = carrier.answer
    centre._by_address[carrier.address] = carrier
    centre.switch.hub.settings.plan.routes["555"] = Target("peer", "pbx")  # type: ignore[attr-defined]
    three.down("300")
    centre.advance(8.0)
    taken = centre.switch.desk.channels.taken
    centre.phones["300"].call("555")
    centre.settle()
    [three.call] = centre.switch.calls.values()
    third = three.joined()
    assert taken == {"pbx": 1}
    if leaves == "caller":
        three.down("300")
        centre.advance(5.0)
        assert list(centre.switch.calls) == [third.id] and taken == {"pbx": 1}
    else:
        carrier.hang_up(carrier.legs[-1])
        centre.advance(5.0)
        assert list(centre.switch.calls) == [three.call.id] and taken == {"pbx": 0}
    three.down("302")
    centre.advance(5.0)
    assert not centre.switch.calls and taken == {"pbx": 0}


def test_who_goes_on_in_another_call_leaves_the_one_before() -> None:
    """Each call's log has the whole of who was in its talk."""
    three = Three()
    first, other = three.joined("302"), three.joined("301")
    three.centre.advance(3)
    three.down("300")
    three.centre.advance(4)
    three.down("301")
    told = [
        (event.call, event.kind, event.data["party"], event.data.get("joined_s"))
        for event in three.centre.log
        if event.kind in (Kind.PARTY_ADDED, Kind.PARTY_LEFT) and event.data["party"] == "301"
    ]
    assert told == [
        (three.call.id, Kind.PARTY_ADDED, "301", None),
        (three.call.id, Kind.PARTY_LEFT, "301", 3.0),
        (first.id, Kind.PARTY_ADDED, "301", None),
        (first.id, Kind.PARTY_LEFT, "301", 4.0),
    ]
    assert other.id not in three.centre.switch.calls


def test_keys_of_an_agent_who_has_left_are_forgotten() -> None:
    three = Three()
    three.centre.media_event(_digit(three.agent_leg.id, "5"))
    three.joined()
    three.down("201")
    three.down("300")
    three.centre.advance(5.0)
    assert not three.centre.switch.desk.third_parties._pressed


def _digit(leg: int, key: str) -> m.Digit:
    return m.Digit(leg, key, "rfc4733")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_history_leaves_nothing(data: st.DataObject) -> None:
    """Whoever is added, answers and leaves in whatever order: one record each, nothing left, no agent
    lost."""
    three = Three()
    centre = three.centre
    steps = ["add 302", "add 301", "answer 302", "answer 301", "down 302", "down 301", "down 201", "down 300"]
    steps += ["wait", "refuse 302", "hold 302", "hold 201", "hold 300"]
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=10)):
        what, _, number = step.partition(" ")
        legs = [leg for leg in centre.phones[number].legs if leg.state.name != "ENDED"] if number else []
        if what == "add" and three.call.id in centre.switch.calls:
            with contextlib.suppress(LocalError):
                three.add(number)
        elif what == "answer" and legs and legs[-1].state.name == "INCOMING":
            centre.phones[number].answer(legs[-1])
        elif what == "refuse" and legs and legs[-1].state.name == "INCOMING":
            centre.phones[number].refuse(legs[-1])
        elif what == "hold" and legs and legs[-1].state.name == "CONFIRMED":
            centre.phones[number].hold(legs[-1], held=data.draw(st.booleans()))
        elif what == "down" and legs:
            centre.phones[number].hang_up(legs[-1])
        else:
            centre.advance(2.0)
        centre.settle()
        assert not centre.switch.compare()
        for call in centre.switch.calls.values():
            if call.stage is Stage.TALK and call.partner is not None:
                held = {leg.id for leg in (call.leg, call.partner) if leg.audio and leg.audio.held}
                assert call.held == held
    for phone in centre.phones.values():
        for leg in phone.legs:
            phone.hang_up(leg)
    centre.advance(120.0)
    assert not centre.switch.calls and not centre.workers[1].live
    assert set(centre.records) == set(centre.opened)
    assert Disposition.OPEN not in {record.disposition for record in centre.records.values()}
    [view] = [one for one in centre.acd.agents(centre.now) if one.name == "agent201"]
    assert view.state == "ready"
