"""Phones whose codec only pjsua2 speaks: the leg has three legs in the engine, and two calls to a process."""

from __future__ import annotations

import pytest

from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.leg import Leg
from softswitch.call.media import G722
from softswitch.call.record import Disposition
from softswitch.call.settings import Phone, Target
from softswitch.call.terminating import PATIENCE_S, SPOKEN
from softswitch.log import redact
from softswitch.sdp.codecs import PCMA, PCMU, Codec
from softswitch.sip.uri import Uri
from tests.softswitch.call.test_taking_over import killed
from tests.support.centre import Accepted, Centre, Ended, Handset, Worker

GSM = Codec("GSM", 3)
WIDE = Codec("speex", 96, 16000)
PROCESS = (PCMU, PCMA, G722, *SPOKEN)


def centre(*processes: int, **more: object) -> Centre:
    made = Centre(**more)  # type: ignore[arg-type]
    for number in processes:
        made.endpoint(number, PROCESS)
    return made


def caller(at: Centre, number: str = "600", codec: Codec = GSM, phone: str = "300") -> tuple[Handset, Leg]:
    """A phone with one codec calls."""
    one = at.phones[phone]
    one.codecs = (codec,)
    leg = one.call(number)
    at.settle()
    return one, leg


def parts(at: Centre, call: Call) -> tuple[int, int, m.SetRemote, m.SetRemote, m.SetRemote]:
    """The front and the outer leg of a caller, and what the worker was told of front, outer and his own."""
    assert call.leg.audio is not None
    front, remotes = call.leg.audio.front, at.workers[1].remotes
    outer = next(b for a, b in reversed(at.workers[1].bridges) if a == front)
    return front, outer, remotes[front], remotes[outer], remotes[call.leg.id]


def test_a_caller_with_gsm_is_answered_and_spoken_with_by_a_process() -> None:
    at = centre(1)
    phone, leg = caller(at)
    assert phone.of(Accepted) and at.call.stage is Stage.MENU
    call = at.call
    _, _, to_phone, to_outer, to_inner = parts(at, call)
    assert (to_phone.address, to_phone.codec, to_phone.payload_type) == (phone.address[0], "OPAQUE/8000", 3)
    assert (to_outer.address, to_outer.codec, to_inner.codec) == ("127.0.0.1", "OPAQUE/8000", "PCMU")
    assert to_phone.event_payload_type == to_inner.event_payload_type == 101
    at.key(call, "1")
    assert call.stage is Stage.QUEUE
    phone.hang_up(leg)
    at.settle()
    at.advance(60)
    assert [one.codec for one in at.record.legs] == ["GSM"]
    at.check_empty()


def test_the_secret_of_a_process_is_in_no_log() -> None:
    at, sent = centre(1), []

    def note(data: bytes) -> bool:
        sent.append(data.decode())
        return False

    at.lose = note
    phone, leg = caller(at)
    phone.hang_up(leg)
    at.settle()
    told = [one for one in sent if "secret1" in one]
    assert any(one.startswith("INVITE") for one in told), "the process is told it"
    assert not any("secret1" in redact(one) for one in sent)


def test_what_happens_in_front_and_behind_is_told_apart() -> None:
    at = centre(1)
    caller(at)
    call = at.call
    front = parts(at, call)[0]
    at.media_event(m.Digit(front, "1", "rfc4733"))  # comes again, by the process
    assert call.stage is Stage.MENU
    at.media_event(m.MediaLost(call.leg.id, 30.0))
    assert at.call is call
    measured = m.Quality(5, 5, 4, 3.0, 2.0)
    at.media_event(m.Measured(call.leg.id, m.Quality(9, 9, 9, 9.0, 9.0)))
    at.media_event(m.Measured(front, measured))
    assert call.leg.audio is not None and call.leg.audio.quality == measured
    at.media_event(m.MediaLost(front, 30.0))
    assert at.record.cause == "no audio from caller for 30 s"
    at.advance(60)
    at.check_empty()


def test_wideband_stays_wide() -> None:
    at = centre(1)
    caller(at, codec=WIDE)
    _, _, to_phone, _, to_inner = parts(at, at.call)
    assert (to_phone.codec, to_phone.payload_type, to_inner.codec) == ("OPAQUE/16000", 96, "G722")


