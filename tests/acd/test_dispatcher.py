"""The rules of agent selection, one story each: offers, missed offers, queues, talks, wrap-up, log-out."""

from __future__ import annotations

import pytest

from acd.dispatcher import Acd
from acd.errors import AcdError
from acd.events import Kind
from acd.messages import (
    Announce,
    Answered,
    Bridge,
    CancelOffer,
    Ended,
    Enqueue,
    HandCall,
    Held,
    LogIn,
    LogOut,
    Offer,
    OpenQueue,
    OwnCall,
    Pause,
    PhoneState,
    Ready,
    Refused,
    SetPriority,
    Withdraw,
)
from acd.offers import REST_S
from acd.queue import QueueConfig
from acd.rules import QueueRules
from acd.strategy import Candidate, Key, KeyStrategy
from tests.acd.centre import START, Centre, left, of

TWO = {"anna": ["sales"], "boris": ["sales"]}


def test_a_caller_is_offered_answered_and_served() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    outputs = centre.call("c1")
    assert of(outputs, Offer) == [Offer(1, "c1", "sales", "anna", "phone-anna", centre.now + 20.0)]
    assert centre.state("anna") == "ringing"
    centre.wait(4.0)
    bridged = of(centre.answer("anna"), Bridge)
    assert bridged == [Bridge(1, "c1", "sales", "anna", 4.0)]
    assert (centre.state("anna"), centre.agent("anna").call) == ("talking", "c1")
    centre.do(Held("c1", True), 30.0)
    assert centre.agent("anna").reason == "hold"
    centre.do(Held("c1", False), 5.0)
    centre.do(Ended("c1", "agent"), 25.0)
    assert centre.last(Kind.COMPLETEAGENT).data == {
        "wait_s": 4.0,
        "talk_s": 55.0,
        "hold_s": 5.0,
        "entry_position": 1,
    }
    assert centre.state("anna") == "wrap-up"
    centre.wait(10.0)
    assert centre.state("anna") == "ready"
    assert centre.last(Kind.WRAPUP_END).data == {"wrapup_s": 10.0, "by": "timer"}
    assert centre.kinds() == [
        Kind.AGENTLOGIN,
        Kind.ENTERQUEUE,
        Kind.OFFER,
        Kind.CONNECT,
        Kind.HOLD,
        Kind.UNHOLD,
        Kind.COMPLETEAGENT,
        Kind.WRAPUP_START,
        Kind.WRAPUP_END,
    ]
    assert centre.acd.is_idle()
    assert centre.acd.deadline() is None


def test_what_an_agent_asks_for_while_he_talks_is_shown_and_comes_after_it() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Pause("anna", "lunch"))
    assert (centre.state("anna"), centre.agent("anna").reason) == ("talking", "pause asked")
    centre.do(Held("c1", True))
    assert centre.agent("anna").reason == "hold, pause asked"
    centre.do(Held("c1", False))
    centre.do(LogOut("anna"))
    assert (centre.state("anna"), centre.agent("anna").reason) == ("talking", "log-out asked")
    centre.do(Ended("c1", "agent"), 25.0)
    assert (centre.state("anna"), centre.agent("anna").reason) == ("logged out", "")


def test_a_pause_asked_for_is_shown_in_the_wrap_up_too() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Ended("c1", "agent"), 25.0)
    centre.do(Pause("anna", "lunch"))
    assert (centre.state("anna"), centre.agent("anna").reason) == ("wrap-up", "pause asked")
    centre.wait(10.0)
    assert (centre.state("anna"), centre.agent("anna").reason) == ("paused", "lunch")


def test_a_talk_that_ends_on_hold_counts_the_hold() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Held("c1", True), 10.0)
    assert centre.do(Held("c1", True), 5.0) == []  # twice is once
    centre.do(Ended("c1", "system", "worker lost"), 15.0)
    done = centre.last(Kind.COMPLETESYSTEM).data
    assert (done["talk_s"], done["hold_s"], done["cause"]) == (10.0, 20.0, "worker lost")
    assert centre.do(Held("c1", False)) == []


