"""Supervisors and third parties of a talk that goes on in the second switch go on with it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from acd.events import Kind
from softswitch.call.call import Call, Stage
from softswitch.call.reconcile import compare
from softswitch.call.record import Disposition
from softswitch.call.settings import Peer, Target
from softswitch.call.supervision import Mode
from softswitch.call.taking_over import going_on
from softswitch.sip.uri import Uri
from tests.softswitch.call.test_supervision import BOSS, Story, centre_of, events
from tests.softswitch.call.test_taking_over import killed, present
from tests.softswitch.call.test_third_party import Three
from tests.support.centre import Centre, Ended


def again(first: Centre) -> Centre:
    """The second switch, which has the phones of the first."""
    settings = first.switch.hub.settings
    return killed(first, more={"phones": settings.phones, "add_code": settings.add_code})


def there(second: Centre, call: Call) -> Call:
    """The call, in the second switch."""
    assert compare(second.switch.desk) == []
    return second.switch.calls[call.id]


@pytest.fixture
def story() -> Story:
    """Caller 300 talks with agent 201, and the supervisor's phone will ring."""
    return Story(centre_of())


@pytest.mark.parametrize("mode", ["listen", "whisper", "barge"])
def test_a_supervisor_is_in_the_talk_as_he_was(story: Story, mode: Mode) -> None:
    story.order("listen")
    visitor = story.pick_up()
    story.order(mode)
    heard_by = {"listen": (), "whisper": (story.agent_leg.id,), "barge": None}[mode]
    story.check(visitor.leg, heard_by)
    story.centre.advance(7)
    story.centre = second = again(story.centre)
    assert not story.boss.of(Ended) and there(second, visitor).stage is Stage.ROOM
    story.check(visitor.leg, heard_by)
    second.key(there(second, visitor), "6")
    story.check(visitor.leg, None)
    second.advance(3)
    caller = second.phones["300"]
    caller.hang_up(caller.legs[-1])
    second.settle()
    assert story.boss.of(Ended)
    second.advance(4)
    record = second.records[visitor.id]
    assert record.disposition is Disposition.CONFERENCE and record.cause == "the talk is over"
    assert record.talk_s == pytest.approx(15.0, abs=0.1)
    (end,) = events(second, Kind.SUPERVISION_END)
    assert end["listened_s"] == pytest.approx(15.0, abs=0.1)
    second.advance(60)
    second.check_empty()


def test_a_supervisor_leaves_and_the_talk_does_not_notice(story: Story) -> None:
    story.order("listen")
    visitor = story.pick_up()
    story.centre = second = again(story.centre)
    story.boss.hang_up(story.boss.legs[-1])
    second.settle()
    assert visitor.id not in second.switch.calls and there(second, story.call).stage is Stage.TALK


def test_a_supervisor_whose_phone_rings_hears_it_no_more(story: Story) -> None:
    story.order("listen")
    visitor = story.visitor
    story.centre = second = again(story.centre)
    assert story.boss.of(Ended) and set(second.switch.calls) == {story.call.id}
    assert there(second, story.call).stage is Stage.TALK and visitor.id not in second.kept_calls


def test_guests_of_a_call_that_cannot_be_read_are_told(story: Story) -> None:
    story.order("listen")
    story.pick_up()
    name = story.call.id
    kept = story.centre.kept_calls[name]
    broken = replace(kept.caller, dialog=replace(kept.caller.dialog, remote="<<"))
    story.centre.kept_calls[name] = replace(kept, caller=broken)
    story.centre = second = again(story.centre)
    assert story.boss.of(Ended) and not second.switch.calls and not second.kept_calls


def test_guests_of_a_talk_that_does_not_go_on_do_not_either(story: Story) -> None:
    story.order("listen")
    visitor = story.pick_up()
    kept = story.centre.kept_calls
    assert going_on(kept.values(), present(story.centre)) == {story.call.id: {BOSS}, visitor.id: set()}
    assert not going_on([kept[visitor.id]], present(story.centre))


