"""Random histories of callers and owners at mailboxes: nothing is left of them but messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from media import messages as m
from softswitch.call.settings import Target
from softswitch.call.voicemail_box import Box, VoicemailCare
from tests.support.centre import Centre

BOX = Box("anna", ("300",), "12", max_s=30.0, min_s=1.0, silence_s=5.0, max_messages=4)
STEPS = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(["301", "302"])),
    st.tuples(st.just("listen"), st.just("300")),
    st.tuples(st.just("key"), st.sampled_from("0123456789*#")),
    st.tuples(st.just("pin"), st.just("12#")),
    st.tuples(st.just("played"), st.just("")),
    st.tuples(st.just("silent"), st.just("")),
    st.tuples(st.just("failed"), st.just("")),
    st.tuples(st.just("hangup"), st.sampled_from(["300", "301", "302"])),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 1.5, 6.0, 40.0])),
    st.tuples(st.just("worker"), st.just("")),
    st.tuples(st.just("delete"), st.just("")),
)


def do(here: Centre, step: str, value: str | float) -> None:
    calls = list(here.switch.calls.values())
    worker = here.workers[1]
    match step:
        case "call" | "listen":
            number = "700" if step == "call" else "*98"
            if not any(call.identity.name == value for call in calls):
                here.phones[str(value)].call(number)
        case "key" | "pin":
            for call in calls:
                for key in str(value):
                    here.key(call, key)
        case "played":
            for call in calls:
                if here.heard(call) is not None and call.id in here.switch.calls:
                    here.play_out(call)
        case "silent":
            for recording in list(worker.recordings):
                here.media_event(m.RecordSilent(recording))
        case "failed":
            for recording, record in list(worker.recordings.items()):
                del worker.recordings[recording]
                here.media_event(m.RecordFailed(recording, record.path, "no space"))
        case "hangup":
            for leg in here.phones[str(value)].legs[-1:]:
                here.phones[str(value)].hang_up(leg)
        case "wait":
            here.advance(float(value))
        case "worker":
            here.kill_worker()
        case "delete":
            for message in here.switch.mailboxes.of("anna")[:1]:
                here._carry_out(here.switch.delete_message("anna", message.id, "test", here.now))
    here.settle()


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=30))
def test_nothing_is_left_but_messages(steps: list[tuple[str, Any]]) -> None:
    here = Centre(
        more={"mailboxes": {"anna": BOX}, "voicemail": VoicemailCare("/vm")},
        routes={"700": Target("voicemail", "anna")},
    )
    for step, value in steps:
        do(here, step, value)
    for phone in ("300", "301", "302"):
        do(here, "hangup", phone)
    here.advance(120)
    here.check_empty()
    assert not [warning for warning in here.warnings if "defect" in warning.text]
    # What the database has is what the mailbox has, and no row is left of a recording that is over.
    rows = {name: row for name, row in here.messages.items() if row.state != "greeting"}
    assert rows == {message.id: message for message in here.switch.mailboxes.of("anna")}
    assert len(rows) <= BOX.max_messages
    # No file is removed that somebody may still want to hear.
    assert not {row.file for row in here.messages.values()} & set(here.files_gone)
    assert len(here.mailed) == len(set(here.mailed))
    assert set(rows) <= set(here.mailed)
