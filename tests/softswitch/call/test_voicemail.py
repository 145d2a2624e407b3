"""Mailboxes: leaving a message by every way that leads there, and listening to it by phone."""

from __future__ import annotations

from typing import Any

import pytest

from acd.events import Kind
from ivr.messages import Prompt
from ivr.nodes import BUILT_IN
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Target
from softswitch.call.voicemail_box import Box, Message, VoicemailCare
from softswitch.call.voicemail_listen import LOCKED_S, TRIES
from softswitch.system_prompts import system_prompts
from tests.support.centre import Centre
from tests.support.centre import default_menu as menu

ANNA = Box("anna", ("300",), "1234", silence_s=5.0, max_s=60.0, min_s=2.0, max_messages=3)
OPEN = Box("sales", ("301", "300"), silence_s=0.0)


def centre(*boxes: Box, phones: dict[str, Any] | None = None, **more: Any) -> Centre:
    """Mailboxes that are reached by 700 (anna) and 701 (sales); every phrase is heard by its name."""
    extra = {
        "mailboxes": {box.name: box for box in boxes or (ANNA, OPEN)},
        "voicemail": VoicemailCare("/vm"),
        "phrases": {name: Prompt(text=name) for name in system_prompts("en")},
        **more.pop("more", {}),
    }
    routes = {
        "700": Target("voicemail", "anna"),
        "701": Target("voicemail", "sales"),
        "601": Target("queue", "sales"),
        "600": Target("flow", "main"),
        **more.pop("routes", {}),
    }
    made = Centre(more=extra, routes=routes, **more)
    if phones:
        settings = made.switch.hub.settings
        changed = {number: replaced(settings.phones[number], **keys) for number, keys in phones.items()}
        object.__setattr__(settings, "phones", {**settings.phones, **changed})
    return made


def replaced(value: Any, **keys: Any) -> Any:
    import dataclasses

    return dataclasses.replace(value, **keys)


def call_in(here: Centre, number: str, phone: str = "302") -> Call:
    here.phones[phone].call(number)
    here.settle()
    return here.call


def to_recording(here: Centre, call: Call) -> m.Record:
    """Greeting and tone are heard; what the worker was told to record."""
    while not here.workers[1].recordings:
        here.play_out(call)
    (record,) = here.workers[1].recordings.values()
    return record


def hang_up(here: Centre, phone: str = "302") -> None:
    here.phones[phone].hang_up(here.phones[phone].legs[-1])
    here.settle()


def left(here: Centre, seconds: float = 5.0, number: str = "700", phone: str = "302") -> Message:
    """A message of so many seconds."""
    before = set(here.messages)
    call = call_in(here, number, phone)
    to_recording(here, call)
    here.advance(seconds)
    hang_up(here, phone)
    (new,) = set(here.messages) - before
    return here.messages[new]


# ----- leaving


def test_a_message_is_left_by_hanging_up() -> None:
    here = centre()
    call = call_in(here, "700")
    assert call.stage is Stage.MAILBOX and here.heard_names(call) == ["vm-greeting"]
    here.play_out(call)
    assert here.heard(call).clips == ("tone:beep",)  # type: ignore[union-attr]
    assert not here.workers[1].recordings
    here.play_out(call)
    (record,) = here.workers[1].recordings.values()
    assert (record.left, record.right, record.silence_s) == (call.leg.id, call.leg.id, 5.0)
    (row,) = here.messages.values()
    assert (row.state, row.file) == ("recording", record.path) and record.path.startswith("/vm/anna/")
    here.advance(7)
    hang_up(here)
    (message,) = here.messages.values()
    assert (message.state, message.number, message.length_s) == ("new", "302", 7.0)
    assert (message.id, message.call) == (row.id, here.record.id)
    assert here.mailed == [message.id]
    assert here.record.disposition is Disposition.VOICEMAIL
    assert here.record.path == ("voicemail.anna",) and here.record.menu_s == pytest.approx(7.0)
    kinds = here.kinds(here.record.id)
    assert kinds.count(Kind.VOICEMAIL) == 1 and kinds.index(Kind.VOICEMAIL) < kinds.index(Kind.CALL_END)
    assert here.spoken, "when it came is spoken ahead"
    here.check_empty()