@pytest.mark.parametrize("leaves", ["201", "300", "302"])
def test_each_of_three_may_leave_the_two_others(leaves: str) -> None:
    three = Three()
    third = three.joined()
    legs = {three.call.leg.id, three.agent_leg.id, third.leg.id}
    three.centre.advance(7)
    three.centre = second = again(three.centre)
    assert not three.phone("302").of(Ended) and there(second, third).stage is Stage.ROOM
    assert three.room() == legs and not three.events(Kind.PARTY_LEFT)
    assert all(join.heard_by is None and join.keys for join in second.workers[1].rooms.values())
    second.advance(3)
    three.down(leaves)
    assert [data["joined_s"] for data in three.events(Kind.PARTY_LEFT)] == [pytest.approx(15.0, abs=0.1)]
    left = {"201": three.agent_leg.id, "300": three.call.leg.id, "302": third.leg.id}[leaves]
    (talk,) = second.switch.calls.values()
    assert talk.stage is Stage.TALK and talk.partner is not None
    assert {talk.leg.id, talk.partner.id} == legs - {left}
    assert compare(second.switch.desk) == []
    for number in {"201", "300", "302"} - {leaves}:
        three.down(number)
    second.advance(60)
    assert {record.disposition for record in second.records.values()} == {Disposition.ANSWERED}
    second.check_empty()


def test_who_stays_is_a_guest_of_who_stays() -> None:
    """The caller has left: the other third party is in the talk of the first."""
    three = Three()
    first, other = three.joined("302"), three.joined("301")
    three.down("300")
    assert first.stage is Stage.TALK and other.stage is Stage.ROOM
    three.centre = second = again(three.centre)
    assert there(second, first).stage is Stage.TALK and there(second, other).stage is Stage.ROOM
    three.down("201")
    (talk,) = second.switch.calls.values()
    assert there(second, talk).stage is Stage.TALK and talk.partner is not None
    assert {talk.leg.id, talk.partner.id} == {first.leg.id, other.leg.id}


def test_killed_twice(story: Story) -> None:
    story.order("listen")
    visitor = story.pick_up()
    story.centre = second = again(again(story.centre))
    assert there(second, visitor).stage is Stage.ROOM
    story.check(visitor.leg, ())


def test_the_one_who_came_first_takes_the_place_of_the_agent() -> None:
    three = Three()
    first = three.joined("302")
    three.centre.advance(1)
    three.joined("301")
    kept = three.centre.kept_calls
    kept[first.id] = kept.pop(first.id)  # the database has them in another order
    three.centre = second = again(three.centre)
    three.down("201")
    host = there(second, three.call)
    assert host.partner is not None and host.partner.id == first.leg.id


def test_a_party_outside_keeps_his_name_and_his_channel() -> None:
    peers = {"pbx": Peer("pbx", Uri("sip", None, None, "10.0.1.5", 5060), max_calls=1)}
    three = Three(peers=peers)
    three.centre.switch.hub.settings.plan.routes["8(900)1"] = Target("peer", "pbx")
    third, phone = three.add("8(900)1"), three.phone("302")
    phone.answer(phone.legs[-1])
    three.centre.settle()
    settings = three.centre.switch.hub.settings
    three.centre = second = killed(three.centre, more={"phones": settings.phones, "peers": peers})
    channels = second.switch.desk.channels
    assert there(second, third).stage is Stage.ROOM and channels.taken == {"pbx": 1}
    three.down("201")
    (left,) = three.events(Kind.PARTY_LEFT)
    assert left["party"] == "8(900)1" and channels.taken == {"pbx": 1}
    three.down("302")
    assert channels.taken == {"pbx": 0}


def test_an_agent_counts_what_he_talked_himself() -> None:
    """The caller has left: the agent has a call of his own since, in which the talk before is not his."""
    three = Three()
    three.joined()
    three.centre.advance(100)
    three.down("300")
    three.centre.advance(7)
    three.centre = second = again(three.centre)
    three.down("201")
    second.advance(5)
    (idle,) = three.events(Kind.AGENT_IDLE)
    assert idle["talk_s"] == pytest.approx(12.0, abs=0.1) and idle["direction"] == "outbound"