def test_who_speaks_something_of_ours_needs_no_process() -> None:
    at = centre(1)
    phone = at.phones["300"]
    phone.codecs = (GSM, PCMA)
    phone.call("600")
    at.settle()
    assert at.call.leg.audio is not None and at.call.leg.audio.front == 0
    assert at.workers[1].remotes[at.call.leg.id].codec == "PCMA"


def test_without_a_process_nothing_is_in_common() -> None:
    at = centre()
    phone, _ = caller(at)
    (ended,) = phone.of(Ended)
    assert isinstance(ended, Ended) and ended.status == 488


def test_a_process_has_room_for_two_legs() -> None:
    at = centre(1)
    for phone in ("300", "301"):
        caller(at, phone=phone)
    assert at.switch.hub.terminating.places == (2, 2)
    late, _ = caller(at, phone="302")
    (ended,) = late.of(Ended)
    assert isinstance(ended, Ended) and ended.status == 503
    at.phones["300"].hang_up(at.phones["300"].legs[-1])
    at.settle()
    assert at.switch.hub.terminating.places == (1, 2)


def test_a_lost_process_is_replaced_by_another_in_the_middle_of_the_call() -> None:
    at = centre(1, 2)
    phone, leg = caller(at)
    call = at.call
    front, outer = parts(at, call)[:2]
    at.lose_endpoint(1)
    assert at.call is call and call.stage is Stage.MENU
    again, new, _, to_outer, to_inner = parts(at, call)
    assert again == front and new != outer and outer not in at.workers[1].live
    assert to_outer.codec == "OPAQUE/8000" and to_inner.codec == "PCMU"
    at.advance(60)  # the dead process's transactions time out, and nobody minds
    assert at.call is call
    phone.hang_up(leg)
    at.settle()
    at.advance(60)
    at.check_empty()


def test_a_lost_process_without_another_ends_the_call_with_its_record() -> None:
    at = centre(1)
    phone, _ = caller(at)
    at.lose_endpoint(1)
    at.advance(PATIENCE_S - 1)
    assert not phone.of(Ended)
    at.advance(2)
    assert phone.of(Ended)
    assert at.record.cause == "media endpoint lost: killed"
    assert at.record.disposition is Disposition.MEDIA_FAILURE
    at.advance(60)
    at.check_empty()


def test_a_lost_process_is_replaced_by_one_that_comes_later() -> None:
    at = centre(1)
    phone, leg = caller(at)
    call, front = at.call, parts(at, at.call)[0]
    at.lose_endpoint(1)
    at.advance(3)
    at.endpoint(2, PROCESS)
    at.settle()
    assert parts(at, call)[0] == front and at.switch.hub.terminating.places == (1, 2)
    at.advance(PATIENCE_S)
    assert at.call is call and not phone.of(Ended)
    at.lose_endpoint(2)
    phone.hang_up(leg)  # while a process is awaited
    at.advance(60)
    at.check_empty()


def three_for_two_places() -> Centre:
    """Three callers have lost their processes, and one with room for two has come."""
    at = centre(1, 2)
    for phone in ("300", "301", "302"):
        caller(at, phone=phone)
    at.lose_endpoint(1)
    at.lose_endpoint(2)
    at.endpoint(3, PROCESS)
    at.settle()
    return at


def test_as_many_as_a_new_process_has_room_for_go_on() -> None:
    at = three_for_two_places()
    assert at.switch.hub.terminating.places == (3, 2)
    at.advance(PATIENCE_S + 1)
    assert len(at.switch.calls) == 2 and at.switch.hub.terminating.places == (2, 2)


def test_who_waits_for_a_process_has_the_place_that_gets_free() -> None:
    at = three_for_two_places()
    at.advance(1)
    at.phones["300"].hang_up(at.phones["300"].legs[-1])
    at.settle()
    at.advance(PATIENCE_S + 1)
    assert [call.identity.name for call in at.switch.calls.values()] == ["301", "302"]
    assert at.switch.hub.terminating.places == (2, 2)


def test_each_wait_for_a_process_has_its_whole_patience() -> None:
    at = centre(1)
    phone, _ = caller(at)
    at.lose_endpoint(1)
    at.advance(3)
    at.endpoint(2, PROCESS)
    at.settle()
    at.advance(11.5)
    at.lose_endpoint(2)
    at.advance(PATIENCE_S - 1)
    assert not phone.of(Ended)
    at.advance(2)
    assert phone.of(Ended)


