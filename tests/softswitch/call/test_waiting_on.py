"""Callers who wait when the switch is killed wait on in the second one: where they stood, with their music.
Who has hung up meanwhile is found out; phones that rang for them ring no more."""

from __future__ import annotations

import msgspec
import pytest

from acd.events import Kind
from acd.rules import QueueRules
from acd.stats import queue_stats
from media import messages as m
from softswitch.call.call import Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Target
from softswitch.call.whisper import Whisper
from tests.softswitch.call.test_keeping import agent
from tests.softswitch.call.test_taking_over import killed
from tests.support.centre import Centre, Confirmed, Ended


def wait(centre: Centre, *callers: str, apart_s: float = 5.0) -> None:
    """They call one after the other, and wait."""
    for number in callers:
        centre.phones[number].call("601")
        centre.settle()
        centre.advance(apart_s)


def order(centre: Centre) -> list[str]:
    """Who waits, first come first."""
    calls = centre.switch.calls
    rows = [row for queue in centre.acd.queues(centre.now) for row in queue.waiting]
    return [calls[row.call].identity.number for row in rows]


def test_they_wait_on_in_their_order_with_their_music() -> None:
    first = Centre()
    wait(first, "301", "300", "302")
    before = {call.id: (call.since, call.leg.id) for call in first.switch.calls.values()}
    second = killed(first)
    assert {call.id: (call.since, call.leg.id) for call in second.switch.calls.values()} == before
    assert order(second) == ["301", "300", "302"]
    for call in second.switch.calls.values():
        heard = second.heard(call)
        assert call.stage is Stage.QUEUE and heard is not None and (heard.loop, heard.resume) == (True, True)
    second.log_in("201")
    phone = second.phones["201"]
    phone.answer(phone.legs[-1])
    second.settle()
    (talk,) = [call for call in second.switch.calls.values() if call.stage is Stage.TALK]
    assert talk.identity.number == "301"
    second.advance(4)
    phone.hang_up(phone.legs[-1])
    second.advance(4)
    record = second.records[talk.id]
    assert record.disposition is Disposition.ANSWERED and record.wait_s == pytest.approx(20.0)
    assert record.talk_s == pytest.approx(4.0) and len(record.legs) == 2
    kinds = second.kinds(talk.id)
    assert [kind for kind in kinds if kind is not Kind.WRAPUP_START] == [
        *(Kind.CALL_START, Kind.ENTERQUEUE, Kind.OFFER, Kind.CONNECT, Kind.COMPLETEAGENT, Kind.CALL_END)
    ]
    stats = queue_stats(second.log)["sales"]
    assert (stats.offered, stats.answered) == (3, 1) and stats.wait_s == pytest.approx(20.0)
    for number in ("300", "302"):
        second.phones[number].hang_up(second.phones[number].legs[-1])
    second.advance(10)
    second.check_empty()
    assert not second.kept_calls


def test_the_phone_that_rang_rings_no_more_and_is_offered_anew() -> None:
    first = Centre()
    first.log_in("201")
    wait(first, "300", apart_s=3)
    phone = first.phones["201"]
    phone.ring(phone.legs[-1])
    first.settle()
    second = killed(first)
    (ended,) = phone.of(Ended)
    assert isinstance(ended, Ended) and ended.status == 487
    assert len(phone.legs) == 1, "it has a moment to stop ringing"
    second.advance(1)
    assert len(phone.legs) == 2 and agent(second, "agent201").state == "ringing"
    phone.answer(phone.legs[-1])
    second.advance(5)
    call = second.call
    assert call.stage is Stage.TALK
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(60)
    second.check_empty()
    assert not second.kept_calls and not second.warnings
    kinds = second.kinds(call.id)
    assert kinds.count(Kind.OFFER) == 2 and kinds.count(Kind.RINGCANCELED) == kinds.count(Kind.CONNECT) == 1
    record = second.records[call.id]
    assert [leg.role for leg in record.legs].count("agent") == 2
    assert all(leg.ended_at is not None for leg in record.legs)
    assert record.ring_s == pytest.approx(3.0), "not the time that nobody rang"


def test_a_phone_that_was_answered_meanwhile_hears_a_bye() -> None:
    first = Centre()
    first.log_in("201")
    wait(first, "300", apart_s=0)
    phone = first.phones["201"]
    phone.answer(phone.legs[-1])
    first.wire.clear()  # nobody hears of it
    second = killed(first, down_s=1.0)
    second.advance(0.9)
    assert phone.of(Confirmed) and phone.of(Ended), "his answer is acknowledged, then ended"
    assert order(second) == ["300"]


@pytest.mark.parametrize("going_on", [True, False])
def test_an_agent_who_hears_a_whisper_hears_a_bye(going_on: bool) -> None:
    """And is rung again, for the same caller, who has kept his place."""
    care = QueueCare(("/music.wav",), whisper=Whisper(("/sales.wav",), {}, {}))
    first = Centre(care=care)
    first.log_in("201")
    wait(first, "300", apart_s=0)
    phone = first.phones["201"]
    phone.answer(phone.legs[-1])
    first.settle()
    assert first.workers[1].heard[first.call.attempts[1].legs.popitem()[0]].clips == ("/sales.wav",)
    if not going_on:
        first.workers[1].live.clear()
    second = killed(first, care=care)
    assert phone.of(Ended)
    second.advance(1)
    assert (order(second), len(phone.legs)) == ((["300"], 2) if going_on else ([], 1))


