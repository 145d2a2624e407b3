"""Which rule takes a call: by number in any form, by conditions, by clients; blocked callers; what the log
and the agent are told."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd import messages as acd
from acd.events import Kind
from ivr.calendar import Calendar
from ivr.condition import Condition, World
from ivr.flow import Flow as Menu
from ivr.hours import spans_of
from ivr.nodes import BUILT_IN
from ivr.number_list import NumberList
from softswitch.call.callers import Numbering, Status, Statuses
from softswitch.call.clients import Client, Clients, unknown_variables
from softswitch.call.identity import Identity
from softswitch.call.record import Disposition
from softswitch.call.router import Trace, route
from softswitch.call.routing import Asked, Explain, Rule, Rules, Step
from softswitch.call.settings import AgentCare, Feature, Route, Settings, Target
from softswitch.errors import PeerError
from tests.support.centre import Centre

GUEST = Identity("guest", "", "300", "")
PBX = Identity("peer", "pbx", "+4312345", "")
RUSSIA = Numbering("7")


def rule(place: int, number: str, target: str, when: dict[str, Any] | None = None, **more: Any) -> Rule:
    condition = Condition.model_validate(when) if when is not None else None
    more.setdefault("guests", True)
    return Rule(place, number, Route(Target.parse(target), rule=f"routes.{place}"), when=condition, **more)


class Plan:
    """The rules, and no codes."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = Rules(rules, RUSSIA.normal)

    def feature(self, number: str) -> tuple[Feature, str] | None:
        return ("login", "") if number == "*11" else None

    def route(self, asked: Asked) -> Route | None:
        found = self.rules.first(asked)
        return found.route if found is not None else None

    def trace(self, asked: Asked, explain: Explain) -> list[Step]:
        return list(self.rules.trace(asked, explain))

    def peer_of(self, address: str) -> str | None:
        return None


def settings(*rules: Rule) -> Settings:
    return Settings(Plan(*rules), {}, {}, {}, {}, {}, str, (), statuses=Statuses(RUSSIA))


@pytest.mark.parametrize(
    ("dialled", "target"),
    [
        ("88005550100", "queue:free"),  # toll-free, as it is dialled
        ("+78005550100", "queue:free"),
        ("8005550100", "queue:free"),
        ("84951234567", "queue:moscow"),
        ("+74951234567", "queue:moscow"),
        ("600", "queue:short"),
        ("601", "queue:rest"),
    ],
)
def test_a_number_is_found_in_every_form(dialled: str, target: str) -> None:
    centre = settings(
        rule(0, "8-800-555-01-00", "queue:free"),
        rule(1, "+7495*", "queue:moscow"),
        rule(2, "600", "queue:short"),
        rule(3, "*", "queue:rest"),
    )
    assert str(route(centre, dialled, GUEST).target) == target


def test_the_first_that_holds_wins_and_the_trace_says_why_the_others_did_not() -> None:
    centre = settings(
        rule(0, "601", "queue:a"),
        rule(1, "600", "queue:b", {"list": "vip"}),
        rule(2, "600", "queue:c", guests=False),
        rule(3, "600", "queue:d", peers=("carrier",)),
        rule(4, "6*", "queue:e", {"trunk": ""}, name="evening"),
        rule(5, "600", "queue:f"),
    )

    def holds(condition: Condition) -> bool:
        return condition.holds({"caller": "300"}.get, 0.0)

    trace = Trace(lambda condition: condition.explain({"caller": "300"}.get, 0.0))
    assert str(route(centre, "600", GUEST, holds, trace=trace).target) == "queue:e"
    assert trace.by == "route"
    assert [(step.rule.label, step.takes) for step in trace.steps] == [
        ("routes.0", False),
        ("routes.1", False),
        ("routes.2", False),
        ("routes.3", False),
        ("evening", True),
    ]
    assert [step.why for step in trace.steps] == [
        "it is for 601",
        "list 'vip' does not hold (the caller is 300)",
        "it is not for guests (guests = false)",
        "it is for calls from carrier",
        "trunk '' holds (it has no value)",
    ]