def test_idle_runs_from_the_end_of_the_talk_not_of_the_wrap_up() -> None:
    long, short = QueueConfig("sales", wrapup_s=100.0), QueueConfig("help", wrapup_s=1.0)
    centre = Centre(long, short, agents={"anna": ["sales"], "boris": ["help", "sales"]})
    centre.log_in("anna", "boris")
    assert centre.talk("c1", 10.0) == "anna"
    assert centre.talk("c2", 5.0, "help") == "boris"  # ends later, but his wrap-up ends sooner
    centre.wait(100.0)
    centre.call("c3")
    assert centre.ringing() == {"c3": "anna"}


def test_a_miss_leaves_the_agent_out_for_that_caller_until_nobody_else_is_left() -> None:
    centre = Centre(QueueConfig("sales"), agents={**TWO, "clara": ["sales"]})
    centre.log_in("anna", "boris", "clara")
    asked = []
    centre.call("c1")
    for _ in range(4):
        asked.append(centre.ringing()["c1"])
        centre.wait(20.0)
    assert asked == ["anna", "boris", "clara", "anna"]
    assert centre.waiting() == ["c1"]


def test_a_miss_does_not_reset_idle_nor_leave_out_for_others() -> None:
    centre = Centre(QueueConfig("sales"), agents=TWO)
    centre.log_in("anna", "boris")
    centre.call("c1")
    centre.do(Refused(centre.offer_to("anna").offer))
    assert centre.ringing() == {"c1": "boris"}
    centre.call("c2")
    assert centre.ringing() == {"c1": "boris", "c2": "anna"}
    assert centre.last(Kind.RINGNOANSWER).data["reason"] == "refused"


