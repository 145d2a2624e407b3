"""Conferences when the switch is killed: their members go on in the second one, in the room as it was."""

from __future__ import annotations

from typing import Any

import pytest

from acd.events import Kind
from media import messages as m
from softswitch.call.reconcile import compare
from softswitch.call.record import Disposition
from softswitch.call.settings import ConferenceCare, Target
from tests.softswitch.call.test_conferences import (
    centre_of,
    down,
    enter,
    joined,
    keys,
    order,
    to_conference,
    two_workers,
)
from tests.softswitch.call.test_taking_over import killed
from tests.support.centre import Centre, Ended

MUSIC = ("/music.wav",)


def again(first: Centre, care: ConferenceCare | None = None, **options: Any) -> Centre:
    """The second switch, which has the conference too."""
    more = {
        "conferences": {"team": care or ConferenceCare(music=MUSIC)},
        "phrases": first.switch.hub.settings.phrases,
        **options,
    }
    numbers = ("300", "301", "302", "303")
    return killed(first, callers=numbers, routes={"700": Target("conference", "team")}, more=more)


def test_the_room_is_as_it_was() -> None:
    first = centre_of(ConferenceCare(moderator_pin="9", music=MUSIC))
    one, two, three = enter(first, "300", "301", "302")
    for call, pin in ((one, "9#"), (two, "#"), (three, "#")):
        keys(first, call, pin)
    order(first, "mute", two.id, True)
    order(first, "gain", three.id, -6.0)
    keys(first, three, "1")
    keys(first, one, "9")
    first.phones["302"].hold(first.phones["302"].legs[-1])
    first.settle()
    before, room = dict(joined(first)), first.switch.conferences.open["team"]
    first.advance(10)
    second = again(first, ConferenceCare(moderator_pin="9", music=MUSIC))
    there = second.switch.conferences.open["team"]
    assert (there.room, there.since, there.locked) == (room.room, room.since, True)
    assert [
        (x.call.id, x.since, x.moderator, x.muted, x.muted_by, x.gain_db, x.held)
        for x in there.members.values()
    ] == [
        (x.call.id, x.since, x.moderator, x.muted, x.muted_by, x.gain_db, x.held)
        for x in room.members.values()
    ]
    assert joined(second) == before and not any(phone.of(Ended) for phone in second.phones.values())
    keys(second, there.members[one.id].call, "9")
    assert not there.locked, "the moderator still is one"
    enter(second, "303")
    assert len(second.switch.calls) == 4
    for number in ("300", "301", "302", "303"):
        down(second, number)
    second.advance(4)
    second.check_empty()
    record = second.records[one.id]
    assert record.disposition is Disposition.CONFERENCE and record.talk_s == pytest.approx(15.0, abs=0.1)
    for call in (one, two, three):
        assert second.kinds(call.id).count(Kind.CONFERENCE_JOIN) == 1
        (left,) = [
            event for event in second.log if event.kind is Kind.CONFERENCE_LEAVE and event.call == call.id
        ]
        assert left.data["joined_s"] == pytest.approx(15.0, abs=0.1)
    assert not second.kept_calls


def test_who_left_meanwhile_is_found_out_and_who_is_alone_has_music() -> None:
    first = centre_of()
    one, two = enter(first, "300", "301")
    first.phones["301"].ua.ep.forget(first.phones["301"].legs[-1])
    second = again(first)
    assert list(second.switch.calls) == [one.id]
    heard = second.heard(second.call)
    assert heard is not None and heard.clips == MUSIC
    assert two.id not in second.switch.conferences.open["team"].members


def test_who_is_there_by_a_link_from_another_worker_stays() -> None:
    first, one, caller = two_workers(ConferenceCare(beep=False))
    to_conference(first, caller)
    bridges, rooms = list(first.workers[1].bridges), dict(first.workers[2].rooms)
    legs = {number: set(worker.live) for number, worker in first.workers.items()}
    second = again(first, ConferenceCare(beep=False))
    assert {one.id, caller.id} <= set(second.switch.calls)
    assert (second.workers[1].bridges, second.workers[2].rooms) == (bridges, rooms)
    assert {number: worker.live for number, worker in second.workers.items()} == legs
    there = second.switch.conferences.open["team"]
    assert there.worker == 2 and set(there.members) == {one.id, caller.id}
    keys(second, there.members[caller.id].call, "1")
    [linked] = set(rooms) - {one.leg.id}
    assert second.workers[2].rooms[linked].muted and not compare(second.switch.desk)
    third = again(second, ConferenceCare(beep=False))
    down(third, "303")
    down(third, "300")
    third.advance(40)
    assert not third.workers[1].live and not third.workers[2].live and not third.kept_calls
    assert third.records[caller.id].disposition is Disposition.CONFERENCE


@pytest.mark.parametrize("lost", [1, 2])
def test_a_link_whose_leg_is_gone_ends_its_call_only(lost: int) -> None:
    first, one, caller = two_workers(ConferenceCare(beep=False))
    to_conference(first, caller)
    own = caller.leg.id if lost == 1 else one.leg.id
    [gone] = first.workers[lost].live - {own}
    first.workers[lost].live.discard(gone)
    second = again(first, ConferenceCare(beep=False))
    assert list(second.switch.calls) == [one.id] and second.phones["303"].of(Ended)
    second.advance(4)
    assert second.workers[1].live | second.workers[2].live == {one.leg.id}


def test_its_recording_runs_on_and_is_one_file() -> None:
    """Also when who opened it has left, and another is the first now."""
    care = ConferenceCare(record=True)
    first = centre_of(care)
    one, two, _ = enter(first, "300", "301", "302")
    down(first, "300")
    first.advance(4)
    (tape,) = first.tapes.values()
    second = again(again(first, care), care)
    there = second.switch.conferences.open["team"]
    assert second.switch.conferences.is_recorded(there) and tape.call == one.id
    assert list(second.workers[1].recordings) == [there.recording]
    down(second, "301")
    down(second, "302")
    second.advance(4)
    assert not second.workers[1].recordings and not second.workers[1].live
    assert [(one.id, one.state) for one in second.tapes.values()] == [(tape.id, "waiting")]
    assert two.id in second.records and second.taped == [tape.id]


@pytest.mark.parametrize("told", [True, False])
def test_a_recording_that_has_ended_is_not_resumed(told: bool) -> None:
    """The first process had heard that the disk is full, or nobody had."""
    care = ConferenceCare(record=True)
    first = centre_of(care)
    enter(first, "300", "301")
    (number,) = first.workers[1].recordings
    del first.workers[1].recordings[number]
    if told:
        first.media_event(m.RecordFailed(number, "/x.wav", "no space left"))
    second = again(first, care)
    there = second.switch.conferences.open["team"]
    assert not second.switch.conferences.is_recorded(there) and len(there.members) == 2
    assert [tape.state for tape in second.tapes.values()] == ["failed" if told else "waiting"]