def test_who_comes_by_a_carrier_does_not_go_out_again_unless_it_is_written() -> None:
    assert str(route(settings(rule(0, "0*", "peer:out", peers=("pbx",))), "01", PBX).target) == "peer:out"
    with pytest.raises(PeerError, match="Not Found"):
        route(settings(rule(0, "0*", "peer:out")), "01", PBX)


def test_blocked_callers_are_refused_or_led_elsewhere_whatever_they_dial() -> None:
    trace = Trace()
    with pytest.raises(PeerError) as refused:
        route(
            settings(rule(0, "600", "queue:a")), "600", GUEST, status=Status("x", blocked=True), trace=trace
        )
    assert refused.value.status == 603 and trace.by == "blocked"
    status = Status("x", blocked=True, to=Target("flow", "blocked"))
    assert str(route(settings(), "*11", GUEST, status=status).target) == "flow:blocked"


ACME = Client(
    "acme", "Acme", target=Target("queue", "sales"), language="ru", hours="office", call_type="shop"
)


def test_clients_come_after_the_routes_and_before_the_extensions() -> None:
    trace = Trace()
    open_to_all = Client("acme", target=Target("queue", "sales"), guests=True)
    found = route(settings(), "600", GUEST, client=open_to_all, trace=trace)
    assert (str(found.target), found.rule, trace.by) == ("queue:sales", "client acme", "client")
    assert (
        str(route(settings(rule(0, "600", "queue:x")), "600", GUEST, client=open_to_all).target) == "queue:x"
    )
    with pytest.raises(PeerError, match="Not Found"):
        route(settings(), "600", GUEST, client=ACME, trace=trace)
    assert [(step.rule.label, step.takes, step.why) for step in trace.steps] == [
        ("client acme", False, "it is not for guests (guests = false)")
    ]
    with pytest.raises(PeerError) as closed:
        route(settings(), "600", PBX, client=ACME, is_open=False)
    assert closed.value.status == 480


def test_greetings() -> None:
    client = Client("acme", greeting="{client}, {agent} speaking.  You dialled {number}; {nothing} {")
    said = client.said({"client": "Acme\r\nX-Evil: 1", "agent": "Anna", "number": "600"})
    assert said == "Acme X-Evil: 1, Anna speaking. You dialled 600;"
    assert unknown_variables(client.greeting) == ["{nothing}", "{"]


NUMBERS = st.sampled_from(["600", "601", "60*", "*", "+7495*", "84951234567", "+74951234567", "88005550100"])
DIALLED = st.sampled_from(
    ["600", "602", "84951234567", "4951234567", "+74950000000", "8005550100", "", "*11", "x"]
)
RULES = st.lists(
    st.tuples(
        NUMBERS,
        st.sampled_from(["queue:a", "peer:out", "hangup"]),
        st.booleans(),
        st.sampled_from([(), ("pbx",), ("carrier",)]),
        st.sampled_from([None, {"caller": "1"}, {"caller": "2"}, {"not_caller": "1"}]),
    ),
    max_size=12,
)


@given(RULES, DIALLED, st.booleans(), st.sampled_from([None, "pbx"]), st.sampled_from(["1", "2", ""]))
def test_the_look_up_and_the_trace_agree(
    written: list[Any], dialled: str, guest: bool, peer: str | None, caller: str
) -> None:
    rules = Rules(
        [
            rule(place, number, target, when, guests=guests, peers=peers)
            for place, (number, target, guests, peers, when) in enumerate(written)
        ],
        RUSSIA.normal,
    )
    look = {"caller": caller}.get
    asked = Asked(dialled, guest, peer, lambda condition: condition.holds(look, 0.0), RUSSIA.normal)
    steps = list(rules.trace(asked, lambda condition: condition.explain(look, 0.0)))
    takes = [step.rule for step in steps if step.takes]
    found = rules.first(asked)
    assert takes == ([found] if found is not None else [])
    assert len(steps) == (found.place + 1 if found is not None else len(written))
    assert all(step.why for step in steps if not step.takes)


