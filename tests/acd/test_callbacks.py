"""Callbacks: the place is kept, its turn comes, the number is reached or not."""

from __future__ import annotations

import pytest

from acd.errors import AcdError
from acd.events import Kind
from acd.messages import (
    Announce,
    Bridge,
    Callback,
    CallbackAnswered,
    CallbackFailed,
    DialBack,
    Ended,
    LeaveQueue,
    MoveCall,
    Offer,
    Pause,
    Ready,
    Refused,
    Withdraw,
)
from acd.queue import QueueConfig
from acd.rules import CallbackRules, QueueRules
from acd.stats import queue_stats
from tests.acd.centre import START, Centre, left, of

RULES = {"sales": QueueRules(callback=CallbackRules(attempts=2, retry_s=60.0))}


def busy_centre(**more: CallbackRules) -> Centre:
    """anna talks; c1, c2 and c3 wait."""
    config = QueueConfig("sales", wrapup_s=0.0, announce_position_s=100.0)
    rules = {"sales": QueueRules(**more)} if more else RULES
    here = Centre(config, agents={"anna": ["sales"], "boris": ["sales"]}, rules=rules)
    here.log_in("anna")
    here.call("c0")
    here.answer("anna")
    for call in ("c1", "c2", "c3"):
        here.wait(10.0)
        here.call(call)
    return here


def test_agent_first_keeps_the_place_and_rings_the_agent() -> None:
    here = busy_centre()
    here.do(Callback("p1", "+7500", call="c2", key="2"), 5.0)
    assert here.last(Kind.EXITWITHKEY).data["target"] == "callback"
    assert here.waiting() == ["c1", "p1", "c3"]
    assert [o for o in here.wait(100.0) if isinstance(o, Announce) and o.call == "p1"] == []
    here.do(Ended("c0", "caller"))
    here.answer("anna")
    outputs = here.do(Ended("c1", "caller"), 10.0)
    assert [offer.call for offer in of(outputs, Offer)] == ["p1"]  # type: ignore[union-attr]
    assert here.last(Kind.CALLBACK_REACHED).data["wait_s"] == pytest.approx(125.0)
    (bridge,) = of(here.answer("anna"), Bridge)
    assert isinstance(bridge, Bridge)
    assert (bridge.call, bridge.wait_s) == ("p1", 0.0)  # the reports count from the turn
    here.do(Ended("p1", "system", "no answer"), 20.0)
    here.do(Withdraw("c3"))
    one = queue_stats(here.log)["sales"]
    assert one.offered == one.answered + one.abandoned + one.left_by_key == 5
    assert here.acd.audit() == []


@pytest.mark.parametrize("moved", [False, True])
def test_who_answers_when_his_agent_has_hung_up_is_a_caller_from_then_on(moved: bool) -> None:
    """His patience, and what he is told, begin when he answers, also where he was moved before that."""
    config = QueueConfig("sales", wrapup_s=0.0, announce_position_s=10.0, max_wait_s=30.0)
    other = QueueConfig("other", announce_position_s=10.0, max_wait_s=30.0)
    here = Centre(config, other, agents={"anna": ["sales"]}, rules=RULES)
    here.log_in("anna")
    here.do(Callback("p1", "+7500", queue="sales"))
    here.do(Refused(here.offer_to("anna").offer, "refused"))
    here.do(Pause("anna", "tea"))
    if moved:
        here.do(MoveCall("p1", "other"))
    assert [one for one in here.wait(40.0) if isinstance(one, Announce | LeaveQueue)] == []
    here.do(CallbackAnswered("p1"))
    assert of(here.wait(29.0), Announce) and left(here.wait(2.0)) == [("p1", "timeout")]


def test_caller_first_dials_when_an_agent_is_ready_and_no_more_than_those() -> None:
    here = busy_centre()
    for number, call in enumerate(("c1", "c2", "c3"), 1):
        here.do(Callback(f"p{number}", f"+750{number}", call=call, first="caller"))
    assert here.acd.queues(here.now)[0].waiting[0].call == "p1"
    dialled = of(here.do(Ended("c0", "caller"), 5.0), DialBack)
    assert dialled == [DialBack("p1", "sales", "+7501", 1)]
    assert here.state("anna") == "ready"
    here.log_in("boris")
    assert here.outputs[-1:] == [DialBack("p2", "sales", "+7502", 1)] or here.last(Kind.CALLBACK_ATTEMPT)
    outputs = here.do(CallbackAnswered("p1"), 3.0)
    assert [offer.call for offer in of(outputs, Offer)] == ["p1"]  # type: ignore[union-attr]
    assert here.last(Kind.ENTERQUEUE).data["callback"] is True
    assert left(here.do(CallbackAnswered("p1"))) == [("p1", "gone")]
    assert here.acd.audit() == []


