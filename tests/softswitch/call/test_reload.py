"""Another configuration under live calls: nobody in a menu, in a queue or in a talk notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from acd.agent import AgentConfig
from acd.events import Kind
from acd.queue import QueueConfig
from acd.rules import CallbackRules, ExitKey, QueueRules
from ivr.flow import Flow
from ivr.nodes import BUILT_IN
from softswitch.call.call import Stage
from softswitch.call.record import Disposition
from softswitch.call.settings import CallbackCare, Phone, QueueCare, Route, Target
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri
from tests.support.centre import Centre, Plan

SALES_AND_SUPPORT = ("sales", "support")


def reload(
    centre: Centre,
    queues: Sequence[str] = SALES_AND_SUPPORT,
    members: Sequence[str] = SALES_AND_SUPPORT,
    **changes: Any,
) -> None:
    """Other settings; `members` are the queues of agents 201 and 202."""
    switch, before = centre.switch, centre.switch.hub.settings
    care = before.queues["sales"]
    settings = replace(before, queues=dict.fromkeys(queues, care), **changes)
    configs = [QueueConfig(name, ring_s=15.0, wrapup_s=5.0) for name in queues]
    agents = [AgentConfig(f"agent{number}", dict.fromkeys(members, 0)) for number in ("201", "202")]
    numbers = {number: f"agent{number}" for number in ("201", "202")}
    effects = switch.reload(
        settings, numbers, lambda now: centre.acd.reconfigure(configs, agents, now), "root", centre.now
    )
    centre._carry_out(effects)
    centre.settle()


def test_a_caller_in_a_menu_stays_in_the_one_he_heard() -> None:
    centre = Centre()
    centre.phones["300"].call("600")
    centre.settle()
    other = BUILT_IN["hangup"]()
    reload(centre, flows={"main": Flow("main", "bye", {"bye": other})})
    assert centre.call.stage is Stage.MENU
    centre.phones["301"].call("600")
    centre.settle()
    assert centre.record.from_number == "301", "who calls now hears the new menu"
    assert centre.call.stage is Stage.MENU
    centre.key(centre.call, "1")
    assert centre.call.story.queue == "sales"


def test_a_menu_that_leads_to_a_queue_which_is_gone_ends_the_call_and_says_why() -> None:
    centre = Centre()
    centre.phones["300"].call("600")
    centre.settle()
    reload(centre, queues=["support"], members=["support"], flows={})
    centre.key(centre.call, "1")
    centre.advance(60)
    assert (centre.record.disposition, centre.record.cause) == (
        Disposition.FAILED,
        "queue:sales is no longer configured",
    )


def test_waiting_and_talking_go_on_and_the_log_says_who_did_it() -> None:
    centre = Centre()
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    centre.phones["201"].answer(centre.phones["201"].legs[-1])
    centre.settle()
    centre.phones["301"].call("601")
    centre.settle()
    reload(centre)
    stages = sorted(call.stage.name for call in centre.switch.calls.values())
    assert stages == ["QUEUE", "TALK"]
    (told,) = [event for event in centre.log if event.kind is Kind.CONFIGRELOAD]
    assert told.data == {"by": "root"}
    centre.log_in("202")
    centre.phones["202"].answer(centre.phones["202"].legs[-1])
    centre.settle()
    assert [call.stage for call in centre.switch.calls.values()] == [Stage.TALK, Stage.TALK]


def test_what_is_refused_changes_nothing() -> None:
    centre = Centre()
    centre.phones["300"].call("601")
    centre.settle()
    before = centre.switch.hub.settings
    with pytest.raises(LocalError, match="sales cannot be removed: 1 wait"):
        reload(centre, queues=["support"], members=["support"])
    assert centre.switch.hub.settings is before
    assert centre.call.stage is Stage.QUEUE


def test_new_numbers_extensions_and_queues_are_there_at_once() -> None:
    centre = Centre(callers=("300", "301"))
    phones = dict(centre.switch.hub.settings.phones)
    phones["999"] = Phone("999", contact=Uri("sip", "999", None, centre.phones["301"].address[0], 5060))
    plan = Plan({"605": Route(Target("queue", "gold")), "606": Target("extension", "999")}, {})
    reload(centre, queues=["sales", "gold"], members=["gold"], phones=phones, plan=plan)
    centre.log_in("201")
    centre.phones["300"].call("605")
    centre.settle()
    assert centre.phones["201"].legs, "the agent is a member of the new queue"
    centre.phones["300"].call("606")
    centre.settle()
    assert centre.phones["301"].legs, "the new extension rings"


def test_who_is_asked_about_a_callback_is_led_on_though_his_queue_is_gone() -> None:
    rules = QueueRules(exit_keys={"9": ExitKey("callback", 5.0)}, callback=CallbackRules())
    care = QueueCare(("/music.wav",), {"timeout": Target("callback")}, callback=CallbackCare("9", 5.0))
    centre = Centre(care=care, rules=rules, queue={"max_wait_s": 10.0})
    centre.phones["300"].call("601")
    centre.advance(11)
    call = centre.call
    assert call.asking is not None and call.stage is Stage.MENU
    reload(centre, queues=["support"], members=["support"])
    centre.key(call, "*")
    assert call.asking is None and call.stage is Stage.FAREWELL
    centre.advance(60)
    assert centre.record.disposition is Disposition.OVERFLOW
    centre.check_empty()


@pytest.mark.parametrize(
    "gone", ["agent:agent201", "agent:agent201/sales", "agent:nobody/support", "voicemail:anna", "peer:x/1"]
)
def test_an_old_menu_that_leads_to_what_is_gone_ends_the_call(gone: str) -> None:
    centre = Centre(more={"flows": {"main": to("transfer", target=gone)}})
    centre.phones["300"].call("600")
    centre.settle()
    reload(centre, queues=["support"], members=["support"], flows={})
    centre.key(centre.call, "1")
    centre.advance(60)
    assert (centre.record.disposition, centre.record.cause) == (
        Disposition.FAILED,
        f"{gone} is no longer configured",
    )
    centre.check_empty()


def test_without_the_fallback_that_is_gone_the_agents_own_queue_has_the_call() -> None:
    flow = to("agent", agent="agent201", queue="support", fallback="queue:sales")
    centre = Centre(more={"flows": {"main": flow}})
    centre.phones["300"].call("600")
    centre.settle()
    reload(centre, queues=["support"], members=["support"], flows={})
    centre.key(centre.call, "1")
    assert centre.call.stage is Stage.QUEUE and centre.call.story.queue == "support"


def to(kind: str, **keys: str) -> Flow:
    """A menu whose key 1 leads to a node of this kind."""
    menu = BUILT_IN["menu"].model_validate({"prompt": "?", "keys": {"1": "go"}})
    return Flow("main", "ask", {"ask": menu, "go": BUILT_IN[kind].model_validate(keys)})
