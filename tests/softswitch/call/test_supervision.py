"""Supervisors in the talks of others: who hears whom, who may, and what is left when one of them is gone."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.events import Kind
from softswitch.call.allowance import BURST, EVERY_S
from softswitch.call.call import Call, Stage
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition
from softswitch.call.settings import Phone
from softswitch.call.supervision import Mode
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri
from tests.support.centre import Centre, Handset

BOSS = "302"


def centre_of(supervises: tuple[str, ...] = ("sales",), phones: dict[str, Phone] | None = None) -> Centre:
    """The agents 201 and 202, callers 300 and 301, a supervisor's phone 302, and other `phones`."""
    hosts = {number: f"10.0.1.{place}" for place, number in enumerate(("201", "202", "300", "301", BOSS), 1)}
    known = {
        number: Phone(
            number,
            contact=Uri("sip", number, None, host, 5060),
            supervises=supervises if number == BOSS else (),
        )
        for number, host in hosts.items()
    }
    return Centre(more={"phones": known | (phones or {})})


class Story:
    """A talk of caller 300 and agent 201, and the supervisor."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        centre.log_in("201")
        agent, boss = centre.phones["201"], centre.phones[BOSS]
        agent.on_incoming = agent.answer
        boss.on_incoming = boss.ring
        self.caller = centre.phones["300"].call("601")
        centre.settle()
        [self.call] = centre.switch.calls.values()
        assert self.call.stage is Stage.TALK and self.call.partner is not None
        self.agent_leg = self.call.partner

    @property
    def boss(self) -> Handset:
        return self.centre.phones[BOSS]

    def order(self, mode: Mode, extension: str = BOSS) -> None:
        centre = self.centre
        centre._carry_out(centre.switch.supervise(self.call.id, mode, extension, "lea", centre.now))
        centre.settle()

    def pick_up(self) -> Call:
        self.boss.answer(self.boss.legs[-1])
        self.centre.settle()
        return self.visitor

    @property
    def visitor(self) -> Call:
        [call] = [call for call in self.centre.switch.calls.values() if call is not self.call]
        return call

    def rooms(self) -> dict[int, tuple[int, tuple[int, ...] | None]]:
        return {leg: (join.room, join.heard_by) for leg, join in self.centre.workers[1].rooms.items()}

    def check(self, visitor: Leg, heard_by: tuple[int, ...] | None) -> None:
        rooms = self.rooms()
        [room] = {room for room, _ in rooms.values()}
        assert rooms == {
            self.call.leg.id: (room, None),
            self.agent_leg.id: (room, None),
            visitor.id: (room, heard_by),
        }
        joins = self.centre.workers[1].rooms
        assert {leg for leg, join in joins.items() if join.keys} == {self.call.leg.id, self.agent_leg.id}


def events(centre: Centre, kind: Kind) -> list[dict[str, Any]]:
    return [event.data for event in centre.log if event.kind is kind]


def test_a_supervisor_is_called_listens_whispers_and_talks() -> None:
    story = Story(centre_of())
    story.order("listen")
    assert not story.rooms()  # his phone rings
    assert story.visitor.stage is Stage.RINGING
    visitor = story.pick_up()
    story.check(visitor.leg, ())
    story.order("whisper")
    story.check(visitor.leg, (story.agent_leg.id,))
    story.order("barge")
    story.check(visitor.leg, None)
    assert [data["mode"] for data in events(story.centre, Kind.SUPERVISION)] == ["listen", "whisper", "barge"]
    logged = next(event for event in story.centre.log if event.kind is Kind.SUPERVISION)
    assert (logged.call, logged.agent, logged.queue) == (story.call.id, "agent201", "sales")
    assert logged.data == {"supervisor": BOSS, "mode": "listen", "by": "lea"}


def test_his_keys_change_what_he_does() -> None:
    story = Story(centre_of())
    story.order("listen")
    visitor = story.pick_up()
    for key, heard_by in (("6", None), ("5", (story.agent_leg.id,)), ("9", (story.agent_leg.id,)), ("4", ())):
        story.centre.key(visitor, key)
        story.check(visitor.leg, heard_by)
    assert len(events(story.centre, Kind.SUPERVISION)) == 4


def test_a_program_that_presses_his_keys_does_not_fill_the_log() -> None:
    story = Story(centre_of())
    story.order("listen")
    visitor = story.pick_up()
    before = story.centre.now
    for _ in range(100):
        story.centre.key(visitor, "6")
        story.centre.key(visitor, "5")
    assert len(events(story.centre, Kind.SUPERVISION)) <= 1 + BURST + (story.centre.now - before) / EVERY_S


def test_he_leaves_with_the_talk() -> None:
    story = Story(centre_of())
    story.order("barge")
    visitor = story.pick_up()
    story.centre.advance(7.0)
    story.centre.phones["300"].hang_up(story.caller)
    story.centre.advance(5.0)
    records = story.centre.records
    assert records[story.call.id].disposition is Disposition.ANSWERED
    assert records[visitor.id].disposition is Disposition.CONFERENCE
    assert records[visitor.id].cause == "the talk is over" and records[visitor.id].talk_s == 7.0
    assert events(story.centre, Kind.SUPERVISION_END) == [
        {"supervisor": BOSS, "mode": "barge", "by": "lea", "listened_s": 7.0}
    ]
    assert not story.centre.workers[1].live and not story.rooms()


def test_the_talk_does_not_notice_when_he_leaves() -> None:
    story = Story(centre_of())
    story.order("listen")
    visitor = story.pick_up()
    story.boss.hang_up(story.boss.legs[-1])
    story.centre.advance(5.0)
    assert set(story.rooms()) == {story.call.leg.id, story.agent_leg.id}
    assert story.call.stage is Stage.TALK
    assert story.centre.records[visitor.id].ended_by == "caller"
    story.order("listen")  # and he may come back
    story.check(story.pick_up().leg, ())


@pytest.mark.parametrize("status", [486, 480])
def test_he_does_not_answer(status: int) -> None:
    story = Story(centre_of())
    story.order("listen")
    visitor = story.visitor
    story.boss.refuse(story.boss.legs[-1], status)
    story.centre.advance(5.0)
    expected = Disposition.BUSY if status == 486 else Disposition.NO_ANSWER
    assert story.centre.records[visitor.id].disposition is expected
    assert story.call.stage is Stage.TALK and not story.rooms()
    assert not events(story.centre, Kind.SUPERVISION)


def test_the_talk_ends_while_his_phone_rings() -> None:
    story = Story(centre_of())
    story.order("listen")
    visitor = story.visitor
    story.centre.phones["300"].hang_up(story.caller)
    story.centre.advance(5.0)
    assert story.centre.records[visitor.id].disposition is Disposition.FAILED
    assert not story.centre.workers[1].live and not story.centre.switch.calls


def test_the_code_from_his_phone() -> None:
    story = Story(centre_of())
    story.boss.call("*32201")
    story.centre.settle()
    story.check(story.visitor.leg, (story.agent_leg.id,))
    assert story.visitor.stage is Stage.ROOM


@pytest.mark.parametrize(("supervises", "may"), [((), False), (("support",), False), (("*",), True)])
def test_only_who_may_supervise_can_by_code(supervises: tuple[str, ...], may: bool) -> None:
    story = Story(centre_of(supervises))
    story.boss.call("*31201")
    story.centre.settle()
    assert bool(story.rooms()) is may
    if not may:
        story.centre.advance(60.0)
        [record] = story.centre.records.values()
        assert record.disposition is Disposition.REFUSED and "may not supervise" in record.cause


def test_a_code_for_a_phone_where_nobody_talks() -> None:
    story = Story(centre_of())
    story.boss.call("*31202")
    story.centre.advance(60.0)
    [record] = story.centre.records.values()
    assert record.disposition is Disposition.REFUSED and record.cause == "nobody talks at 202"


def test_a_whisper_is_for_our_own_extension_where_there_is_no_agent() -> None:
    centre = centre_of(("*",))
    centre.phones["301"].on_incoming = centre.phones["301"].answer
    centre.phones["300"].call("301")
    centre.settle()
    [call] = centre.switch.calls.values()
    assert call.partner is not None
    centre.phones[BOSS].call("*32300")
    centre.settle()
    [visitor] = [one for one in centre.switch.calls.values() if one is not call]
    assert centre.workers[1].rooms[visitor.leg.id].heard_by == (call.partner.id,)


def test_what_cannot_be() -> None:
    phones = {"303": Phone("303")}
    story = Story(centre_of(phones=phones))
    with pytest.raises(LocalError, match="303 is not registered"):
        story.order("listen", "303")
    assert len(story.centre.switch.calls) == 1
    with pytest.raises(LocalError, match="no extension '999'"):
        story.order("listen", "999")
    with pytest.raises(LocalError, match="in this talk itself"):
        story.order("listen", "201")
    with pytest.raises(LocalError, match="no live call"):
        story.centre.switch.supervise("nothing", "listen", BOSS, "lea", story.centre.now)
    story.order("listen")
    visitor = story.pick_up()
    with pytest.raises(LocalError, match="no conversation"):
        story.centre.switch.supervise(visitor.id, "listen", "202", "lea", story.centre.now)


def test_a_supervisor_hears_through_a_hold() -> None:
    story = Story(centre_of())
    story.order("whisper")
    visitor = story.pick_up()
    story.centre.phones["201"].hold(story.centre.phones["201"].legs[-1])
    story.centre.settle()
    story.check(visitor.leg, (story.agent_leg.id,))
    joins = story.centre.workers[1].rooms
    assert joins[story.agent_leg.id].muted and not joins[story.call.leg.id].muted
    assert story.centre.heard(story.call) is not None  # the caller has his music
    story.centre.phones["201"].hold(story.centre.phones["201"].legs[-1], held=False)
    story.centre.settle()
    assert story.centre.heard(story.call) is None
    assert not story.centre.workers[1].rooms[story.agent_leg.id].muted


def test_an_agent_who_supervises_is_offered_nothing() -> None:
    story = Story(centre_of(("*",)))
    centre = story.centre
    centre.log_in("202")
    second = centre.phones["202"]
    second.on_incoming = second.answer
    story.order("listen", "202")
    centre.settle()
    centre.phones["301"].call("601")
    centre.advance(3.0)
    assert sum(call.stage is Stage.QUEUE for call in centre.switch.calls.values()) == 1


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_history_leaves_nothing(data: st.DataObject) -> None:
    """Orders, keys, answers and hang-ups in any order: every call has one record, nothing is left
    anywhere."""
    story = Story(centre_of())
    centre = story.centre
    steps = ["listen", "whisper", "barge", "answer", "refuse", "down", "key", "wait", "code", "end"]
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=12)):
        live = [leg for leg in story.boss.legs if leg.state.name not in ("ENDED", "CLOSING")]
        if step in ("listen", "whisper", "barge"):
            with contextlib.suppress(LocalError):
                story.order(step)  # type: ignore[arg-type]
        elif step == "answer" and live and live[-1].state.name == "INCOMING":
            story.boss.answer(live[-1])
        elif step == "refuse" and live and live[-1].state.name == "INCOMING":
            story.boss.refuse(live[-1])
        elif step == "down" and live:
            story.boss.hang_up(live[-1])
        elif step == "key":
            for call in list(centre.switch.calls.values()):
                if call.stage is Stage.ROOM:
                    centre.key(call, "5")
        elif step == "code":
            story.boss.call("*33201")
        elif step == "end":
            centre.phones["300"].hang_up(story.caller)
        else:
            centre.advance(3.0)
        centre.settle()
        assert not centre.switch.compare()
    centre.phones["300"].hang_up(story.caller)
    centre.advance(120.0)
    assert not centre.switch.calls and not centre.workers[1].live
    assert set(centre.records) == set(centre.opened)
    assert Disposition.OPEN not in {record.disposition for record in centre.records.values()}
    assert len(events(centre, Kind.SUPERVISION_END)) <= len(events(centre, Kind.SUPERVISION))