def test_who_hung_up_meanwhile_has_abandoned_when_his_bye_comes_again() -> None:
    first = Centre()
    wait(first, "300", "301")
    phone = first.phones["300"]
    phone.hang_up(phone.legs[-1])
    first.wire.clear()
    second = killed(first)
    assert order(second) == ["301"]
    second.advance(4)
    (record,) = second.records.values()
    assert (record.disposition, record.ended_by) == (Disposition.ABANDONED, "caller")
    stats = queue_stats(second.log)["sales"]
    assert (stats.offered, stats.abandoned) == (2, 1)


def test_a_phone_that_has_forgotten_the_call_says_so() -> None:
    """Its BYE was repeated in vain, and will not come again."""
    first = Centre()
    wait(first, "300", "301")
    first.phones["300"].ua.ep.forget(first.phones["300"].legs[-1])
    second = killed(first)
    assert order(second) == ["301"]
    second.advance(4)
    (record,) = second.records.values()
    assert (record.disposition, record.cause) == (Disposition.ABANDONED, "the phone is gone")
    assert [event.kind for event in second.log].count(Kind.ABANDON) == 1


def test_a_phone_that_is_not_there_any_more_is_given_up() -> None:
    first = Centre()
    wait(first, "300", "301")
    gone = first.phones["300"]
    del first._by_address[gone.address]
    second = killed(first)
    assert order(second) == ["300", "301"]
    second.advance(33)
    assert order(second) == ["301"]
    second.advance(4)
    assert [record.disposition for record in second.records.values()] == [Disposition.FAILED]


def test_whose_media_was_lost_meanwhile_is_over() -> None:
    """What a worker could not tell anybody it tells as soon as somebody is there."""
    first = Centre()
    wait(first, "300")
    second = killed(first)
    second.media_event(m.MediaLost(second.call.leg.id, 30.0))
    second.advance(4)
    assert not second.switch.calls
    assert [record.disposition for record in second.records.values()] == [Disposition.MEDIA_FAILURE]


def test_where_he_goes_if_nobody_comes_is_known_still() -> None:
    care = QueueCare(("/music.wav",), overflow={"timeout": Target("extension", "202")})
    first = Centre(queue={"max_wait_s": 20.0}, care=care)
    wait(first, "300", apart_s=10)
    second = killed(first, queue={"max_wait_s": 20.0}, care=care)
    second.advance(4.9)
    assert not second.phones["202"].legs
    second.advance(0.2)
    phone = second.phones["202"]
    phone.answer(phone.legs[-1])
    second.settle()
    assert second.call.stage is Stage.TALK and second.call.overflowed


def test_what_his_menu_has_learned_goes_with_him() -> None:
    first = Centre()
    first.phones["300"].call("600")
    first.settle()
    first.key(first.call, "1")
    first.settle()
    first.call.carried |= {"order": "4711", "pin": "0815"}
    first.call.secrets = frozenset(("pin",))
    first.switch.hub.keep(first.call)
    first._carry_out(first.switch.handle_timer(first.now))
    assert first.call.stage is Stage.QUEUE and first.call.story.path
    assert b"0815" not in msgspec.json.encode(list(first.kept_calls.values()))
    second = killed(first)
    assert second.call.story.path == first.call.story.path and second.call.story.call_type == "sales"
    second.log_in("201")
    invite = second.phones["201"].legs[-1].invite
    assert (invite.headers.get("X-Call-Type"), invite.headers.get("X-CC-Order")) == ("sales", "4711")


def test_killed_twice_and_while_he_is_asked_something() -> None:
    """Who is asked for his number waits on, with music; what he has waited grows through both."""
    care = QueueCare(("/music.wav",))
    rules = QueueRules()
    first = Centre(care=care, rules=rules)
    wait(first, "300", apart_s=10)
    second = killed(killed(first, care=care, rules=rules), care=care, rules=rules)
    second.log_in("201")
    phone = second.phones["201"]
    phone.answer(phone.legs[-1])
    second.settle()
    connect = next(event for event in second.log if event.kind is Kind.CONNECT)
    assert connect.data["wait_s"] == pytest.approx(20.0)


def test_whose_worker_died_too_hears_a_bye() -> None:
    first = Centre()
    wait(first, "300")
    first.workers[1].live.clear()
    second = killed(first)
    assert second.phones["300"].of(Ended) and not second.switch.calls and not second.kept_calls


def test_who_left_the_queue_is_not_kept_in_it() -> None:
    first = Centre(
        queue={"max_wait_s": 5.0}, care=QueueCare(("/m.wav",), overflow={"timeout": Target("flow", "main")})
    )
    wait(first, "300", apart_s=6)
    assert first.call.stage is Stage.MENU
    (kept,) = first.kept_calls.values()
    assert kept.wait is None and kept.menu is not None