def test_misses_in_a_row_pause_and_an_answer_forgets_them() -> None:
    centre = Centre(QueueConfig("sales", missed_limit=2, wrapup_s=0.0), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.wait(25.0)  # she rests from him for five seconds, and rings again
    centre.answer("anna")
    centre.do(Ended("c1", "caller"), 5.0)
    assert centre.state("anna") == "ready"  # no wrap-up here
    centre.call("c2")
    centre.wait(25.0)
    assert centre.state("anna") == "ringing"
    centre.wait(20.0)
    assert (centre.state("anna"), centre.agent("anna").reason) == ("paused", "missed")
    assert centre.last(Kind.PAUSE).data == {"reason": "missed", "by": "system"}
    assert centre.waiting() == ["c2"]
    centre.do(Ready("anna"))
    assert centre.ringing() == {}
    assert centre.last(Kind.UNPAUSE).data == {"by": "agent", "pause_s": 0.0, "reason": "missed"}
    centre.wait(5.0)
    assert centre.ringing() == {"c2": "anna"}


def test_who_refuses_rests_from_that_caller_and_has_any_other() -> None:
    centre = Centre(
        QueueConfig("sales", missed_limit=9),
        agents={"anna": ["sales"]},
        rules={"sales": QueueRules(missed_retry_s=8.0)},
    )
    centre.log_in("anna")
    centre.call("c1")
    for _ in range(3):
        centre.do(Refused(centre.offer_to("anna").offer))
        centre.wait(7.9)
        assert (centre.state("anna"), centre.ringing()) == ("ready", {})
        centre.wait(0.1)
        assert centre.ringing() == {"c1": "anna"}
    centre.do(Refused(centre.offer_to("anna").offer))
    centre.call("c2")
    assert centre.ringing() == {"c2": "anna"}, "another caller goes to her at once"
    centre.do(Withdraw("c2"), 1.0)
    assert centre.ringing() == {}
    centre.do(Withdraw("c1"), 1.0)
    assert centre.acd.deadline() is None, "nothing is left of a rest when the caller is gone"


def test_without_a_rest_the_last_one_is_asked_again_at_once() -> None:
    centre = Centre(
        QueueConfig("sales"), agents={"anna": ["sales"]}, rules={"sales": QueueRules(missed_retry_s=0.0)}
    )
    centre.log_in("anna")
    centre.call("c1")
    centre.do(Refused(centre.offer_to("anna").offer))
    assert centre.ringing() == {"c1": "anna"}


def test_a_supervisor_ends_a_rest_by_handing_the_call() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.do(Refused(centre.offer_to("anna").offer))
    centre.do(HandCall("c1", "anna", "boss"))
    assert centre.ringing() == {"c1": "anna"}


def test_an_unreachable_phone_is_no_miss_and_rests() -> None:
    centre = Centre(QueueConfig("sales", missed_limit=1), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    for _ in range(3):
        outputs = centre.do(Refused(centre.offer_to("anna").offer, "unreachable"))
        assert of(outputs, Offer) == []
        assert (centre.state("anna"), centre.agent("anna").reason) == ("unreachable", "rest")
        centre.wait(REST_S)
    assert centre.ringing() == {"c1": "anna"}
    assert centre.kinds(Kind.AGENT_UNREACHABLE, Kind.AGENT_REACHABLE) == 3 * [
        Kind.AGENT_UNREACHABLE,
        Kind.AGENT_REACHABLE,
    ]


def test_a_phone_lost_while_ringing_gives_the_caller_back_in_his_place() -> None:
    centre = Centre(QueueConfig("sales"), agents=TWO)
    centre.log_in("anna", "boris")
    centre.call("c1")
    outputs = centre.do(PhoneState("anna", False), 3.0)
    assert of(outputs, CancelOffer) == [CancelOffer(1, "anna", "unreachable")]
    assert centre.ringing() == {"c1": "boris"}
    centre.wait(REST_S + 5.0)
    assert centre.state("anna") == "unreachable"
    centre.do(PhoneState("anna", True))
    assert centre.state("anna") == "ready"


def test_a_late_answer_is_cancelled() -> None:
    centre = Centre(QueueConfig("sales"), agents=TWO)
    centre.log_in("anna", "boris")
    centre.call("c1")
    centre.wait(20.0)
    outputs = centre.do(Answered(1))
    assert [type(output) for output in outputs] == [CancelOffer]
    assert centre.ringing() == {"c1": "boris"}
    assert of(centre.do(Answered(999)), CancelOffer) != []
    assert centre.do(Refused(1)) == []


def test_ring_all_first_answer_wins() -> None:
    centre = Centre(QueueConfig("sales", strategy="ring-all"), agents={**TWO, "clara": ["sales"]})
    centre.log_in("anna", "boris")
    centre.call("c1")
    assert {offer.agent for offer in centre.live.values()} == {"anna", "boris"}
    centre.log_in("clara")  # joins in
    assert len(centre.live) == 3
    centre.call("c2")
    late = centre.offer_to("anna").offer
    outputs = centre.answer("boris")
    assert {output.agent for output in of(outputs, CancelOffer)} == {"anna", "clara"}  # type: ignore[union-attr]
    assert set(centre.ringing()) == {"c2"}  # the two who are free again ring for the next
    assert of(centre.do(Answered(late)), CancelOffer) != []
    assert centre.agent("anna").calls == 0


def test_ring_all_leaves_a_refusal_out_while_others_ring() -> None:
    centre = Centre(QueueConfig("sales", strategy="ring-all"), agents=TWO)
    centre.log_in("anna", "boris")
    centre.call("c1")
    centre.do(Refused(centre.offer_to("anna").offer), 5.0)
    assert [offer.agent for offer in centre.live.values()] == ["boris"]
    centre.call("c2")
    assert {offer.agent: offer.call for offer in centre.live.values()} == {"boris": "c1", "anna": "c2"}
    centre.do(Withdraw("c2"))
    centre.do(Refused(centre.offer_to("boris").offer))
    assert not centre.live
    centre.wait(5.0)  # nobody else is left: both again, as soon as they have rested from him
    assert sorted(offer.agent for offer in centre.live.values()) == ["anna", "boris"]


def test_ring_all_can_be_limited() -> None:
    config = QueueConfig("sales", strategy="ring-all", offers_at_once=2)
    centre = Centre(config, agents={**TWO, "clara": ["sales"]})
    centre.log_in("anna", "boris", "clara")
    centre.call("c1")
    assert {offer.agent for offer in centre.live.values()} == {"anna", "boris"}
    centre.do(Refused(centre.offer_to("anna").offer))
    assert {offer.agent for offer in centre.live.values()} == {"boris", "clara"}


def test_the_lowest_level_is_asked_first() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": {"sales": 1}, "boris": {"sales": 0}})
    centre.log_in("anna", "boris")
    centre.call("c1")
    centre.call("c2")
    assert centre.ringing() == {"c1": "boris", "c2": "anna"}


def test_priority_first_then_first_come() -> None:
    centre = Centre(QueueConfig("sales", wrapup_s=0.0), agents={"anna": ["sales"]})
    for call, priority in (("c1", 0), ("c2", 5), ("c3", 0), ("c4", 5)):
        centre.call(call, priority=priority)
    assert centre.waiting() == ["c2", "c4", "c1", "c3"]
    centre.do(SetPriority("c3", 5, "boss"))
    assert centre.waiting() == ["c2", "c3", "c4", "c1"]
    served = []
    centre.log_in("anna")
    while centre.live:
        served += list(centre.ringing())
        centre.answer("anna")
        centre.do(Ended(served[-1], "caller"), 5.0)
    assert served == ["c2", "c3", "c4", "c1"]


def test_an_agent_of_several_queues_takes_the_greatest_weighted_wait() -> None:
    queues = QueueConfig("sales"), QueueConfig("help", weight=3.0), QueueConfig("gold")
    centre = Centre(*queues, agents={"anna": ["sales", "help", "gold"]})
    centre.call("s1", "sales")
    centre.wait(20.0)
    centre.call("h1", "help")
    centre.call("g1", "gold", priority=1)
    centre.wait(9.0)  # s1 has waited 30, h1 10 x 3 = 30 at the log-in below: s1 came first
    order = []
    centre.log_in("anna")
    for _ in range(3):
        order += list(centre.ringing())
        assert len(centre.live) == 1  # never offered twice
        centre.answer("anna")
        centre.do(Ended(order[-1], "caller"), 1.0)
        centre.do(Ready("anna"))
    assert order == ["g1", "h1", "s1"]  # by the time of the second offer 11 x 3 > 31


def test_maximum_wait_takes_the_caller_out_even_while_he_rings() -> None:
    centre = Centre(QueueConfig("sales", max_wait_s=30.0), agents=TWO)
    centre.log_in("anna")
    centre.call("c1")
    centre.call("c2")
    outputs = centre.wait(30.0)
    assert left(outputs) == [("c1", "timeout"), ("c2", "timeout")]
    assert not centre.live
    assert centre.state("anna") == "ready"
    assert centre.acd.deadline() is None
    assert centre.kinds(Kind.EXITWITHTIMEOUT) == 2 * [Kind.EXITWITHTIMEOUT]
    # c1 rang until then; c2 got what became free in the same moment only to lose it
    assert centre.last(Kind.EXITWITHTIMEOUT).data["wait_s"] == 30.0


def test_full_closed_and_empty_are_refused() -> None:
    config = QueueConfig("sales", max_length=1, join_empty="no")
    centre = Centre(config, agents={"anna": ["sales"]})
    assert left(centre.call("c1")) == [("c1", "empty")]
    centre.log_in("anna")
    centre.do(Pause("anna"))
    assert left(centre.call("c2")) == []
    assert left(centre.call("c3")) == [("c3", "full")]
    centre.do(OpenQueue("sales", False, "boss"))
    assert left(centre.call("c4")) == [("c4", "closed")]
    centre.do(OpenQueue("sales", True))
    assert [event.data["reason"] for event in centre.log if event.kind is Kind.REFUSED] == [
        "empty",
        "full",
        "closed",
    ]
    assert centre.waiting() == ["c2"]


def test_all_leave_when_the_last_agent_goes() -> None:
    centre = Centre(QueueConfig("sales", leave_empty=True), agents=TWO)
    centre.log_in("anna", "boris")
    for call in ("c1", "c2", "c3"):
        centre.call(call)
    centre.answer("boris")
    assert left(centre.do(LogOut("boris"))) == []  # anna still rings
    outputs = centre.do(LogOut("anna"))
    assert left(outputs) == [("c1", "empty"), ("c3", "empty")]
    assert centre.state("boris") == "talking"
    assert centre.waiting() == []


def test_positions_are_announced_only_while_waiting() -> None:
    config = QueueConfig("sales", announce_first_s=5.0, announce_position_s=30.0)
    centre = Centre(config, agents={"anna": ["sales"]})
    centre.call("c1")
    centre.call("c2")
    assert of(centre.wait(5.0), Announce) == [Announce("c1", "sales", 1), Announce("c2", "sales", 2)]
    centre.do(Withdraw("c1"))
    assert of(centre.wait(65.0), Announce) == 2 * [Announce("c2", "sales", 1)]
    centre.log_in("anna")
    centre.answer("anna")
    assert of(centre.wait(200.0), Announce) == []


def test_only_the_first_announcement() -> None:
    centre = Centre(QueueConfig("sales", announce_first_s=5.0), agents={})
    centre.call("c1")
    assert of(centre.wait(500.0), Announce) == [Announce("c1", "sales", 1)]


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (Withdraw("c1"), Kind.ABANDON),
        (Withdraw("c1", "key", key="1"), Kind.EXITWITHKEY),
        (Withdraw("c1", "system", cause="worker lost"), Kind.EXITSYSTEM),
    ],
)
def test_a_caller_who_goes_leaves_nothing_behind(how: Withdraw, kind: Kind) -> None:
    config = QueueConfig("sales", max_wait_s=60.0, announce_position_s=10.0)
    centre = Centre(config, agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    outputs = centre.do(how, 7.0)
    assert of(outputs, CancelOffer) == [CancelOffer(1, "anna", outputs[1].reason)]  # type: ignore[union-attr]
    assert centre.last(kind).data["wait_s"] == 7.0
    assert centre.state("anna") == "ready"
    assert centre.acd.is_idle()
    assert centre.acd.deadline() is None
    assert centre.do(how) == []  # once only
    assert of(centre.do(Answered(1)), CancelOffer) != []


def test_gone_before_an_agent_logs_in_means_no_ghost() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.call("c1")
    centre.do(Withdraw("c1"))
    centre.log_in("anna")
    assert centre.state("anna") == "ready"


def test_a_caller_who_withdraws_while_talking_ends_the_talk() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Withdraw("c1"), 3.0)
    assert centre.kinds()[-2:] == [Kind.COMPLETECALLER, Kind.WRAPUP_START]
    assert centre.do(Ended("c1", "caller")) == []


