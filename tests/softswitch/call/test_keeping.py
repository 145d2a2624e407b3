"""What survives the process: agents as they were, registrations, told to the shell change by change."""

from __future__ import annotations

from acd import messages as acd
from acd.events import Kind
from acd.views import AgentView
from softswitch.call.settings import AgentCare, Peer, Phone
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.registrar import Binding
from softswitch.sip.uri import Uri
from tests.support.centre import SWITCH, Centre, Ended

MOBILE = "peer:cell/0791"


def again(first: Centre, **options: object) -> Centre:
    """The switch is killed, and started once more with what its shell has kept."""
    second = Centre(**options)  # type: ignore[arg-type]
    second.now = first.now + 5.0
    agents = [snapshot for snapshot in first.kept.values() if snapshot is not None]
    restored = second.switch.restore(agents, first.kept_phones.items(), second.now, sorted(first.closed))
    second.closed |= first.closed
    second._carry_out(restored)
    second.settle()
    return second


def agent(centre: Centre, name: str) -> AgentView:
    return next(view for view in centre.acd.agents(centre.now) if view.name == name)


def talk(centre: Centre, caller: str, number: str) -> None:
    centre.phones[caller].call("601")
    centre.settle()
    phone = centre.phones[number]
    phone.answer(phone.legs[-1])
    centre.settle()


def test_a_pause_goes_on_with_its_reason() -> None:
    first = Centre()
    first.log_in("201")
    first.log_in("202")
    first.command(acd.Pause("agent201", "lunch"))
    first.advance(100)
    second = again(first)
    assert (agent(second, "agent201").state, agent(second, "agent201").reason) == ("paused", "lunch")
    assert agent(second, "agent202").state == "ready"
    assert agent(second, "agent202").phone == "202"
    assert [event.data["by"] for event in second.log if event.kind is Kind.AGENTLOGIN] == ["restart"] * 2
    talk(second, "300", "202")
    assert second.call.agent == "agent202"


def test_a_pause_that_waits_for_the_end_of_a_talk() -> None:
    first = Centre(queue={"wrapup_s": 30.0})
    first.log_in("201")
    talk(first, "300", "201")
    first.command(acd.Pause("agent201", "lunch"))
    second = again(first, queue={"wrapup_s": 30.0})
    assert agent(second, "agent201").state == "wrap-up", "the talk was cut: its wrap-up follows"
    second.advance(31)
    assert agent(second, "agent201").state == "paused"


def test_a_wrap_up_ends_when_it_would_have() -> None:
    first = Centre(queue={"wrapup_s": 30.0})
    first.log_in("201")
    talk(first, "300", "201")
    first.phones["300"].hang_up(first.phones["300"].legs[-1])
    first.advance(10)
    second = again(first, queue={"wrapup_s": 30.0})
    second.advance(14)
    assert (agent(second, "agent201").state, agent(second, "agent201").calls) == ("wrap-up", 1)
    second.advance(2)
    assert agent(second, "agent201").state == "ready"


def test_who_logged_out_is_forgotten_also_after_a_talk() -> None:
    first = Centre()
    first.log_in("201")
    talk(first, "300", "201")
    first.command(acd.LogOut("agent201"))
    first.phones["300"].hang_up(first.phones["300"].legs[-1])
    first.settle()
    assert first.kept == {"agent201": None}
    assert agent(again(first), "agent201").state == "logged out"


def test_only_changes_are_told() -> None:
    first = Centre()
    first.log_in("201")
    before = dict(first.kept)
    first.kept.clear()
    first.command(acd.PhoneState("agent201", False))
    first.command(acd.PhoneState("agent201", True))
    first.phones["300"].call("601")
    first.settle()
    assert before and not first.kept, "neither a lost phone nor an offer changes what is kept"
    assert first.phones["201"].legs and not first.phones["201"].of(Ended)


def test_a_phone_that_is_not_there_any_more() -> None:
    first = Centre()
    first.log_in("201")
    first.log_in("202")
    phones = {
        "201": Phone("201", password="x"),  # registers, and has not yet
        "300": Phone("300", contact=Uri("sip", "300", None, "10.0.1.3", 5060)),
    }
    second = again(first, more={"phones": phones})
    assert agent(second, "agent201").state == "unreachable"
    assert agent(second, "agent202").state == "logged out", "his phone is not configured any more"
    assert second.kept["agent202"] is None, "and he is forgotten"


def test_an_agent_outside() -> None:
    more = {
        "peers": {"cell": Peer("cell", Uri("sip", None, None, "10.0.1.1", 5060))},
        "agents": {"agent201": AgentCare(outside=MOBILE)},
    }
    first = Centre(more=more)
    first.command(acd.LogIn("agent201", MOBILE))
    assert agent(again(first, more=more), "agent201").state == "ready"
    assert agent(again(first), "agent201").state == "logged out", "he has no such phone now"


def binding(number: str, expires_at: float, transport: str = "udp") -> Binding:
    uri = Uri("sip", number, None, "10.0.2.1", 5060)
    flow = Flow(transport, SWITCH, ("10.0.2.1", 5060))  # type: ignore[arg-type]
    return Binding(uri, flow, expires_at, 1.0, "c", 1, NameAddr(uri))


def test_a_registration_is_usable_at_once_until_it_expires() -> None:
    first = Centre()
    first.log_in("201")
    first.kept_phones = {
        "201": (binding("201", first.now + 60), binding("201", first.now + 1)),
        "202": (binding("202", first.now + 60),),
        "999": (binding("999", first.now + 60),),
    }
    second = again(first, more={"phones": {"201": Phone("201", password="x")}})
    assert agent(second, "agent201").state == "ready"
    assert list(second.switch.registrations) == ["201"], "of extensions that register, and no others"
    assert len(second.switch.registrations["201"]) == 1
    assert [len(second.kept_phones[number]) for number in ("201", "202", "999")] == [1, 0, 0]
    second.advance(56)
    assert agent(second, "agent201").state == "unreachable"


def test_registrations_by_connections_are_not_kept() -> None:
    centre = Centre()
    bindings = (binding("201", centre.now + 60, "tcp"), binding("201", centre.now + 60))
    centre.switch.hub.identities.registrar.restore({"201": bindings}, centre.now)
    centre.switch.desk.queueing.keeping.phone("201", centre.now)
    centre._carry_out(centre.switch.handle_timer(centre.now))
    assert [one.flow.transport for one in centre.kept_phones["201"]] == ["udp"]


def test_a_closed_queue_stays_closed() -> None:
    first = Centre()
    first.command(acd.OpenQueue("sales", False, "boss"))
    first.command(acd.OpenQueue("sales", False, "boss"))
    assert first.closed == {"sales"}
    first.closed.add("removed")  # since then it has left the configuration
    second = again(first)
    assert second.closed == {"sales"}
    assert [queue.is_open for queue in second.acd.queues(second.now) if queue.name == "sales"] == [False]
    doors = [event for event in second.log if event.kind is Kind.QUEUE_CLOSE]
    assert [(event.queue, event.data) for event in doors] == [("sales", {"by": "restart"})]
    second.command(acd.OpenQueue("sales", True, "boss"))
    assert second.closed == set()
    assert all(queue.is_open for queue in again(second).acd.queues(second.now))