@pytest.mark.parametrize(("end", "length_s"), [("hash", 6.0), ("silence", 1.0 + 5.0), ("limit", 60.0)])
def test_a_message_ends_by_itself_and_the_caller_is_thanked(end: str, length_s: float) -> None:
    here = centre()
    call = call_in(here, "700")
    record = to_recording(here, call)
    if end == "hash":
        here.advance(6)
        here.key(call, "5")
        assert here.workers[1].recordings
        here.key(call, "#")
    elif end == "silence":
        here.advance(11)
        here.media_event(m.RecordSilent(record.recording))
    else:
        here.advance(60)
    assert here.heard_names(call) == ["vm-saved"]
    (message,) = here.messages.values()
    assert message.length_s == length_s and message.state == "new"
    here.play_out(call)
    assert here.record.disposition is Disposition.VOICEMAIL and here.record.cause == "voicemail anna"
    assert here.record.ended_by == "system"
    here.check_empty()


def test_a_key_skips_the_greeting_but_not_the_tone() -> None:
    here = centre()
    call = call_in(here, "700")
    here.key(call, "1")
    assert here.heard_names(call) == ["vm-greeting"]
    here.key(call, "#")
    assert here.heard(call).clips == ("tone:beep",)  # type: ignore[union-attr]


def test_a_short_message_is_dropped() -> None:
    here = centre()
    call = call_in(here, "700")
    record = to_recording(here, call)
    here.advance(1.5)
    hang_up(here)
    assert not here.messages and not here.mailed
    assert here.files_gone == [record.path, record.path], "also if the worker makes the file only now"
    assert here.record.disposition is Disposition.MENU_ABANDONED
    assert Kind.VOICEMAIL_REFUSED in here.kinds(here.record.id)
    here.check_empty()


def test_silence_alone_is_no_message() -> None:
    here = centre()
    call = call_in(here, "700")
    record = to_recording(here, call)
    here.advance(5)
    here.media_event(m.RecordSilent(record.recording))
    assert here.heard_names(call) == ["vm-too-short"] and not here.messages
    here.play_out(call)
    assert here.record.disposition is Disposition.SELF_SERVICE
    here.check_empty()


def test_hanging_up_in_the_greeting_leaves_nothing() -> None:
    here = centre()
    call_in(here, "700")
    hang_up(here)
    assert here.record.disposition is Disposition.MENU_ABANDONED
    assert not here.messages
    here.check_empty()


def test_a_full_mailbox_takes_nothing_more() -> None:
    here = centre()
    for _ in range(3):
        left(here)
    call = call_in(here, "700")
    assert here.heard_names(call) == ["vm-full"]
    here.play_out(call)
    assert len(here.messages) == 3
    assert list(here.records.values())[-1].cause == "mailbox anna is full"


def test_a_message_that_is_being_recorded_counts() -> None:
    here = centre(replaced(ANNA, max_messages=1))
    first = call_in(here, "700", "301")
    to_recording(here, first)
    here.phones["302"].call("700")
    here.settle()
    second = next(call for call in here.switch.calls.values() if call is not first)
    assert here.heard_names(second) == ["vm-full"]


def test_a_recording_that_fails_is_told() -> None:
    here = centre()
    call = call_in(here, "700")
    record = to_recording(here, call)
    here.workers[1].recordings.clear()
    here.media_event(m.RecordFailed(record.recording, record.path, "the disk is full"))
    assert here.heard_names(call) == ["vm-failed"] and not here.messages
    assert any("disk is full" in str(warning.fields) for warning in here.warnings)
    here.play_out(call)
    here.check_empty()


def test_a_file_that_fails_after_the_caller_has_gone_takes_the_message_along() -> None:
    here = centre()
    call = call_in(here, "700")
    record = to_recording(here, call)
    here.workers[1].recordings.clear()  # the worker says nothing at the release
    here.advance(5)
    hang_up(here)
    assert len(here.messages) == 1 and not here.mailed
    here.media_event(m.RecordFailed(record.recording, record.path, "the disk is full"))
    assert not here.messages and not here.mailed


def test_a_worker_that_dies_leaves_what_is_on_the_disk() -> None:
    here = centre()
    call = call_in(here, "700")
    to_recording(here, call)
    here.advance(8)
    here.kill_worker()
    assert here.record.disposition is Disposition.MEDIA_FAILURE
    (message,) = here.messages.values()
    assert message.state == "new" and message.length_s == 8.0
    here.advance(10)
    assert here.mailed == [message.id]
    here.check_empty()


def test_the_stop_of_the_switch_keeps_the_message() -> None:
    here = centre()
    call = call_in(here, "700")
    to_recording(here, call)
    here.advance(8)
    here.stop()
    (message,) = here.messages.values()
    assert message.state == "new"
    assert here.record.disposition is Disposition.VOICEMAIL
    here.check_empty()