def test_log_out_while_talking_waits_for_the_end() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(LogOut("anna", "boss"))
    assert centre.do(LogOut("anna")) == []  # is under way
    assert centre.state("anna") == "talking"
    assert centre.acd.agent_of_phone("phone-anna") == "anna"
    centre.do(Ended("c1", "caller"), 30.0)
    assert centre.state("anna") == "logged out"
    assert centre.last(Kind.AGENTLOGOFF).data == {"phone": "phone-anna", "by": "boss", "login_s": 30.0}
    assert Kind.WRAPUP_START not in centre.kinds()
    assert centre.acd.agent_of_phone("phone-anna") is None


def test_a_log_out_that_waits_can_be_taken_back() -> None:
    centre = Centre(QueueConfig("sales", join_empty="no"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(LogOut("anna"))
    assert left(centre.call("c2")) == [("c2", "empty")]
    centre.do(LogIn("anna", "phone-anna"))
    assert left(centre.call("c3")) == []
    centre.do(Ended("c1", "caller"), 30.0)
    assert centre.state("anna") == "wrap-up"


def test_pause_during_a_talk_begins_after_the_wrap_up() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Pause("anna", "lunch"))
    assert Kind.PAUSE not in centre.kinds()
    centre.do(Ended("c1", "caller"), 30.0)
    centre.wait(10.0)
    assert centre.state("anna") == "paused"
    centre.do(Pause("anna", "tea"), 60.0)
    assert centre.last(Kind.UNPAUSE).data == {"by": "agent", "pause_s": 60.0, "reason": "lunch"}
    assert centre.last(Kind.PAUSE).data == {"reason": "tea", "by": "agent"}
    centre.do(LogOut("anna"), 5.0)
    assert centre.kinds()[-2:] == [Kind.UNPAUSE, Kind.AGENTLOGOFF]


def test_ready_ends_the_wrap_up_early() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.talk("c1", 10.0)
    centre.call("c2")
    centre.do(Ready("anna"), 4.0)
    assert centre.last(Kind.WRAPUP_END).data == {"wrapup_s": 4.0, "by": "agent"}
    assert centre.ringing() == {"c2": "anna"}
    assert centre.acd.deadline() == centre.now + 20.0  # the timer of the wrap-up is gone


def test_a_call_of_his_own_counts_for_longest_idle() -> None:
    centre = Centre(QueueConfig("sales"), agents=TWO)
    centre.log_in("anna", "boris")
    centre.do(OwnCall("anna", True))
    centre.call("c1")
    assert centre.ringing() == {"c1": "boris"}
    centre.do(Withdraw("c1"))
    centre.do(OwnCall("anna", False, talk_s=50.0), 60.0)
    assert centre.agent("anna").calls == 1
    assert centre.agent("anna").occupancy == pytest.approx(50.0 / 51.0)  # a second ready before it
    centre.call("c2")
    assert centre.ringing() == {"c2": "boris"}
    centre.do(Withdraw("c2"))
    centre.do(OwnCall("boris", True))
    centre.do(OwnCall("boris", False), 60.0)  # not answered: idle goes on
    centre.call("c3")
    assert centre.ringing() == {"c3": "boris"}


def test_a_transfer_counts_for_each_with_his_own_time() -> None:
    centre = Centre(QueueConfig("sales"), QueueConfig("help"), agents={"anna": ["sales"], "boris": ["help"]})
    centre.log_in("anna", "boris")
    centre.call("c1")
    centre.answer("anna")
    centre.do(Ended("c1", "transfer", "attended"), 20.0)
    centre.call("c1", "help")  # the same call goes on in another queue, while anna wraps up
    centre.answer("boris")
    centre.do(Ended("c1", "caller"), 70.0)
    assert centre.last(Kind.ATTENDEDTRANSFER).data["talk_s"] == 20.0
    assert centre.last(Kind.COMPLETECALLER).data["talk_s"] == 70.0
    assert (centre.agent("anna").calls, centre.agent("boris").calls) == (1, 1)


def test_calls_today_begin_anew_at_midnight() -> None:
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.talk("c1", 10.0)
    assert centre.agent("anna").calls == 1
    centre.wait(86_400.0)
    assert centre.agent("anna").calls == 0
    centre.talk("c2", 10.0)
    assert centre.agent("anna").calls == 1


def test_hot_desking_and_its_refusals() -> None:
    centre = Centre(QueueConfig("sales"), agents=TWO)
    centre.log_in("anna")
    for command, culprit in (
        (LogIn("boris", "phone-anna"), "phone-anna"),
        (LogIn("anna", "phone-9"), "anna"),
        (LogIn("nobody", "phone-9"), "nobody"),
        (LogIn("boris", ""), "boris"),
        (LogOut("boris"), "boris"),
        (Pause("boris"), "boris"),
        (Ready("boris"), "boris"),
        (Enqueue("c1", "nowhere"), "nowhere"),
        (SetPriority("c9", 1), "c9"),
        (OpenQueue("nowhere", True), "nowhere"),
    ):
        with pytest.raises(AcdError) as caught:
            centre.do(command)
        assert culprit in caught.value.culprit
        assert caught.value.remedy
    centre.do(LogOut("anna"))
    centre.do(LogIn("anna", "phone-9"))
    centre.do(LogIn("boris", "phone-anna", ready=False))
    assert centre.acd.agent_of_phone("phone-anna") == "boris"
    assert (centre.state("boris"), centre.agent("boris").reason) == ("paused", "login")


def test_a_call_cannot_wait_twice() -> None:
    centre = Centre(QueueConfig("sales"), QueueConfig("help"), agents={"anna": ["sales"]})
    centre.call("c1")
    with pytest.raises(AcdError, match="c1"):
        centre.call("c1", "help")
    centre.log_in("anna")
    centre.answer("anna")
    with pytest.raises(AcdError, match="c1"):
        centre.call("c1", "help")


class Alphabetical(KeyStrategy):
    """A strategy of somebody else."""

    def key(self, agent: Candidate, now: float) -> Key:
        return (agent.name,)


def test_a_strategy_of_a_third_party_decides() -> None:
    config = QueueConfig("sales", strategy="alphabetical")
    centre = Centre(config, agents=TWO, strategies={"alphabetical": Alphabetical})
    centre.log_in("boris", "anna")
    assert [centre.talk(call, 5.0) for call in ("c1", "c2")] == ["anna", "boris"]
    assert centre.queue().strategy == "alphabetical"


def test_a_caller_is_served_in_the_end_however_heavy_the_other_queue() -> None:
    light, heavy = QueueConfig("sales"), QueueConfig("help", weight=10.0, wrapup_s=0.0)
    centre = Centre(light, heavy, agents={"anna": ["sales", "help"]})
    centre.log_in("anna")
    centre.call("h0", "help")
    centre.answer("anna")
    centre.call("s1", "sales")
    for number in range(1, 40):  # always one more in the heavy queue
        centre.call(f"h{number}", "help")
        centre.do(Ended(f"h{number - 1}", "caller"), 10.0)
        if "s1" in centre.ringing():
            return
        centre.answer("anna")
    pytest.fail("s1 was never served")


def test_contradictory_configurations_are_refused() -> None:
    sales = QueueConfig("sales")
    with pytest.raises(AcdError, match="longest-idle"):
        Acd([QueueConfig("sales", strategy="best")], [])
    with pytest.raises(AcdError, match="twice"):
        Acd([sales, sales], [])
    with pytest.raises(AcdError, match="help"):
        Centre(sales, agents={"anna": ["help"]})
    with pytest.raises(AcdError, match="input"):
        Acd([sales], []).handle("hello", START)  # type: ignore[arg-type]


def test_the_queue_view_counts_everybody_once() -> None:
    names = ["ready", "ringing", "talking", "wrapup", "paused", "own", "lost", "out"]
    centre = Centre(QueueConfig("sales"), agents={name: ["sales"] for name in names})
    for name in ("wrapup", "talking", "ringing"):
        centre.log_in(name)
        centre.call(f"c-{name}")
        if name != "ringing":
            centre.answer(name)
    centre.log_in("ready", "paused", "own", "lost")
    centre.do(Pause("paused"))
    centre.do(OwnCall("own", True))
    centre.do(PhoneState("lost", False))
    centre.do(Ended("c-wrapup", "caller"))
    view = centre.queue()
    counts = view.ready, view.ringing, view.talking, view.wrapup, view.paused, view.own_call, view.unreachable
    assert counts == (1, 1, 1, 1, 1, 1, 1)
    assert view.agents_logged_in == 7
    assert [(row.call, row.position, row.agents) for row in view.waiting] == [("c-ringing", 1, ("ringing",))]
