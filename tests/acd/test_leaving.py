"""How callers leave, and come back: exit keys, their own maximum wait, a place that is kept."""

from __future__ import annotations

import pytest

from acd.errors import AcdError
from acd.events import Kind
from acd.messages import Enqueue, LogOut, OpenQueue, Withdraw
from acd.queue import QueueConfig
from acd.returning import MEMORY, Returning
from acd.rules import ExitKey, QueueRules
from tests.acd.centre import Centre, left


def test_the_maximum_wait_of_the_callers_status_overrides_the_queues() -> None:
    here = Centre(QueueConfig("sales", max_wait_s=60.0), agents={})
    here.do(Enqueue("vip", "sales", max_wait_s=10.0))
    here.call("plain")
    here.do(Enqueue("patient", "sales", max_wait_s=600.0))
    assert left(here.wait(10.0)) == [("vip", "timeout")]
    assert left(here.wait(50.0)) == [("plain", "timeout")]
    assert here.waiting() == ["patient"]


def test_exit_keys_are_those_of_the_queue_from_their_time_on() -> None:
    keys = {"1": ExitKey("voicemail"), "2": ExitKey("callback", 30.0)}
    here = Centre(QueueConfig("sales"), agents={}, rules={"sales": QueueRules(exit_keys=keys)})
    here.call("c1")
    here.call("c2")
    assert here.acd.exits("c1", here.now) == {"1": "voicemail"}
    for key in ("2", "9"):
        with pytest.raises(AcdError, match="c1"):
            here.do(Withdraw("c1", "key", key))
    assert here.waiting() == ["c1", "c2"]
    here.do(Withdraw("c2", "key", "1"))
    assert here.last(Kind.EXITWITHKEY).data["target"] == "voicemail"
    here.wait(30.0)
    assert here.acd.exits("c1", here.now) == {"1": "voicemail", "2": "callback"}
    here.do(Withdraw("c1", "key", "2"))
    assert here.acd.exits("c1", here.now) == {}
    assert here.acd.is_idle()


def test_whoever_was_cut_off_has_his_place_back_for_some_minutes() -> None:
    config = QueueConfig("sales", max_length=3)
    here = Centre(config, agents={}, rules={"sales": QueueRules(return_s=120.0)})
    for number in (1, 2, 3):
        here.do(Enqueue(f"c{number}", "sales", f"+7{number}"), 10.0)
    here.do(Withdraw("c1"), 5.0)
    here.do(Withdraw("c2", "system", cause="worker lost"))
    here.do(Enqueue("c4", "sales", "+74"), 20.0)
    here.do(Enqueue("c5", "sales", "+75"))
    assert here.waiting() == ["c3", "c4", "c5"]
    here.do(Enqueue("c2 again", "sales", "+72"), 60.0)  # though it is full: his place was his
    assert here.waiting() == ["c2 again", "c3", "c4", "c5"]
    assert here.last(Kind.ENTERQUEUE).data["credit_s"] == pytest.approx(95.0)
    assert left(here.do(Enqueue("c1 again", "sales", "+71"), 41.0)) == [("c1 again", "full")]  # too late
    here.do(Withdraw("c2 again"))
    assert here.last(Kind.ABANDON).data["wait_s"] == pytest.approx(41.0)


def test_only_one_of_two_gets_the_place_and_nobody_without_a_number() -> None:
    here = Centre(QueueConfig("sales"), agents={}, rules={"sales": QueueRules(return_s=120.0)})
    here.do(Enqueue("c1", "sales", "+71"))
    here.do(Enqueue("c0", "sales", ""))
    here.do(Enqueue("c2", "sales", "+72"), 5.0)
    here.do(Withdraw("c1"))
    here.do(Withdraw("c0"))
    here.do(Enqueue("c3", "sales", "+71"), 1.0)
    here.do(Enqueue("c4", "sales", "+71"))
    here.do(Enqueue("c5", "sales", ""))
    assert here.waiting() == ["c3", "c2", "c4", "c5"]


def test_the_memory_of_lost_callers_is_bounded() -> None:
    here = Centre(QueueConfig("sales"), agents={}, rules={"sales": QueueRules(return_s=9e9)})
    memory = Returning()
    here.call("c1")
    (caller,) = here.acd._floor.callers.values()
    for number in range(MEMORY + 50):
        caller.caller = f"+{number}"
        memory.lost(caller, here.now)
    assert len(memory) == MEMORY
    assert memory.take(caller.queue, "+0", here.now) is None
    assert memory.take(caller.queue, f"+{MEMORY}", here.now) is not None


def test_those_who_are_bound_to_one_agent_leave_with_the_last_one_too() -> None:
    here = Centre(QueueConfig("sales", leave_empty=True), agents={"anna": ["sales"]})
    here.log_in("anna")
    here.do(Enqueue("c1", "sales", agent="anna", agent_wait_s=500.0))
    here.do(Enqueue("c2", "sales", agent="anna", agent_wait_s=500.0))
    assert left(here.do(LogOut("anna"))) == [("c1", "empty"), ("c2", "empty")]
    assert here.acd.deadline() is None
    here.do(OpenQueue("sales", False, "boss"))
    assert left(here.call("c3")) == [("c3", "closed")]
    assert here.last(Kind.QUEUE_CLOSE).data == {"by": "boss"}