def test_a_number_that_is_not_reached_is_tried_again_and_then_dropped() -> None:
    here = busy_centre()
    for call in ("c1", "c3"):
        here.do(Withdraw(call))
    here.do(Callback("p1", "+7501", call="c2", first="caller"))
    here.do(Ended("c0", "caller"))
    assert here.do(CallbackFailed("p9")) == []
    here.do(CallbackFailed("p1", "busy"), 20.0)
    assert here.last(Kind.CALLBACK_FAILED).data == {"number": "+7501", "attempt": 1, "reason": "busy"}
    assert here.do(CallbackFailed("p1", "busy")) == []  # does not ring
    assert of(here.wait(59.0), DialBack) == []
    assert of(here.wait(1.0), DialBack) == [DialBack("p1", "sales", "+7501", 2)]
    here.do(CallbackFailed("p1", "no answer"), 20.0)
    assert here.last(Kind.CALLBACK_DROPPED).data == {"number": "+7501", "reason": "attempts"}
    assert here.waiting() == []
    assert here.acd.deadline() is None
    assert left(here.do(CallbackAnswered("p1"))) == [("p1", "gone")]


def test_a_failed_number_lets_the_next_one_be_dialled() -> None:
    here = busy_centre()
    for number, call in enumerate(("c1", "c2", "c3"), 1):
        here.do(Callback(f"p{number}", f"+750{number}", call=call, first="caller"))
    here.do(Ended("c0", "caller"))
    assert of(here.do(CallbackFailed("p1"), 5.0), DialBack) == [DialBack("p2", "sales", "+7502", 1)]
    assert of(here.do(Withdraw("p2")), DialBack) == [DialBack("p3", "sales", "+7503", 1)]
    assert here.last(Kind.CALLBACK_DROPPED).data["reason"] == "withdrawn"


def test_a_call_behind_is_not_held_up_by_a_number_that_rings() -> None:
    here = busy_centre()
    here.do(Callback("p1", "+7501", call="c1", first="caller"))
    here.do(Ended("c0", "caller"))
    assert here.ringing() == {"c2": "anna"}


def test_one_callback_a_number_and_other_refusals() -> None:
    here = busy_centre()
    here.do(Callback("p1", "+7501", call="c1"))
    for wrong in (
        Callback("p2", "+7501", call="c2"),
        Callback("p2", "", call="c2"),
        Callback("p2", "+7502", call="nobody"),
        Callback("c3", "+7502", call="c2"),
        Callback("p2", "+7502", queue="nowhere"),
        Callback("p2", "+7502", queue="sales", entered_at=START * 2),
    ):
        with pytest.raises(AcdError):
            here.do(wrong)
    assert here.waiting() == ["p1", "c2", "c3"]
    here.do(Callback("p2", "+7502", queue="sales", entered_at=START))
    assert here.waiting() == ["p2", "p1", "c2", "c3"]


def test_callbacks_keep_to_their_hours() -> None:
    day_s = START % 86_400
    hours = CallbackRules(windows=((day_s + 600.0, day_s + 700.0),))
    here = busy_centre(callback=hours)
    here.do(Callback("p1", "+7501", queue="sales"))
    here.do(Withdraw("c1"))
    here.do(Withdraw("c2"))
    here.do(Withdraw("c3"))
    here.do(Ended("c0", "caller"))
    assert here.state("anna") == "ready"
    here.wait(START + 599.0 - here.now)
    assert here.ringing() == {}
    here.wait(1.5)
    assert here.ringing() == {"p1": "anna"}


@pytest.mark.parametrize(
    ("at", "expected"), [(0.0, 0.0), (3600.0, 0.0), (7200.0, 72_000.0), (79_200.0, 0.0), (86_399.0, 0.0)]
)
def test_hours_may_go_past_midnight(at: float, expected: float) -> None:
    assert CallbackRules(windows=((79_200.0, 7200.0),)).opens_in_s(at) == expected


def test_a_place_survives_the_last_agent_and_does_not_count_as_a_call() -> None:
    here = busy_centre()
    here.do(Ready("anna"))
    here.do(Callback("p1", "+7501", call="c1"))
    for call in ("c2", "c3"):
        here.do(Withdraw(call))
    here.do(Ended("c0", "caller"))
    here.answer("anna")
    here.do(Ended("p1", "caller"))
    here.do(Callback("p2", "+7502", queue="sales", first="caller"))
    assert here.acd.is_idle()


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"retry_s": 0.0}, {"windows": ((5.0, 5.0),)}, {"windows": ((0.0, 1e6),)}],
    ids=str,
)
def test_wrong_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(AcdError):
        CallbackRules(**wrong)  # type: ignore[arg-type]
