"""What a supervisor does: hand, move, log out; limits of pauses; longer wrap-ups."""

from __future__ import annotations

import pytest

from acd.errors import AcdError
from acd.events import Kind
from acd.messages import (
    CancelOffer,
    Ended,
    ExtendWrapup,
    HandCall,
    LogOut,
    MoveCall,
    Moved,
    Pause,
    PauseExceeded,
    Ready,
    Refused,
)
from acd.queue import QueueConfig
from acd.rules import QueueRules
from acd.stats import queue_stats
from tests.acd.centre import Centre, of


def two_queues() -> Centre:
    """anna works in sales, boris in help."""
    return Centre(
        QueueConfig("sales", wrapup_s=0.0),
        QueueConfig("help", max_length=1),
        agents={"anna": ["sales"], "boris": ["help"]},
        rules={"sales": QueueRules(agent_wait_s=15.0)},
    )


def test_a_call_is_handed_to_an_agent_of_another_group() -> None:
    here = two_queues()
    here.log_in("boris")
    here.call("c1")
    here.call("h1", "help")
    here.do(HandCall("c1", "boris", "boss"))
    here.answer("boris")
    here.do(Ended("h1", "caller"), 5.0)
    here.call("h2", "help", priority=9)
    here.do(Ready("boris"))
    assert here.ringing() == {"c1": "boris"}  # whatever else he could have
    assert here.last(Kind.CALL_HANDED).data == {"by": "boss"}
    here.answer("boris")
    assert here.last(Kind.CONNECT).queue == "sales"
    assert here.acd.audit() == []


def test_a_handed_call_is_anybodys_again_if_he_does_not_take_it() -> None:
    here = two_queues()
    here.log_in("anna", "boris")
    here.call("h1", "help")
    here.answer("boris")
    here.call("c1")
    outputs = here.do(HandCall("c1", "boris"))
    assert of(outputs, CancelOffer) == [CancelOffer(2, "anna", "handed to another agent")]
    assert here.ringing() == {}
    here.wait(15.0)
    assert here.ringing() == {"c1": "anna"}
    here.do(HandCall("c1", "anna"))  # rings there already
    assert here.ringing() == {"c1": "anna"}
    here.do(Refused(here.offer_to("anna").offer))
    here.do(HandCall("c1", "anna"))
    assert here.ringing() == {"c1": "anna"}  # a refusal does not count against an order


def test_a_call_is_moved_with_what_it_has_waited() -> None:
    here = two_queues()
    here.call("h1", "help")
    here.wait(1.0)
    here.call("c1")
    here.wait(60.0)
    here.log_in("boris")
    outputs = here.do(MoveCall("c1", "help", "boss"))  # full, but this is an order
    assert of(outputs, Moved) == [Moved("c1", "sales", "help")]
    gone = here.last(Kind.EXITSYSTEM)
    assert (gone.queue, gone.data["cause"], gone.data["to"], gone.data["by"]) == (
        "sales",
        "moved",
        "help",
        "boss",
    )
    assert here.waiting("help") == ["h1", "c1"]
    assert here.last(Kind.ENTERQUEUE).data["credit_s"] == pytest.approx(61.0)
    assert here.do(MoveCall("c1", "help")) == []
    stats = queue_stats(here.log)
    assert (stats["sales"].left_by_system, stats["help"].offered) == (1, 2)
    assert here.acd.audit() == []


def test_orders_that_cannot_be_obeyed_change_nothing() -> None:
    here = two_queues()
    here.log_in("anna")
    here.call("c1")
    for order in (
        HandCall("c9", "anna"),
        HandCall("c1", "nobody"),
        HandCall("c1", "boris"),
        MoveCall("c9", "help"),
        MoveCall("c1", "nowhere"),
        ExtendWrapup("anna", 10.0),
        ExtendWrapup("boris", 10.0),
    ):
        with pytest.raises(AcdError) as caught:
            here.do(order)
        assert caught.value.remedy
    assert here.ringing() == {"c1": "anna"}


def test_a_supervisor_logs_an_agent_out_who_rings() -> None:
    here = two_queues()
    here.log_in("anna")
    here.call("c1")
    here.do(LogOut("anna", "boss"))
    assert here.last(Kind.AGENTLOGOFF).data["by"] == "boss"
    assert here.waiting() == ["c1"]


def test_a_pause_that_lasts_too_long_is_told_once() -> None:
    here = Centre(QueueConfig("sales"), agents={"anna": ["sales"]}, pause_limits_s={"lunch": 1800.0})
    here.log_in("anna")
    here.do(Pause("anna", "lunch"))
    assert of(here.wait(1799.0), PauseExceeded) == []
    assert of(here.wait(600.0), PauseExceeded) == [PauseExceeded("anna", "lunch", 1800.0)]
    assert here.last(Kind.PAUSE_EXCEEDED).data == {"reason": "lunch", "limit_s": 1800.0}
    here.do(Pause("anna", "tea"))
    assert of(here.wait(9000.0), PauseExceeded) == []
    here.do(Pause("anna", "lunch"))
    here.do(Ready("anna"), 10.0)
    assert of(here.wait(9000.0), PauseExceeded) == []
    assert here.acd.deadline() is None


def test_a_wrap_up_is_extended_and_can_still_be_ended_early() -> None:
    here = Centre(QueueConfig("sales", wrapup_s=10.0), agents={"anna": ["sales"]})
    here.log_in("anna")
    here.talk("c1", 10.0)
    here.do(ExtendWrapup("anna", 30.0, "boss"), 5.0)
    assert here.last(Kind.WRAPUP_EXTENDED).data == {"extra_s": 30.0, "by": "boss"}
    here.wait(34.0)
    assert here.state("anna") == "wrap-up"
    here.wait(1.0)
    assert (here.state("anna"), here.last(Kind.WRAPUP_END).data["wrapup_s"]) == ("ready", 40.0)
    here.talk("c2", 10.0)
    here.do(ExtendWrapup("anna", 30.0))
    here.do(Ready("anna"), 1.0)
    assert here.state("anna") == "ready"
    for wrong in (0.0, 1e9, float("nan")):
        here.talk(f"c{wrong}", 10.0)
        with pytest.raises(AcdError):
            here.do(ExtendWrapup("anna", wrong))
        here.do(Ready("anna"))