def test_the_greeting_of_the_configuration() -> None:
    here = centre(replaced(ANNA, greeting=(Prompt(text="hello"),)))
    assert here.heard_names(call_in(here, "700")) == ["hello"]


# ----- the ways there


@pytest.mark.parametrize(("status", "disposition"), [(486, Disposition.BUSY), (480, Disposition.NO_ANSWER)])
def test_an_extension_that_is_busy_or_declines(status: int, disposition: Disposition) -> None:
    here = centre(phones={"301": {"voicemail": "anna"}})
    here.phones["302"].call("301")
    here.settle()
    here.phones["301"].refuse(here.phones["301"].legs[-1], status)
    here.settle()
    call = here.call
    assert call.stage is Stage.MAILBOX and here.heard_names(call) == ["vm-greeting"]
    hang_up(here)
    assert here.record.disposition is disposition
    assert here.record.sip_status == 200
    here.check_empty()


def test_an_extension_that_does_not_answer() -> None:
    here = centre(phones={"301": {"voicemail": "anna", "voicemail_after_s": 12.0}})
    here.phones["302"].call("301")
    here.advance(11.9)
    assert here.call.stage is Stage.SETUP
    here.advance(0.2)
    call = here.call
    to_recording(here, call)
    here.advance(4)
    hang_up(here)
    assert here.record.disposition is Disposition.VOICEMAIL
    assert [one.mailbox for one in here.messages.values()] == ["anna"]
    here.check_empty()


def test_an_agent_whose_mailbox_has_the_call_is_offered_calls_again() -> None:
    here = centre(phones={"201": {"voicemail": "anna"}})
    here.log_in("201")
    here.phones["302"].call("201")
    here.settle()
    here.phones["201"].refuse(here.phones["201"].legs[-1])
    here.settle()
    assert here.call.stage is Stage.MAILBOX
    here.phones["301"].call("601")
    here.settle()
    assert len(here.phones["201"].legs) == 2, "the caller of the queue rings at him"


def test_the_node_of_a_menu() -> None:
    flows = menu()
    nodes = dict(flows["main"].nodes) | {
        "sales": BUILT_IN["voicemail"].model_validate({"mailbox": "sales", "call_type": "order"})
    }
    flows["main"] = replaced(flows["main"], nodes=nodes)
    here = centre(more={"flows": flows})
    call = call_in(here, "600")
    here.key(call, "1")
    assert call.stage is Stage.MAILBOX
    to_recording(here, call)
    here.advance(4)
    hang_up(here)
    assert here.record.call_type == "order"
    assert here.record.path == ("main.choose", "main.sales", "voicemail.sales")


def test_the_overflow_of_a_queue() -> None:
    here = centre(
        care=QueueCare(("/music.wav",), overflow={"timeout": Target("voicemail", "sales")}),
        queue={"max_wait_s": 20.0},
    )
    call = call_in(here, "601")
    here.advance(21)
    to_recording(here, call)
    here.advance(4)
    hang_up(here)
    (message,) = here.messages.values()
    assert message.queue == "sales"
    record = here.record
    assert record.disposition is Disposition.VOICEMAIL and record.wait_s == pytest.approx(20.0)
    here.check_empty()


def test_an_overflow_to_a_mailbox_that_gets_nothing_stays_an_overflow() -> None:
    here = centre(
        care=QueueCare(("/music.wav",), overflow={"timeout": Target("voicemail", "sales")}),
        queue={"max_wait_s": 20.0},
    )
    call_in(here, "601")
    here.advance(21)
    hang_up(here)
    assert here.record.disposition is Disposition.OVERFLOW


# ----- listening


def listening(here: Centre, number: str = "*98", phone: str = "300", pin: str = "1234#") -> Call:
    here.phones[phone].call(number)
    here.settle()
    (call,) = (one for one in here.switch.calls.values() if one.identity.name == phone)
    for key in pin:
        here.key(call, key)
    return call