# ----- in a whole centre


def world(centre_now: float) -> World:
    zone = ZoneInfo("UTC")
    second = int(centre_now) % 86_400
    clock = f"{second // 3600:02}:{second // 60 % 60:02}"
    hours = spans_of(f"{clock}-{(second // 3600 + 2) % 24:02}:00")
    return World(
        {"office": Calendar(dict.fromkeys(range(7), hours), (), (), zone)}, {"vip": NumberList(["301"])}, zone
    )


class CentrePlan(Plan):
    """Rules for strangers and for the centre's own phones."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = Rules(rules)


def centre_of(*rules: Rule, **more: Any) -> Centre:
    fields = {"plan": CentrePlan(*rules), "world": world(1_000_000.0), **more}
    made = Centre(more=fields)
    made.log_in("201")
    return made


def test_a_caller_goes_by_list_and_by_calendar() -> None:
    centre = centre_of(
        rule(0, "600", "queue:support", {"list": "vip"}),
        rule(1, "600", "queue:sales", {"calendar": "office", "header.From": "~300"}),
        rule(2, "600", "hangup"),
    )
    for caller, queue in (("301", "support"), ("300", "sales")):
        leg = centre.phones[caller].call("600")
        centre.settle()
        assert centre.call.story.queue == queue
        centre.phones[caller].hang_up(leg)
        centre.settle()
    centre.advance(3 * 3600)
    centre.phones["300"].call("600")
    centre.advance(5)
    last = list(centre.records.values())[-1]
    assert (last.disposition, last.sip_status, last.cause) == (Disposition.REFUSED, 403, "route")
    routes = [event.data.get("route") for event in centre.log if event.kind is Kind.CALL_START]
    assert routes == ["routes.0", "routes.1", "routes.2"]
    centre.check_empty()


def test_a_route_by_the_length_of_a_queue_and_by_the_codec() -> None:
    centre = centre_of(
        rule(0, "600", "queue:support", {"queue.sales.waiting": ">= 1", "codec": "PCMU"}),
        rule(1, "600", "queue:sales"),
    )
    centre.command(acd.LogOut("agent201"))
    for caller in ("300", "301", "302"):
        centre.phones[caller].call("600")
        centre.settle()
    assert [call.story.queue for call in centre.switch.calls.values()] == ["sales", "support", "support"]


def test_a_route_may_refuse_with_another_status() -> None:
    refusing = Rule(0, "600", Route(Target("hangup"), sip_status=486, rule="busy"), "busy", guests=True)
    centre = centre_of(refusing)
    centre.phones["300"].call("600")
    centre.advance(5)
    assert (centre.record.disposition, centre.record.sip_status) == (Disposition.REFUSED, 486)
    centre.check_empty()


def test_blocked_callers_have_one_disposition_in_the_log() -> None:
    blocked = Statuses(
        by_number={
            "300": Status("spam", blocked=True, to=Target("queue", "sales")),
            "301": Status("spam", blocked=True),
        }
    )
    centre = centre_of(rule(0, "600", "queue:support"), statuses=blocked)
    centre.phones["301"].call("600")
    centre.advance(5)
    assert (centre.record.disposition, centre.record.sip_status) == (Disposition.REFUSED, 603)
    leg = centre.phones["300"].call("600")
    centre.settle()
    assert centre.call.story.queue == "sales"
    centre.phones["300"].hang_up(leg)
    centre.advance(5)
    assert [event.kind for event in centre.log].count(Kind.CALL_END) == 2
    centre.check_empty()


def test_the_agent_is_shown_whom_the_caller_called_and_what_to_say() -> None:
    clients = Clients(
        {
            "acme": Client(
                "acme",
                "Acme Tools",
                "{client}, {agent} speaking, how can I help you with {call_type}?",
                target=Target("queue", "sales"),
                language="ru",
                script="acme-orders",
                call_type="orders",
            )
        },
        {"777": "acme"},
    )
    centre = centre_of(clients=clients, agents={"agent201": AgentCare(name="Anna")})
    centre.phones["300"].call("777")
    centre.settle()
    invite = centre.phones["201"].legs[-1].invite
    shown = {name: invite.headers.get(name) for name in ("X-CC-Client", "X-CC-Client-Name", "X-CC-Script")}
    assert shown == {"X-CC-Client": "acme", "X-CC-Client-Name": "Acme Tools", "X-CC-Script": "acme-orders"}
    greeting = "Acme Tools, Anna speaking, how can I help you with orders?"
    assert invite.headers.get("X-CC-Greeting") == greeting
    assert centre.call.language == "ru"
    centre.phones["201"].answer(centre.phones["201"].legs[-1])
    centre.settle()
    centre.phones["300"].hang_up(centre.phones["300"].legs[-1])
    centre.advance(10)
    record = centre.record
    assert (record.client, record.greeting, record.call_type) == ("acme", greeting, "orders")
    start = next(event for event in centre.log if event.kind is Kind.CALL_START)
    assert (start.data["client"], start.data["route"]) == ("acme", "client acme")
    centre.check_empty()


def test_a_menu_may_find_out_which_client_is_meant() -> None:
    menu = {
        "which": BUILT_IN["client"].model_validate({"client": "{number}", "next": "on", "otherwise": "bye"}),
        "on": BUILT_IN["queue"].model_validate({"queue": "sales"}),
        "bye": BUILT_IN["hangup"].model_validate({}),
    }
    clients = Clients(
        {"acme": Client("acme", "Acme", "{client}", call_type="orders", language="ru")}, {"600": "acme"}
    )
    centre = centre_of(
        rule(0, "600", "flow:main"),
        clients=Clients(clients.by_name),
        flows={"main": Menu("main", "which", menu, "en")},
    )
    centre.phones["300"].call("600")
    centre.advance(5)
    assert (centre.record.client, centre.record.disposition) == ("", Disposition.SELF_SERVICE)
    by_id = {"which": BUILT_IN["client"].model_validate({"client": "acme", "next": "on", "otherwise": "bye"})}
    centre = centre_of(
        rule(0, "601", "flow:main"),
        clients=clients,
        flows={"main": Menu("main", "which", menu | by_id, "en")},
    )
    leg = centre.phones["300"].call("601")
    centre.settle()
    assert centre.call.client == "acme" and centre.call.language == "ru"
    assert centre.phones["201"].legs[-1].invite.headers.get("X-CC-Greeting") == "Acme"
    centre.phones["300"].hang_up(leg)
    centre.advance(5)
    assert (centre.record.client, centre.record.call_type) == ("acme", "orders")
    centre.check_empty()


def test_a_variable_does_not_pass_for_what_the_switch_says_of_the_client() -> None:
    menu = {
        "set": BUILT_IN["set"].model_validate({"values": {"script": "evil", "mood": "good"}, "next": "on"}),
        "on": BUILT_IN["queue"].model_validate({"queue": "sales", "carry": ["script", "mood"]}),
    }
    clients = Clients({"acme": Client("acme", "Acme", script="orders")}, {"600": "acme"})
    flows = {"main": Menu("main", "set", menu, "en")}
    centre = centre_of(rule(0, "600", "flow:main"), clients=clients, flows=flows)
    centre.phones["300"].call("600")
    centre.settle()
    headers = centre.phones["201"].legs[-1].invite.headers
    assert headers.all("X-CC-Script") == ["orders"]
    assert headers.get("X-CC-Mood") == "good"
