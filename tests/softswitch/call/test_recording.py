"""Which talks are recorded, what is announced before, pause and resume by order and by keys, and what a disk
that fails costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.allowance import BURST, EVERY_S
from softswitch.call.identity import Identity
from softswitch.call.settings import QueueCare, Route, Target
from softswitch.call.tape import Order, RecordMode, TapingCare
from softswitch.errors import LocalError
from tests.support.centre import Centre

MUSIC = ("/music.wav",)
ANNOUNCED = TapingCare(announce=(Prompt(text="recorded"),))
KEYS = TapingCare(pause_keys="*7", record_keys="*8")


def talking(mode: RecordMode = "always", care: TapingCare | None = None, **more: Any) -> Centre:
    """A caller of the queue and an agent who talk."""
    centre = Centre(
        care=QueueCare(MUSIC, record=mode, **more.pop("queue", {})),
        more={"taping": care or TapingCare(), **more.pop("settings", {})},
        **more,
    )
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()
    return centre


def order(centre: Centre, what: Order) -> None:
    centre._carry_out(centre.switch.record(centre.call.id, what, "boss", centre.now))
    centre.settle()


def recorded(centre: Centre) -> list[m.Record]:
    return list(centre.workers[1].recordings.values())


def press(centre: Centre, keys: str, *, caller: bool = False) -> None:
    leg = centre.call.leg if caller else centre.call.partner
    assert leg is not None
    for key in keys:
        centre.media_event(m.Digit(leg.id, key, "rfc4733"))


def hang_up(centre: Centre) -> None:
    centre.phones["300"].hang_up(centre.phones["300"].legs[0])
    centre.advance(60)
    centre.check_empty()


def told(centre: Centre, kind: Kind) -> list[dict[str, Any]]:
    return [event.data for event in centre.log if event.kind is kind]


def test_a_talk_of_the_queue_is_recorded_from_the_bridge_on() -> None:
    centre = talking()
    (record,) = recorded(centre)
    assert (record.left, record.right) == centre.workers[1].bridges[0]
    (tape,) = centre.tapes.values()
    assert tape.state == "recording" and (tape.queue, tape.party, tape.number) == ("sales", "agent201", "300")
    hang_up(centre)
    (tape,) = centre.tapes.values()
    assert tape.state == "waiting" and tape.length_s == 1.0 and centre.taped == [tape.id]
    assert centre.record.recording == tape.file
    assert not told(centre, Kind.RECORDING_START), "what the configuration says is not told"


@pytest.mark.parametrize("mode", ["no", "on-demand"])
def test_others_only_by_order(mode: RecordMode) -> None:
    centre = talking(mode)
    assert not recorded(centre)
    order(centre, "start")
    assert len(recorded(centre)) == 1
    order(centre, "stop")
    assert not recorded(centre)
    order(centre, "start")
    hang_up(centre)
    first, second = centre.tapes.values()
    assert second.id == f"{first.id}-2" and centre.record.recording == second.file
    assert {tape.state for tape in centre.tapes.values()} == {"waiting"}
    assert told(centre, Kind.RECORDING_START)[1] == {"recording": second.id, "by": "boss"}
    assert told(centre, Kind.RECORDING_STOP) == [{"recording": first.id, "by": "boss"}]


@pytest.mark.parametrize(
    ("route", "queue", "expected"), [("always", "no", 1), ("no", "always", 0), ("", "always", 1)]
)
def test_the_route_decides(route: Any, queue: RecordMode, expected: int) -> None:
    routes = {"601": Route(Target("queue", "sales"), record=route)}
    assert len(recorded(talking(queue, routes=routes))) == expected


def test_never_is_by_no_order_either() -> None:
    centre = talking("always", routes={"601": Route(Target("queue", "sales"), record="never")})
    assert not recorded(centre)
    with pytest.raises(LocalError, match="must not be recorded"):
        order(centre, "start")


@pytest.mark.parametrize("number", ["201", "202"])
def test_an_extension_is_recorded_as_called_and_as_caller(number: str) -> None:
    centre = Centre(routes={"201": Target("extension", "201")})
    settings = centre.switch.hub.settings
    phones = dict(settings.phones) | {number: replace(settings.phones[number], record="always")}
    centre.switch.hub.settings = replace(settings, phones=phones)
    centre.phones["202"].call("201")
    centre.settle()
    centre.call.identity = Identity("extension", "202", "202", "")  # as if 202 had registered with a password
    centre.phones["201"].answer(centre.phones["201"].legs[-1])
    centre.settle()
    assert len(recorded(centre)) == 1
    centre.phones["202"].hang_up(centre.phones["202"].legs[0])
    centre.advance(60)
    assert len(centre.taped) == 1


# ----- the announcement


def test_nothing_is_recorded_before_both_have_heard_that_it_will_be() -> None:
    centre = talking(care=ANNOUNCED)
    assert not recorded(centre) and not centre.tapes
    assert centre.call.partner is not None
    heard = centre.workers[1].heard
    assert heard[centre.call.leg.id].clips == heard[centre.call.partner.id].clips == ("/recorded.wav",)
    assert centre.workers[1].bridges, "they are connected meanwhile"
    centre.play_out(centre.call)
    assert len(recorded(centre)) == 1
    order(centre, "stop")
    order(centre, "start")
    assert len(recorded(centre)) == 1, "he has heard it already"
    hang_up(centre)


def test_a_queue_may_be_silent() -> None:
    assert len(recorded(talking(care=ANNOUNCED, queue={"announce_recording": False}))) == 1


def test_hold_cuts_it_off_and_it_comes_again() -> None:
    centre = talking(care=ANNOUNCED)
    agent = centre.phones["201"]
    agent.hold(agent.legs[-1])
    centre.settle()
    assert centre.heard_names(centre.call) == ["music"]
    centre.advance(5)
    assert not recorded(centre)
    agent.hold(agent.legs[-1], held=False)
    centre.settle()
    assert centre.heard_names(centre.call) == ["recorded"] and not recorded(centre)
    centre.play_out(centre.call)
    assert len(recorded(centre)) == 1


def test_what_cannot_be_announced_is_not_recorded() -> None:
    centre = talking(care=ANNOUNCED)
    play = centre.workers[1].heard[centre.call.leg.id]
    centre.media_event(m.Played(play.leg, play.play, "failed", "no such file"))
    assert not recorded(centre) and "announcement" in told(centre, Kind.RECORDING)[0]["error"]
    hang_up(centre)
    assert centre.record.recording == ""


def test_a_pause_ordered_during_the_announcement_counts() -> None:
    centre = talking(care=ANNOUNCED)
    assert centre.call.taping is not None and centre.call.taping.state == "announced"
    order(centre, "pause")
    centre.play_out(centre.call)
    (record,) = recorded(centre)
    assert centre.workers[1].paused == {record.recording}


def test_who_hangs_up_during_the_announcement_is_not_recorded() -> None:
    centre = talking(care=ANNOUNCED)
    hang_up(centre)
    assert not centre.tapes and centre.record.recording == ""


# ----- pause


def test_pause_and_resume_by_order() -> None:
    centre = talking()
    (record,) = recorded(centre)
    assert centre.call.taping is not None and centre.call.taping.state == "recording"
    order(centre, "pause")
    assert centre.workers[1].paused == {record.recording} and centre.call.taping.state == "paused"
    with pytest.raises(LocalError, match="paused already"):
        order(centre, "pause")
    order(centre, "resume")
    assert not centre.workers[1].paused
    with pytest.raises(LocalError, match="running already"):
        order(centre, "resume")
    call = centre.call.id
    assert told(centre, Kind.RECORDING_PAUSE) == told(centre, Kind.RECORDING_RESUME) == [
        {"recording": call, "by": "boss"}
    ]  # fmt: skip


def test_orders_that_cannot_be() -> None:
    centre = talking("no")
    for what in ("pause", "resume", "stop"):
        with pytest.raises(LocalError, match="not being recorded"):
            order(centre, what)  # type: ignore[arg-type]
    order(centre, "start")
    with pytest.raises(LocalError, match="already"):
        order(centre, "start")
    with pytest.raises(LocalError, match="no live call"):
        centre.switch.record("nobody", "start", "boss", centre.now)


def test_nobody_who_waits_is_recorded() -> None:
    centre = Centre(care=QueueCare(MUSIC, record="always"))
    centre.phones["300"].call("601")
    centre.settle()
    with pytest.raises(LocalError, match="no conversation"):
        order(centre, "start")


def test_the_agents_keys_pause_and_resume() -> None:
    centre = talking(care=KEYS)
    press(centre, "*7")
    assert len(centre.workers[1].paused) == 1
    assert centre.call.partner is not None
    beeps = centre.workers[1].heard[centre.call.partner.id].clips
    assert beeps.count("tone:beep") == 2 and centre.heard(centre.call) is None, "the agent alone hears it"
    press(centre, "7*7")
    assert not centre.workers[1].paused
    assert [data["by"] for data in told(centre, Kind.RECORDING_PAUSE)] == ["key of agent201"]
    press(centre, "*")
    centre.advance(4)
    press(centre, "7")
    assert not centre.workers[1].paused, "keys far apart are no code"


def test_a_program_that_presses_keys_does_not_fill_the_log() -> None:
    centre = talking(care=KEYS)
    before = centre.now
    for _ in range(100):
        press(centre, "*7")
    rows = told(centre, Kind.RECORDING_PAUSE) + told(centre, Kind.RECORDING_RESUME)
    assert len(rows) <= 2 * (BURST + (centre.now - before) / EVERY_S) + 1
    assert centre.workers[1].paused, "what is refused is to record again"


def test_the_callers_keys_do_nothing() -> None:
    centre = talking(care=KEYS)
    press(centre, "*7", caller=True)
    assert not centre.workers[1].paused


def test_keys_start_and_stop_only_what_is_on_demand() -> None:
    centre = talking("on-demand", KEYS)
    press(centre, "*7")
    assert not recorded(centre) and not centre.workers[1].paused
    press(centre, "*8")
    assert len(recorded(centre)) == 1
    press(centre, "*8")
    assert not recorded(centre)
    centre = talking("always", KEYS)
    press(centre, "*8")
    assert len(recorded(centre)) == 1
    centre = talking("no", KEYS)
    press(centre, "*8")
    assert not recorded(centre)


# ----- what goes wrong


def test_a_disk_that_fails_costs_the_recording_not_the_call() -> None:
    centre = talking()
    (record,) = recorded(centre)
    del centre.workers[1].recordings[record.recording]
    centre.media_event(m.RecordFailed(record.recording, record.path, "No space left on device"))
    assert centre.call.partner is not None
    (tape,) = centre.tapes.values()
    assert tape.state == "failed" and tape.error == "No space left on device" and not centre.taped
    assert any("No space" in dict(warning.fields).get("reason", "") for warning in centre.warnings)
    order(centre, "start")
    hang_up(centre)
    assert centre.record.recording == centre.tapes[f"{tape.id}-2"].file


def test_without_room_none_is_begun() -> None:
    centre = talking("no")
    centre._carry_out(centre.switch.refuse_recordings("3 MB are free"))
    with pytest.raises(LocalError, match="3 MB are free"):
        order(centre, "start")
    hang_up(centre)
    centre.phones["301"].call("601")
    centre.settle()


def test_without_room_the_log_says_why_a_call_is_not_recorded() -> None:
    centre = Centre(care=QueueCare(MUSIC, record="always"))
    centre._carry_out(centre.switch.refuse_recordings("3 MB are free"))
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    centre.phones["201"].answer(centre.phones["201"].legs[-1])
    centre.settle()
    assert not recorded(centre) and told(centre, Kind.RECORDING) == [{"path": "", "error": "3 MB are free"}]
    hang_up(centre)


def test_a_lost_worker_leaves_what_it_has_written() -> None:
    centre = talking()
    centre.kill_worker()
    centre.advance(60)
    (tape,) = centre.tapes.values()
    assert tape.state == "waiting" and "media worker was lost" in tape.error and centre.taped == [tape.id]
    assert centre.record.recording == tape.file


def test_the_record_names_a_file_that_was_compressed_before_the_call_ended() -> None:
    centre = talking()
    order(centre, "stop")
    (tape,) = centre.tapes.values()
    centre._carry_out(centre.switch.recording_moved(tape.call, tape.file, "/recordings/x.flac"))
    centre._carry_out(centre.switch.recording_moved("nobody", tape.file, "/recordings/y.flac"))
    hang_up(centre)
    assert centre.record.recording == "/recordings/x.flac"