def test_listening_from_the_first_message_to_the_last() -> None:
    here = centre()
    first, second = left(here), left(here, phone="301")
    call = listening(here)
    assert here.heard_names(call) == ["vm-new-2", "vm-menu"]
    here.key(call, "1")
    names = here.heard_names(call)
    assert names[:6] == ["vm-message-new", "vm-from", "digit-3", "digit-0", "digit-2", "vm-today"]
    assert names[-1] == first.file.strip("/").removesuffix(".wav")
    assert names[6:-1] == [text for text in here.spoken[:2] if text.startswith("One forty")] or names[6:-1]
    here.key(call, "2")
    assert here.heard_names(call)[-1] == first.file.strip("/").removesuffix(".wav")
    assert here.messages[first.id].state == "heard"
    here.key(call, "3")
    assert first.id not in here.messages and first.file in here.files_gone
    assert here.heard_names(call)[0] == "vm-deleted"
    here.play_out(call)
    assert here.heard_names(call) == ["vm-keys"]
    here.key(call, "4")
    assert here.heard_names(call) == ["vm-kept", "vm-end", "vm-menu"]
    assert here.messages[second.id].state == "heard"
    here.key(call, "#")
    assert here.heard_names(call) == ["vm-goodbye"]
    here.play_out(call)
    record = list(here.records.values())[-1]
    assert record.disposition is Disposition.SELF_SERVICE
    assert record.path == ("voicemail.anna",)
    digits = [event for event in here.log if event.kind is Kind.DIGIT]
    assert not digits, "the PIN, and what is pressed at a mailbox, is in no log"
    assert Kind.VOICEMAIL_DELETED in here.kinds()
    here.check_empty()


def test_an_empty_mailbox_and_somebody_who_presses_nothing() -> None:
    here = centre()
    call = listening(here)
    assert here.heard_names(call) == ["vm-none", "vm-menu"]
    for _ in range(3):
        here.play_out(call)
        here.advance(10)
    assert here.heard_names(call) == ["vm-goodbye"]
    here.play_out(call)
    here.check_empty()


def test_wrong_pins_lock_the_mailbox() -> None:
    here = centre()
    call = listening(here, pin="")
    assert here.heard_names(call) == ["enter-pin"]
    for attempt in range(TRIES):
        for key in "9999#":
            here.key(call, key)
        assert here.heard_names(call)[0] == "wrong-pin", attempt
    assert here.heard_names(call) == ["wrong-pin"]
    here.play_out(call)
    assert here.record.disposition is Disposition.REFUSED
    assert any("mailbox is locked" in warning.text for warning in here.warnings)
    call = listening(here, pin="")
    assert here.heard_names(call) == ["not-possible"], "not even the right one is taken"
    here.play_out(call)
    here.advance(LOCKED_S)
    call = listening(here)
    assert here.heard_names(call) == ["vm-none", "vm-menu"]
    assert "9999" not in str(here.log)


def test_no_pin_is_entered() -> None:
    here = centre()
    call = listening(here, pin="")
    here.play_out(call)
    here.advance(15)
    assert here.heard_names(call) == ["not-possible"]


@pytest.mark.parametrize(
    ("number", "phone", "box"),
    [("*98", "301", "sales"), ("*98sales", "300", "sales"), ("*98", "300", "anna"), ("*98anna", "301", "")],
)
def test_which_mailbox(number: str, phone: str, box: str) -> None:
    here = centre()
    call = listening(here, number, phone, pin="")
    if box:
        assert call.story.path == [f"voicemail.{box}"]
    else:
        assert here.heard_names(call) == ["not-possible"]
        here.play_out(call)
        assert here.record.disposition is Disposition.REFUSED


def test_a_phone_without_a_mailbox() -> None:
    here = centre()
    call = listening(here, phone="302", pin="")
    assert here.heard_names(call) == ["not-possible"]


def test_the_owner_records_his_greeting() -> None:
    here = centre()
    call = listening(here)
    here.key(call, "9")
    assert here.heard_names(call) == ["vm-record-greeting"]
    record = to_recording(here, call)
    here.advance(5)
    here.key(call, "#")
    clip = record.path.strip("/").removesuffix(".wav")
    assert here.heard_names(call) == [clip, "vm-greeting-keys"]
    here.key(call, "1")
    assert here.heard_names(call)[0] == "vm-greeting-saved"
    (row,) = here.messages.values()
    assert row.state == "greeting"
    hang_up(here, "300")
    other = call_in(here, "700")
    assert here.heard(other).clips == (record.path,)  # type: ignore[union-attr]
    assert here.switch.mailboxes.counts("anna") == (0, 0)
    hang_up(here)
    # and takes it back
    call = listening(here)
    here.key(call, "9")
    to_recording(here, call)
    here.advance(5)
    here.key(call, "#")
    here.key(call, "4")
    assert not here.messages
    assert here.heard_names(call)[0] == "vm-greeting-standard"
    hang_up(here, "300")
    here.check_empty()


def test_hanging_up_while_the_greeting_is_recorded_changes_nothing() -> None:
    here = centre()
    call = listening(here)
    here.key(call, "9")
    to_recording(here, call)
    here.advance(5)
    hang_up(here, "300")
    assert not here.messages
    here.check_empty()


