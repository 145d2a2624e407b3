"""Overflows in steps: who cannot be reached passes the caller on, and in the end he is back in his place."""

from __future__ import annotations

from typing import Any

import pytest

from acd.events import Kind
from acd.rules import ExitKey, QueueRules
from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import CallbackCare, Peer, QueueCare, Target
from softswitch.call.voicemail_box import Box, VoicemailCare
from softswitch.sip.uri import Uri
from tests.support.centre import Centre

MUSIC = ("/music.wav",)
SALES = Box("sales", ("300",))
PEERS = {"carrier": Peer("carrier", Uri("sip", None, None, "10.0.1.6", 5060), max_calls=1)}


def centre(*steps: str, queue: dict[str, Any] | None = None, **keys: Any) -> Centre:
    """A queue that callers leave after 20 s, by these steps."""
    first, *rest = [Target.parse(step) for step in steps]
    then = tuple(rest)
    care = QueueCare(
        MUSIC,
        overflow=dict.fromkeys(("timeout", "empty"), first),
        then=dict.fromkeys(("timeout", "empty"), then),
        callback=CallbackCare(key="9") if "callback" in steps else None,
    )
    more = {"mailboxes": {"sales": SALES}, "voicemail": VoicemailCare("/vm"), "peers": PEERS}
    return Centre(care=care, more=more, queue={"max_wait_s": 20.0, **(queue or {})}, **keys)


def waiting(here: Centre) -> Call:
    here.phones["302"].call("601")
    here.settle()
    return here.call


def hang_up(here: Centre) -> None:
    here.phones["302"].hang_up(here.phones["302"].legs[-1])
    here.settle()


def test_an_extension_that_is_busy_passes_the_caller_on_to_the_mailbox() -> None:
    here = centre("extension:301", "voicemail:sales")
    call = waiting(here)
    here.advance(20)
    assert call.stage is Stage.RINGING
    here.phones["301"].refuse(here.phones["301"].legs[-1])
    here.settle()
    assert call.stage is Stage.MAILBOX
    hang_up(here)
    assert here.record.disposition is Disposition.OVERFLOW
    here.check_empty()


def test_an_extension_that_does_not_answer_passes_him_on_to_an_outside_number() -> None:
    here = centre("extension:301", "peer:carrier/0791234567")
    call = waiting(here)
    here.advance(20 + 30)
    assert call.stage is Stage.RINGING
    (attempt,) = call.attempts.values()
    assert attempt.party == "0791234567"
    hang_up(here)
    here.check_empty()


def test_an_outside_number_without_a_channel_passes_him_on() -> None:
    here = centre("peer:carrier/0791234567", "voicemail:sales")
    here.switch.desk.channels.take("carrier")
    call = waiting(here)
    here.advance(20)
    assert call.stage is Stage.MAILBOX
    hang_up(here)
    here.switch.desk.channels.give("carrier")
    here.check_empty()


def test_who_can_be_reached_nowhere_is_back_in_his_place() -> None:
    here = centre("extension:301")
    call = waiting(here)
    here.advance(10)
    here.phones["300"].call("601")
    here.advance(10)
    assert call.stage is Stage.RINGING
    here.phones["301"].refuse(here.phones["301"].legs[-1])
    here.settle()
    assert call.stage is Stage.QUEUE
    assert here.heard(call).clips == MUSIC  # type: ignore[union-attr]
    (queue,) = (view for view in here.acd.queues(here.now) if view.name == "sales")
    assert queue.waiting[0].call == call.id, "before him who came later"
    here.log_in("201")
    here.phones["201"].answer(here.phones["201"].legs[-1])
    here.settle()
    assert call.stage is Stage.TALK
    hang_up(here)
    here.phones["300"].hang_up(here.phones["300"].legs[-1])
    here.advance(20)
    records = {record.from_number: record for record in here.records.values()}
    assert records["302"].disposition is Disposition.ANSWERED
    assert here.kinds(call.id).count(Kind.ENTERQUEUE) == 2


def test_it_does_not_go_round_for_ever() -> None:
    here = centre("extension:301", queue={"max_wait_s": 1.0})
    here.phones["301"].on_incoming = here.phones["301"].refuse
    waiting(here)
    here.advance(200)
    assert not here.switch.calls
    assert here.record.disposition is Disposition.OVERFLOW
    here.check_empty()


def test_who_was_refused_has_no_place_to_go_back_to() -> None:
    here = centre("extension:301", queue={"join_empty": "no"})
    call = waiting(here)
    assert call.stage is Stage.RINGING
    here.phones["301"].refuse(here.phones["301"].legs[-1])
    here.settle()
    assert call.stage is Stage.FAREWELL
    here.play_out(call)
    assert here.record.disposition is Disposition.OVERFLOW
    here.check_empty()


def test_a_callback_as_the_last_step() -> None:
    here = centre("extension:301", "callback")
    call = waiting(here)
    here.advance(20)
    here.phones["301"].refuse(here.phones["301"].legs[-1])
    here.settle()
    assert call.asking is not None
    here.key(call, "1")
    assert "302" in here.errands
    here.advance(30)
    assert here.record.disposition is Disposition.OVERFLOW and here.record.cause == "callback"


def test_who_wants_no_callback_goes_on_to_the_next_step() -> None:
    here = centre("callback", "voicemail:sales")
    call = waiting(here)
    here.advance(20)
    assert call.asking is not None
    here.key(call, "*")
    assert call.stage is Stage.MAILBOX
    hang_up(here)
    here.check_empty()


def test_the_next_level_then_the_mailbox() -> None:
    """Queue -> next queue -> mailbox, each by the overflow of the one before."""
    here = Centre(queue={"max_wait_s": 20.0})
    settings = here.switch.hub.settings
    queues = {
        "sales": QueueCare(MUSIC, overflow={"timeout": Target("queue", "support")}),
        "support": QueueCare(MUSIC, overflow={"timeout": Target("voicemail", "sales")}),
    }
    object.__setattr__(settings, "queues", queues)
    object.__setattr__(settings, "mailboxes", {"sales": SALES})
    call = waiting(here)
    here.advance(20)
    assert (call.stage, call.story.queue) == (Stage.QUEUE, "support")
    here.advance(20)
    assert call.stage is Stage.MAILBOX
    hang_up(here)
    here.check_empty()


@pytest.mark.parametrize("refused", [True, False])
def test_an_exit_key_to_somebody_who_is_not_there(refused: bool) -> None:
    here = centre(
        "extension:301",
        queue={"max_wait_s": 300.0},
        rules=QueueRules(exit_keys={"0": ExitKey("extension:301", 0.0)}),
    )
    call = waiting(here)
    here.advance(10)
    here.key(call, "0")
    assert call.stage is Stage.RINGING
    if refused:
        here.phones["301"].refuse(here.phones["301"].legs[-1])
        here.settle()
    else:
        here.advance(30)
    assert call.stage is Stage.QUEUE, "he waits where he was"
    hang_up(here)
    here.check_empty()