def test_a_phone_answers_while_the_port_towards_the_next_process_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phones = {
        number: Phone(number, contact=Uri("sip", number, None, f"10.0.1.{place}", 5060), endpoint=way)  # type: ignore[arg-type]
        for place, (number, way) in enumerate((("201", "pjsua2"), ("202", "auto"), ("300", "auto")), 1)
    }
    at = centre(1, 2, more={"phones": phones}, routes={"201": Target("extension", "201")}, callers=("300",))
    called = at.phones["201"]
    called.codecs = (GSM,)
    called.on_incoming = called.ring
    at.phones["300"].call("201")
    at.settle()
    late: list[m.Event] = []
    usual = Worker.command

    def slow(worker: Worker, command: m.Command) -> list[m.Event]:
        said = usual(worker, command)
        if not isinstance(command, m.Allocate):
            return said
        late.extend(said)
        return []

    monkeypatch.setattr(Worker, "command", slow)
    at.lose_endpoint(1)
    at.lose_endpoint(2)
    at.endpoint(3, PROCESS)
    assert late
    called.answer(called.legs[-1])
    at.settle()
    for event in late:
        at.media_event(event)
    at.settle()
    assert at.call.stage is Stage.TALK and not any("defect" in warning.text for warning in at.warnings)


def test_both_legs_of_a_call_lose_their_process_and_there_is_no_other() -> None:
    """The first one ends the call, and with it the third party's."""
    phones = {
        number: Phone(number, contact=Uri("sip", number, None, f"10.0.1.{place}", 5060), endpoint="pjsua2")
        for place, number in enumerate(("201", "202", "300", "301", "302"), 1)
    }
    routes = {"302": Target("extension", "302"), "600": Target("flow", "main")}
    at = centre(1, more={"phones": phones}, routes=routes)
    for number in ("301", "302"):
        at.phones[number].codecs = (GSM,)
        at.phones[number].on_incoming = at.phones[number].answer
    caller(at, "302")
    (call,) = at.switch.calls.values()
    assert call.stage is Stage.TALK
    at.endpoint(2, PROCESS)
    at._carry_out(at.switch.add_party(call.id, "301", "lea", at.now))
    at.settle()
    at.phones["202"].codecs = (GSM,)
    at.phones["202"].call("600")
    at.settle()
    assert at.switch.hub.terminating.places == (4, 4)
    at.lose_endpoint(1)
    at.advance(PATIENCE_S)
    assert call.id not in at.switch.calls
    for phone in at.phones.values():
        for leg in phone.legs:
            phone.hang_up(leg)
    at.advance(60)
    assert at.switch.hub.terminating.places == (0, 2)
    at.check_empty()


def test_a_process_that_refuses_ends_the_call() -> None:
    at = centre(1)
    process = at._by_address["127.0.0.1", 30001]
    process.on_incoming = lambda leg: process.refuse(leg, 403)
    phone, _ = caller(at)
    assert phone.of(Ended) and "media endpoint ended its call" in at.record.cause
    at.advance(60)
    at.check_empty()


def test_no_port_for_the_front() -> None:
    at = centre(1)
    worker, usual = at.workers[1], at.workers[1].command

    def without_front(command: m.Command) -> list[m.Event]:
        if isinstance(command, m.Allocate) and command.address == at.phones["300"].address[0]:
            return []
        if isinstance(command, m.Release) and command.leg not in worker.live:
            return []  # the worker ignores what it does not know
        return usual(command)

    worker.command = without_front  # type: ignore[method-assign]
    phone, _ = caller(at)
    assert at.call.leg.audio is not None
    at.media_event(m.AllocateFailed(at.call.leg.audio.front, "no port"))
    (ended,) = phone.of(Ended)
    assert isinstance(ended, Ended) and ended.status == 503
    at.advance(60)
    at.check_empty()


def test_a_lost_worker_takes_its_terminals_along() -> None:
    at = centre(1)
    caller(at)
    at.kill_worker()
    assert at.switch.hub.terminating.places == (0, 2)
    at.advance(60)
    at.check_empty()


