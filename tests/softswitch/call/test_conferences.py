"""Conference rooms: who comes in, who is heard, what is left; moved by a clock that the test owns."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd import messages as acd
from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.allowance import BURST, EVERY_S
from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import ConferenceCare, Route, Target
from softswitch.call.tape import TapingCare
from softswitch.errors import LocalError
from tests.support.centre import Centre, Worker

PHRASES = (
    "conference-muted", "conference-unmuted", "conference-locked", "conference-unlocked", "conference-full",
    "conference-left", "enter-pin", "wrong-pin", "not-possible",
)  # fmt: skip


def centre_of(care: ConferenceCare | None = None, **more: Any) -> Centre:
    """One conference, `team`, reached by 700; callers 300 to 303."""
    return Centre(
        callers=("300", "301", "302", "303"),
        routes={"700": Target("conference", "team"), "600": Route(Target("queue", "sales"))},
        more={
            "conferences": {"team": care or ConferenceCare(music=("/music.wav",))},
            "phrases": {name: Prompt(text=name) for name in PHRASES},
            **more,
        },
    )


def enter(centre: Centre, *numbers: str) -> list[Call]:
    """These dial in, one after the other."""
    calls = []
    for number in numbers:
        before = set(centre.switch.calls)
        centre.phones[number].call("700")
        centre.settle()
        calls += [call for name, call in centre.switch.calls.items() if name not in before]
    return calls


def down(centre: Centre, number: str) -> None:
    centre.phones[number].hang_up(centre.phones[number].legs[-1])
    centre.settle()


def joined(centre: Centre) -> dict[int, m.Join]:
    return centre.workers[1].rooms


def order(centre: Centre, what: str, *arguments: object) -> None:
    conferences = centre.switch.conferences

    def carry_out(now: float) -> None:
        getattr(conferences, what)("team", *arguments, "lea", now)

    centre._carry_out(centre.switch.carry_out(carry_out, centre.now))
    centre.settle()


def keys(centre: Centre, call: Call, text: str) -> None:
    for digit in text:
        centre.key(call, digit)


def kinds(centre: Centre, *wanted: Kind) -> list[tuple[str, str, dict[str, Any]]]:
    return [(event.kind, event.call, event.data) for event in centre.log if event.kind in wanted]


def test_three_are_in_one_room_and_leave_it() -> None:
    centre = centre_of()
    [a] = enter(centre, "300")
    assert a.stage is Stage.ROOM and centre.heard_names(a) == ["music"]  # he is alone
    b, c = enter(centre, "301", "302")
    assert len({join.room for join in joined(centre).values()}) == 1
    assert set(joined(centre)) == {a.leg.id, b.leg.id, c.leg.id}
    assert centre.heard_names(a) == ["tone:beep"]
    centre.advance(10.0)
    down(centre, "301")
    assert set(joined(centre)) == {a.leg.id, c.leg.id}
    down(centre, "300")
    assert centre.heard_names(c) == ["music"]
    down(centre, "302")
    centre.advance(5.0)
    assert not centre.workers[1].live and not centre.switch.conferences.open
    for call in (a, b, c):
        record = centre.records[call.id]
        assert record.disposition is Disposition.CONFERENCE and record.ended_by == "caller"
        assert record.talk_s == 10.0
    log = kinds(centre, Kind.CONFERENCE_JOIN, Kind.CONFERENCE_LEAVE)
    assert [(kind, call, data["members"]) for kind, call, data in log] == [
        ("CONFERENCE_JOIN", a.id, 1),
        ("CONFERENCE_JOIN", b.id, 2),
        ("CONFERENCE_JOIN", c.id, 3),
        ("CONFERENCE_LEAVE", b.id, 2),
        ("CONFERENCE_LEAVE", a.id, 1),
        ("CONFERENCE_LEAVE", c.id, 0),
    ]


def test_without_beep_and_music_nothing_is_played() -> None:
    centre = centre_of(ConferenceCare(beep=False))
    a, b = enter(centre, "300", "301")
    assert centre.heard(a) is None and centre.heard(b) is None


def test_he_mutes_himself_and_is_heard_again() -> None:
    centre = centre_of()
    a, b = enter(centre, "300", "301")
    keys(centre, a, "1")
    assert joined(centre)[a.leg.id].muted and not joined(centre)[b.leg.id].muted
    assert centre.heard_names(a) == ["conference-muted"]
    keys(centre, a, "1")
    assert not joined(centre)[a.leg.id].muted and centre.heard_names(a) == ["conference-unmuted"]
    assert [data for _, _, data in kinds(centre, Kind.CONFERENCE_MUTE)] == [
        {"conference": "team", "muted": True, "by": "phone"},
        {"conference": "team", "muted": False, "by": "phone"},
    ]


@pytest.mark.parametrize("key", ["1", "9"])
def test_a_program_that_presses_keys_does_not_fill_the_log(key: str) -> None:
    centre = centre_of(ConferenceCare(moderator_pin="77"))
    [a] = enter(centre, "300")
    keys(centre, a, "77#")
    enter(centre, "301")
    before = centre.now
    for _ in range(300):
        keys(centre, a, key)
    rows = kinds(centre, Kind.CONFERENCE_MUTE, Kind.CONFERENCE_LOCK)
    assert len(rows) <= 2 * (BURST + (centre.now - before) / EVERY_S) + 1
    room = centre.switch.conferences.open["team"]
    assert joined(centre)[a.leg.id].muted if key == "1" else room.locked, "what is refused is the way back"
    centre.advance(EVERY_S)
    keys(centre, a, key)
    assert not (joined(centre)[a.leg.id].muted or room.locked), "he may again"


def test_keys_that_mean_nothing_cost_no_orders() -> None:
    centre = centre_of()
    a, _ = enter(centre, "300", "301")
    order(centre, "lock", True)
    keys(centre, a, "9" * 50 + "5" * 50 + "11")
    assert len(kinds(centre, Kind.CONFERENCE_MUTE)) == 2 and not joined(centre)[a.leg.id].muted


def test_who_is_muted_by_another_stays_so_whatever_he_presses() -> None:
    centre = centre_of()
    a, b = enter(centre, "300", "301")
    order(centre, "mute", a.id, True)
    keys(centre, a, "11")
    assert joined(centre)[a.leg.id].muted
    order(centre, "mute", "", False)
    assert not joined(centre)[a.leg.id].muted and not joined(centre)[b.leg.id].muted


def test_gain_stays_whatever_else_happens_to_him() -> None:
    centre = centre_of()
    a, b = enter(centre, "300", "301")
    order(centre, "gain", a.id, -6.0)
    keys(centre, a, "1")
    keys(centre, a, "1")
    assert joined(centre)[a.leg.id].gain_db == -6.0 and joined(centre)[b.leg.id].gain_db == 0.0
    order(centre, "gain", a.id, 0.0)
    assert joined(centre)[a.leg.id].gain_db == 0.0
    assert [data for _, _, data in kinds(centre, Kind.CONFERENCE_GAIN)] == [
        {"conference": "team", "gain_db": gain_db, "by": "lea"} for gain_db in (-6.0, 0.0)
    ]
    for gain_db in (24.5, -25.0, float("nan")):
        with pytest.raises(LocalError, match="dB is too much; give -24 to 24"):
            order(centre, "gain", a.id, gain_db)


def test_who_is_on_hold_is_not_heard() -> None:
    """His phone may send music of its own."""
    centre = centre_of()
    a, b = enter(centre, "300", "301")
    phone = centre.phones["300"]
    phone.hold(phone.legs[-1])
    centre.settle()
    assert joined(centre)[a.leg.id].muted and not joined(centre)[b.leg.id].muted
    phone.hold(phone.legs[-1], held=False)
    centre.settle()
    assert not joined(centre)[a.leg.id].muted


def test_pins_of_members_and_moderators() -> None:
    centre = centre_of(ConferenceCare(pin="1234", moderator_pin="9876"))
    a, b = enter(centre, "300", "301")
    assert a.stage is Stage.PIN and not joined(centre) and centre.heard_names(a) == ["enter-pin"]
    keys(centre, a, "1234#")
    keys(centre, b, "9876#")
    members = centre.switch.conferences.open["team"].members
    assert [member.moderator for member in members.values()] == [False, True]
    keys(centre, a, "9")  # he may not
    assert not centre.switch.conferences.open["team"].locked
    keys(centre, b, "9")
    assert centre.switch.conferences.open["team"].locked
    assert "1234" not in repr(centre.log) and "9876" not in repr(centre.log)
    order(centre, "mute", "", True)  # all but the moderators
    assert [member.silent for member in members.values()] == [True, False]


def test_only_the_moderator_has_a_pin() -> None:
    centre = centre_of(ConferenceCare(moderator_pin="9876"))
    a, b = enter(centre, "300", "301")
    keys(centre, a, "#")
    keys(centre, b, "9876#")
    assert [member.moderator for member in centre.switch.conferences.open["team"].members.values()] == [
        False,
        True,
    ]


def test_a_wrong_pin() -> None:
    centre = centre_of(ConferenceCare(pin="1234"))
    [a] = enter(centre, "300")
    keys(centre, a, "1111#2222#")
    assert a.stage is Stage.PIN
    keys(centre, a, "3333#")
    assert a.stage is Stage.FAREWELL and centre.heard_names(a) == ["wrong-pin"]
    centre.play_out(a)
    centre.advance(5.0)
    assert not joined(centre) and centre.records[a.id].disposition is Disposition.SELF_SERVICE


def test_trying_pins_locks_the_room_for_a_while() -> None:
    centre = centre_of(ConferenceCare(pin="1234"))
    for _ in range(3):
        [a] = enter(centre, "300")
        keys(centre, a, "1#2#3#")
        centre.play_out(a)
        centre.advance(5.0)
    [a] = enter(centre, "300")
    keys(centre, a, "4#")
    centre.play_out(a)
    [b] = enter(centre, "301")
    assert b.stage is Stage.FAREWELL and centre.heard_names(b) == ["not-possible"]
    centre.play_out(b)
    centre.advance(61.0)
    [b] = enter(centre, "301")
    keys(centre, b, "1234#")
    assert b.stage is Stage.ROOM


def test_who_was_asked_before_the_lock_cannot_go_on_trying() -> None:
    centre = centre_of(ConferenceCare(pin="1234"))
    a, b = enter(centre, "300", "301")
    for _ in range(3):
        [c] = enter(centre, "302")
        keys(centre, c, "1#2#3#")
        centre.play_out(c)
        centre.advance(1.0)
    keys(centre, a, "9#")  # the tenth in a row
    keys(centre, b, "1234#")
    assert b.stage is Stage.FAREWELL and centre.heard_names(b) == ["not-possible"]
    assert not centre.switch.conferences.open


@pytest.mark.parametrize("why", ["full", "locked"])
def test_there_is_no_room(why: str) -> None:
    centre = centre_of(ConferenceCare(max_members=2))
    a, b = enter(centre, "300", "301")
    if why == "locked":
        down(centre, "301")
        order(centre, "lock", True)
    [c] = enter(centre, "302")
    assert centre.heard_names(c) == [f"conference-{why}"]
    centre.play_out(c)
    centre.advance(5.0)
    assert centre.records[c.id].disposition is Disposition.REFUSED
    assert a.id in centre.switch.calls and c.leg.id not in joined(centre)
    if why == "locked":
        order(centre, "lock", False)
        [c] = enter(centre, "302")
        assert c.leg.id in joined(centre)
        log = kinds(centre, Kind.CONFERENCE_LOCK)
        assert [(data["locked"], data["by"]) for _, _, data in log] == [(True, "lea"), (False, "lea")]
    assert b is not c


def test_a_moderator_comes_back_into_what_he_locked() -> None:
    centre = centre_of(ConferenceCare(pin="1", moderator_pin="2"))
    a, b = enter(centre, "300", "301")
    keys(centre, a, "1#")
    keys(centre, b, "2#")
    keys(centre, b, "9")
    down(centre, "301")
    b, c = enter(centre, "301", "302")
    keys(centre, b, "2#")
    keys(centre, c, "1#")
    assert set(joined(centre)) == {a.leg.id, b.leg.id} and centre.heard_names(c) == ["conference-locked"]
    keys(centre, b, "9")
    assert not centre.switch.conferences.open["team"].locked


def test_it_fills_while_he_enters_the_pin() -> None:
    centre = centre_of(ConferenceCare(pin="1", max_members=2))
    a, b, c = enter(centre, "300", "301", "302")
    for call in (a, b, c):
        keys(centre, call, "1#")
    assert c.stage is Stage.FAREWELL and centre.heard_names(c) == ["conference-full"]


def test_who_is_put_out_hears_it() -> None:
    centre = centre_of()
    a, b = enter(centre, "300", "301")
    order(centre, "kick", a.id)
    assert a.stage is Stage.FAREWELL and centre.heard_names(a) == ["conference-left"]
    assert set(joined(centre)) == {b.leg.id}
    centre.play_out(a)
    centre.advance(5.0)
    assert centre.records[a.id].cause == "put out by lea"
    assert centre.records[a.id].disposition is Disposition.CONFERENCE
    order(centre, "end")
    centre.play_out(b)
    centre.advance(5.0)
    assert centre.records[b.id].cause == "the conference was ended by lea"
    assert not centre.switch.conferences.open and not centre.workers[1].live


def test_orders_that_cannot_be() -> None:
    centre = centre_of()
    for what in (("end",), ("kick", "x"), ("mute", "x", True), ("gain", "x", 6.0), ("lock", True)):
        with pytest.raises(LocalError, match="nobody is in"):
            order(centre, *what)  # type: ignore[arg-type]
    enter(centre, "300")
    for what in (("kick", "x"), ("mute", "x", True), ("gain", "x", 6.0)):
        with pytest.raises(LocalError, match="'x' is not in conference team"):
            order(centre, *what)  # type: ignore[arg-type]


def test_it_is_recorded_after_everybody_has_been_told() -> None:
    centre = centre_of(
        ConferenceCare(record=True), taping=TapingCare(announce=(Prompt(text="announcement"),))
    )
    [a] = enter(centre, "300")
    assert centre.heard_names(a) == ["announcement"] and not centre.workers[1].recordings
    centre.play_out(a)
    assert set(joined(centre)) == {a.leg.id}
    [recording] = centre.workers[1].recordings.values()
    assert recording.path == f"/recordings/1970/01/12/conference-team-{a.id}.wav"
    [b] = enter(centre, "301")
    assert b.leg.id not in joined(centre)
    centre.play_out(b)
    down(centre, "300")
    assert centre.workers[1].recordings
    down(centre, "301")
    centre.advance(5.0)
    [tape] = centre.tapes.values()
    assert (tape.state, tape.party, tape.call) == ("waiting", "team", a.id)
    assert set(centre.records) == {a.id, b.id}


def reconfigure(centre: Centre, care: ConferenceCare) -> None:
    """A reload."""
    settings = replace(centre.switch.hub.settings, conferences={"team": care})
    centre._carry_out(centre.switch.reload(settings, {}, lambda now: [], "lea", centre.now))


TOLD = TapingCare(announce=(Prompt(text="announcement"),))


def test_recording_that_is_configured_meanwhile_begins_with_the_next_conference() -> None:
    """Those who are in have not been told."""
    centre = centre_of(ConferenceCare(), taping=TOLD)
    enter(centre, "300")
    reconfigure(centre, ConferenceCare(record=True))
    [b] = enter(centre, "301")
    assert b.leg.id in joined(centre) and not centre.workers[1].recordings
    down(centre, "300")
    down(centre, "301")
    [c] = enter(centre, "302")
    assert centre.heard_names(c) == ["announcement"]
    centre.play_out(c)
    assert centre.workers[1].recordings


def test_who_comes_into_a_recorded_conference_is_told_whatever_is_configured_meanwhile() -> None:
    centre = centre_of(ConferenceCare(record=True), taping=TOLD)
    [a] = enter(centre, "300")
    centre.play_out(a)
    reconfigure(centre, ConferenceCare())
    [b] = enter(centre, "301")
    assert centre.heard_names(b) == ["announcement"] and b.leg.id not in joined(centre)
    centre.play_out(b)
    assert b.leg.id in joined(centre)


def test_who_could_not_be_told_is_not_recorded() -> None:
    centre = centre_of(ConferenceCare(record=True), taping=TOLD)
    [a] = enter(centre, "300")
    play = centre.heard(a)
    assert play is not None
    centre.media_event(m.Played(a.leg.id, play.play, "failed", "no such file"))
    assert centre.heard_names(a) == ["not-possible"]
    assert not joined(centre) and not centre.workers[1].recordings
    centre.play_out(a)
    centre.advance(5.0)
    assert centre.records[a.id].cause == "conference team: its announcement cannot be played"


def test_a_recording_that_fails_does_not_matter() -> None:
    centre = centre_of(ConferenceCare(record=True))
    a, b = enter(centre, "300", "301")
    [recording] = centre.workers[1].recordings.values()
    centre.media_event(m.RecordFailed(recording.recording, recording.path, "the disk is full"))
    assert set(joined(centre)) == {a.leg.id, b.leg.id}
    assert [tape.state for tape in centre.tapes.values()] == ["failed"]
    [conference] = centre.switch.conferences.open.values()
    assert not centre.switch.conferences.is_recorded(conference)
    down(centre, "300")
    down(centre, "301")
    centre.advance(5.0)
    assert len(centre.records) == 2


def test_a_dead_worker_ends_it_with_complete_records() -> None:
    centre = centre_of(ConferenceCare(record=True))
    a, b = enter(centre, "300", "301")
    centre.kill_worker()
    centre.advance(5.0)
    assert {centre.records[call.id].disposition for call in (a, b)} == {Disposition.MEDIA_FAILURE}
    assert not centre.switch.conferences.open
    assert [(tape.state, tape.error) for tape in centre.tapes.values()] == [
        ("waiting", "cut short: its media worker was lost")
    ]
    enter(centre, "302")
    assert list(centre.switch.conferences.open) == ["team"]


def test_from_a_menu() -> None:
    centre = Centre(
        more={
            "conferences": {"team": ConferenceCare()},
            "phrases": {name: Prompt(text=name) for name in PHRASES},
        }
    )
    centre.phones["300"].call("600")
    centre.settle()
    [call] = centre.switch.calls.values()
    centre.switch.desk.go(call, Target("conference", "team"), centre.now)
    centre._carry_out(centre.switch.hub.take_effects())
    assert call.stage is Stage.ROOM and set(joined(centre)) == {call.leg.id}


def two_workers(care: ConferenceCare | None = None) -> tuple[Centre, Call, Call]:
    """A conference on worker 2, whose first member dialled it; a caller of a queue, on worker 1."""
    centre = centre_of(care)
    centre.workers[2] = Worker(2)
    centre._carry_out(centre.switch.worker_ready(2, centre.now))
    centre.phones["303"].call("600")  # worker 1 has a leg
    centre.settle()
    [first] = enter(centre, "300")
    assert first.leg.audio is not None and first.leg.audio.worker == 2
    [caller] = [call for call in centre.switch.calls.values() if call is not first]
    return centre, first, caller


def to_conference(centre: Centre, caller: Call) -> None:
    """An exit key of the queue leads him there."""
    centre.switch.desk.queueing.handle(acd.Withdraw(caller.id, "system"), centre.now)
    centre.switch.desk.go(caller, Target("conference", "team"), centre.now)
    centre._carry_out(centre.switch.hub.take_effects())


def test_who_is_on_another_worker_is_linked() -> None:
    centre, first, caller = two_workers(ConferenceCare(beep=False))
    assert centre.heard_names(caller) == ["music"]
    to_conference(centre, caller)
    assert centre.heard(caller) is None
    one, other = centre.workers[1], centre.workers[2]
    [(bridged, near)] = one.bridges
    [far] = set(other.rooms) - {first.leg.id}
    assert bridged == caller.leg.id
    assert one.remotes[near].port == 20000 + 2 * far and other.remotes[far].port == 20000 + 2 * near
    keys(centre, caller, "1")
    assert other.rooms[far].muted and not other.rooms[first.leg.id].muted
    centre.media_event(m.Digit(far, "1", "rfc4733"), 2)  # the same key, as the link passes it on
    assert other.rooms[far].muted
    down(centre, "303")
    assert set(other.rooms) == {first.leg.id} and not one.live and other.live == {first.leg.id}


def test_the_conference_moves_while_he_is_linked_to_it() -> None:
    centre, _, caller = two_workers(ConferenceCare(beep=False))
    slow = centre.workers[1].command
    late: list[m.Event] = []

    def delayed(command: m.Command) -> list[m.Event]:
        events = slow(command)
        if isinstance(command, m.Allocate):
            late.extend(events)
            return []
        return events

    centre.workers[1].command = delayed  # type: ignore[method-assign]
    to_conference(centre, caller)
    centre.workers[1].command = slow  # type: ignore[method-assign]
    down(centre, "300")
    centre._carry_out(centre.switch.drain(2, True, "lea", centre.now))
    [second] = enter(centre, "301")
    assert second.leg.audio is not None and second.leg.audio.worker == 1
    for event in late:
        centre.media_event(event)
    assert set(centre.workers[1].rooms) == {second.leg.id, caller.leg.id}
    assert not centre.workers[2].live and not centre.workers[2].rooms


@pytest.mark.parametrize("dies", [1, 2])
def test_a_worker_of_a_link_dies(dies: int) -> None:
    centre, first, caller = two_workers()
    to_conference(centre, caller)
    centre.workers[dies] = Worker(dies)
    centre._carry_out(centre.switch.worker_lost(dies, "killed", centre.now))
    centre.advance(5.0)
    assert centre.records[caller.id].disposition is Disposition.MEDIA_FAILURE
    assert (first.id in centre.records) == (dies == 2)
    left = {first.leg.id} if dies == 1 else set()
    assert centre.workers[1].live | centre.workers[2].live == left
    assert not centre.switch.compare()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_history_leaves_nothing(data: st.DataObject) -> None:
    centre = centre_of(
        ConferenceCare(
            pin=data.draw(st.sampled_from(["", "1"])), max_members=3, record=data.draw(st.booleans())
        )
    )
    steps = ["enter", "enter", "down", "1#", "1", "9", "kick", "end", "lock", "mute", "hold", "wait", "play"]
    for step in data.draw(st.lists(st.tuples(st.sampled_from(steps), st.integers(0, 3)), max_size=20)):
        what, which = step
        number = f"30{which}"
        phone = centre.phones[number]
        call = next((one for one in centre.switch.calls.values() if one.identity.name == number), None)
        if what == "enter" and call is None:
            enter(centre, number)
        elif call is None:
            centre.advance(1.0)
        elif what == "down":
            down(centre, number)
        elif what in ("1#", "1", "9"):
            keys(centre, call, what)
        elif what == "hold":
            phone.hold(phone.legs[-1])
        elif what == "play" and centre.heard(call) is not None:
            centre.play_out(call)
        elif what in ("kick", "end", "lock", "mute"):
            given_ = {"kick": (call.id,), "end": (), "lock": (True,), "mute": (call.id, True)}[what]
            with contextlib.suppress(LocalError):
                order(centre, what, *given_)
        centre.settle()
        assert not centre.switch.compare()
        for conference in centre.switch.conferences.open.values():
            legs = {member.call.leg.id for member in conference.members.values()}
            assert legs == set(joined(centre))
    for number in ("300", "301", "302", "303"):
        for leg in centre.phones[number].legs:
            centre.phones[number].hang_up(leg)
    centre.advance(120.0)
    assert not centre.switch.calls and not centre.workers[1].live and not centre.switch.conferences.open
    assert set(centre.records) == set(centre.opened)
    assert Disposition.OPEN not in {record.disposition for record in centre.records.values()}