def test_hanging_up_instead_of_judging_the_greeting_leaves_nothing() -> None:
    here = centre()
    call = listening(here)
    here.key(call, "9")
    to_recording(here, call)
    (row,) = here.messages.values()
    assert row.state == "draft", "a kill must not make a message of it"
    here.advance(5)
    here.key(call, "#")
    assert here.heard_names(call)[1] == "vm-greeting-keys"
    hang_up(here, "300")
    assert not here.messages
    here.check_empty()


def test_messages_are_there_after_a_restart() -> None:
    first = centre()
    message = left(first)
    here = centre()
    here._carry_out(here.switch.restore_messages([message], here.now))
    assert here.switch.mailboxes.counts("anna") == (1, 0)
    call = listening(here)
    assert here.heard_names(call) == ["vm-new-1", "vm-menu"]
    here.advance(2 * 86_400)
    assert here.switch.mailboxes.find("anna", message.id) == message


def test_administrators_mark_and_delete() -> None:
    here = centre()
    message = left(here)
    here._carry_out(here.switch.mark_message("anna", message.id, "heard", here.now))
    assert here.switch.mailboxes.counts("anna") == (0, 1)
    here._carry_out(here.switch.mark_message("anna", message.id, "new", here.now))
    assert here.messages[message.id].state == "new"
    here._carry_out(here.switch.delete_message("anna", message.id, "admin", here.now))
    assert not here.messages and here.files_gone == [message.file]
    here._carry_out(here.switch.delete_message("anna", "nothing", "admin", here.now))


# ----- the node `record`


def recording_menu(**keys: Any) -> dict[str, Any]:
    flows = menu()
    nodes = {
        "ask": BUILT_IN["record"].model_validate(
            {"next": "sales", "otherwise": "bye", "prompt": "say your name", "silence_s": 3, **keys}
        ),
        "sales": flows["main"].nodes["sales"],
        "bye": flows["main"].nodes["bye"],
    }
    flows["main"] = replaced(flows["main"], start="ask", nodes=nodes)
    return flows


def test_a_menu_records_what_is_said() -> None:
    here = centre(more={"flows": recording_menu()})
    call = call_in(here, "600")
    assert here.heard_names(call) == ["say your name"]
    record = to_recording(here, call)
    assert record.path.startswith("/recordings/spoken/") and record.silence_s == 3
    here.advance(4)
    here.key(call, "#")
    assert call.stage is Stage.QUEUE
    (event,) = (one for one in here.log if one.kind is Kind.RECORDING)
    assert event.data == {"path": record.path, "duration_ms": 4000}
    assert not here.messages


def test_a_menu_lets_the_caller_hear_what_he_said() -> None:
    here = centre(more={"flows": recording_menu(confirm="press 1 or 2")})
    call = call_in(here, "600")
    record = to_recording(here, call)
    here.advance(4)
    here.key(call, "#")
    assert here.heard_names(call)[1] == "press 1 or 2"
    here.key(call, "2")
    again = to_recording(here, call)
    assert again.path == record.path
    here.advance(4)
    here.key(call, "#")
    here.key(call, "1")
    assert call.stage is Stage.QUEUE


def test_a_caller_who_says_nothing_gets_out() -> None:
    here = centre(more={"flows": recording_menu(retries=1)})
    call = call_in(here, "600")
    for _ in range(2):
        record = to_recording(here, call)
        here.advance(3.5)
        here.media_event(m.RecordSilent(record.recording))
    assert here.record.disposition is Disposition.SELF_SERVICE
    assert record.path in here.files_gone
    here.check_empty()


def test_hanging_up_while_a_menu_records() -> None:
    here = centre(more={"flows": recording_menu()})
    call = call_in(here, "600")
    to_recording(here, call)
    here.advance(4)
    hang_up(here)
    assert here.record.disposition is Disposition.MENU_ABANDONED
    here.check_empty()


def test_a_reload_speaks_anew_when_messages_came_where_it_would_sound_otherwise() -> None:
    here = centre()
    left(here)
    first = list(here.spoken)

    def reload(**changes: Any) -> list[str]:
        here.spoken.clear()
        settings = replaced(here.switch.hub.settings, **changes)
        here._carry_out(here.switch.reload(settings, {}, lambda now: [], "root", here.now))
        return list(here.spoken)

    assert first and reload(max_calls=5) == []
    assert reload(clip=lambda prompt: f"/slowly/{prompt.text}.wav") == first
    russian = reload(mailboxes={"anna": replaced(ANNA, language="ru"), "sales": OPEN})
    assert russian and set(russian).isdisjoint(first)
    assert reload(utc_offset_s=lambda at: 3600.0) not in ([], russian)