@pytest.mark.parametrize("speaks", [GSM, PCMA])
def test_an_extension_for_which_it_is_wanted_is_called_through_a_process(speaks: Codec) -> None:
    phones = {
        number: Phone(number, contact=Uri("sip", number, None, f"10.0.1.{place}", 5060), endpoint=way)  # type: ignore[arg-type]
        for place, (number, way) in enumerate((("201", "pjsua2"), ("202", "auto"), ("300", "auto")), 1)
    }
    at = centre(1, more={"phones": phones}, routes={"201": Target("extension", "201")}, callers=("300",))
    at.phones["201"].codecs = (speaks,)
    at.phones["300"].call("201")
    at.settle()
    (ringing,) = at.phones["201"].legs
    at.phones["201"].answer(ringing)
    at.settle()
    call = at.call
    assert call.stage is Stage.TALK and call.partner is not None and call.partner.audio is not None
    front, remotes = call.partner.audio.front, at.workers[1].remotes
    assert remotes[front].codec == "OPAQUE/8000" and remotes[call.partner.id].codec == "PCMU"
    assert (call.leg.id, call.partner.id) in at.workers[1].bridges
    at.phones["201"].hang_up(ringing)
    at.settle()
    at.advance(60)
    assert [one.codec for one in at.record.legs] == ["PCMU", speaks.name]
    at.check_empty()


def test_a_phone_without_telephone_event_has_its_keys_in_the_audio() -> None:
    at = centre(1)
    phone = at.phones["300"]
    phone.codecs = (GSM,)
    phone.offer = lambda: (  # type: ignore[method-assign]
        b"v=0\r\no=- 1 1 IN IP4 10.0.1.3\r\ns=-\r\nc=IN IP4 10.0.1.3\r\nt=0 0\r\nm=audio 4000 RTP/AVP 3\r\n"
    )
    phone.call("600")
    at.settle()
    _, _, to_phone, to_outer, to_inner = parts(at, at.call)
    assert to_phone.event_payload_type is to_outer.event_payload_type is None
    assert to_inner.event_payload_type == 101


# ----- after a kill of the signalling, with which the processes end


def again(first: Centre, *processes: int) -> Centre:
    """The second switch, with processes of its own."""
    for number in (1, 2):
        first._by_address.pop(("127.0.0.1", 30000 + number), None)
    second = killed(first)
    for number in processes:
        second.endpoint(number, PROCESS)
    return second


def test_a_caller_is_spoken_with_by_a_process_of_the_next_switch() -> None:
    first = centre(1)
    phone, leg = caller(first)
    call, (front, outer) = first.call, parts(first, first.call)[:2]
    port = first.switch.hub.terminating.kept(call.leg)
    second = again(first)
    assert not phone.of(Ended) and second.switch.hub.terminating.places == (1, 0)
    assert outer not in second.workers[1].live and front in second.workers[1].live
    assert second.switch.hub.terminating.kept(second.call.leg) == port
    second.advance(2)
    before = second.heard(second.call)
    second.play_out(second.call)
    second.key(second.call, "2")
    assert second.call.stage is Stage.MENU
    second.endpoint(1, PROCESS)
    second.settle()
    call = second.call
    again_, new, to_phone, to_outer, to_inner = parts(second, call)
    assert again_ == front and new != outer
    assert (to_phone.codec, to_outer.codec, to_inner.codec) == ("OPAQUE/8000", "OPAQUE/8000", "PCMU")
    assert second.heard(call) != before, "the menu once more, when he can hear it"
    second.key(call, "1")
    assert call.stage is Stage.QUEUE
    phone.hang_up(leg)
    second.settle()
    second.advance(60)
    (told,) = second.record.legs
    assert told.codec == "GSM" and told.quality is not None
    second.check_empty()


def test_a_caller_for_whom_the_next_switch_has_no_process_is_told() -> None:
    first = centre(1)
    phone, _ = caller(first)
    second = again(first)
    second.advance(PATIENCE_S + 1)
    assert phone.of(Ended) and second.record.disposition is Disposition.MEDIA_FAILURE
    assert "no media endpoint" in second.record.cause
    second.advance(60)
    second.check_empty()


def test_a_caller_whose_front_is_gone_does_not_go_on() -> None:
    first = centre(1)
    phone, _ = caller(first)
    assert first.call.leg.audio is not None
    first.workers[1].live.remove(first.call.leg.audio.front)
    second = again(first, 1)
    assert phone.of(Ended) and not second.switch.calls
