"""The registrar by RFC 3261 10.3: order, expiry, wildcard, bounds; and a model in which nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.registrar import Registered, Registrar
from softswitch.sip.uri import Uri

AOR = "sip:100@pbx"
FLOW = Flow("udp", ("192.0.2.1", 5060), ("203.0.113.5", 31000))


def register(
    registrar: Registrar,
    *contacts: str,
    number: int = 1,
    call_id: str = "c",
    expires: str | None = None,
    now: float = 0.0,
    aor: str = AOR,
    flow: Flow = FLOW,
    via: str = "SIP/2.0/UDP 10.0.0.5;rport;branch=z9hG4bK1",
) -> Registered:
    headers = [("Via", via), ("Call-ID", call_id), ("CSeq", f"{number} REGISTER"), ("User-Agent", "Phone 1")]
    headers += [("Contact", contact) for contact in contacts]
    if expires is not None:
        headers.append(("Expires", expires))
    return registrar.register(aor, Request("REGISTER", Uri.parse("sip:pbx"), headers), flow, now)


def refused(registrar: Registrar, *contacts: str, **more: object) -> int:
    before = registrar.bindings(AOR, 0.0)
    with pytest.raises(PeerError) as caught:
        register(registrar, *contacts, **more)  # type: ignore[arg-type]
    assert registrar.bindings(AOR, 0.0) == before
    return caught.value.status


def test_add_refresh_query_remove() -> None:
    registrar = Registrar()
    done = register(registrar, "<sip:100@10.0.0.5>;q=0.5;+x=y", expires="120")
    assert [change.kind for change in done.changes] == ["added"]
    (binding,) = registrar.bindings(AOR, 0.0)
    assert (binding.flow, binding.expires_at, binding.q, binding.user_agent) == (FLOW, 120.0, 0.5, "Phone 1")
    again = register(registrar, "<sip:100@10.0.0.5>;expires=300", number=2, now=60.0)
    assert [change.kind for change in again.changes] == ["refreshed"]
    assert again.contact_headers(100.0) == [("Contact", "<sip:100@10.0.0.5>;expires=260")]
    query = register(registrar, number=3, now=61.0)
    assert (len(query.bindings), query.changes) == (1, ())
    gone = register(registrar, "<sip:100@10.0.0.5>", number=4, expires="0", now=62.0)
    assert [change.kind for change in gone.changes] == ["removed"]
    assert registrar.bindings(AOR, 62.0) == ()
    assert registrar.records() == {}


def test_lifetimes_are_kept_in_bounds() -> None:
    registrar = Registrar(min_expires_s=60, max_expires_s=600, default_expires_s=900)
    assert register(registrar, "<sip:a@h>", expires="99999999999999").bindings[0].expires_at == 600
    assert register(registrar, "<sip:b@h>").bindings[0].expires_at == 600
    with pytest.raises(PeerError) as caught:
        register(registrar, "<sip:c@h>;expires=59")
    assert (caught.value.status, caught.value.headers) == (423, (("Min-Expires", "60"),))


def test_wildcard() -> None:
    registrar = Registrar()
    register(registrar, "<sip:a@h>", "<sip:b@h>")
    assert refused(registrar, "*", number=2) == 400
    assert refused(registrar, "*", number=2, expires="60") == 400
    assert refused(registrar, "<sip:a@h>", "*", number=2, expires="0") == 400
    assert refused(registrar, "*", "<sip:a@h>", number=2, expires="0") == 400
    assert refused(registrar, "*", number=1, expires="0") == 500
    done = register(registrar, "*", number=2, expires="0")
    assert [change.kind for change in done.changes] == ["removed", "removed"]


def test_order_within_a_call_id() -> None:
    registrar = Registrar()
    register(registrar, "<sip:a@h>", number=5)
    assert refused(registrar, "<sip:a@h>", number=5) == 500
    assert refused(registrar, "<sip:a@h>", number=4, expires="0") == 500
    register(registrar, "<sip:a@h>", number=1, call_id="after a restart of the phone")


def test_all_or_nothing() -> None:
    registrar = Registrar()
    register(registrar, "<sip:a@h>")
    assert refused(registrar, "<sip:b@h>", "<sip:c@h>;expires=5", number=2) == 423
    assert refused(registrar, "<sip:b@h>;q=2", number=2) == 400
    assert refused(registrar, "<tel:+1>", number=2) == 400
    assert refused(registrar, "<sip:a@h?Route=%3Csip:x%3E>", number=2) == 400


def test_bounds() -> None:
    registrar = Registrar(max_bindings=2, max_records=1)
    register(registrar, "<sip:a@h>", "<sip:b@h>")
    assert refused(registrar, *[f"<sip:{number}@h>" for number in range(50)], number=2) == 403
    with pytest.raises(PeerError) as caught:
        register(registrar, "<sip:a@h>", aor="sip:other@pbx")
    assert caught.value.status == 503


def test_the_contact_not_refreshed_for_longest_gives_way() -> None:
    registrar = Registrar(max_bindings=2)
    register(registrar, "<sip:a@h:1>", now=0.0)
    register(registrar, "<sip:a@h:2>", number=2, now=10.0)
    done = register(registrar, "<sip:a@h:3>", number=3, now=20.0)
    assert [(change.kind, change.binding.contact.port) for change in done.changes] == [
        ("added", 3),
        ("removed", 1),
    ]
    assert {binding.contact.port for binding in registrar.bindings(AOR, 20.0)} == {2, 3}
    done = register(registrar, "<sip:a@h:4>;expires=60", "<sip:a@h:5>;expires=60", number=4, now=30.0)
    assert {binding.contact.port for binding in done.bindings} == {4, 5}  # never those of the request


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/UDP 203.0.113.5:5062;branch=z9hG4bK1", 5062),  # listens there, sends from elsewhere
        ("SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP 203.0.113.5:5062;rport=31000;branch=z9hG4bK1", 31000),
        ("SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bK1", 31000),  # behind a NAT
    ],
)
def test_requests_go_to_where_the_phone_listens(via: str, port: int) -> None:
    registrar = Registrar()
    (binding,) = register(registrar, "<sip:a@h>", via=via).bindings
    assert binding.flow.remote == (FLOW.remote[0], port)


def test_each_address_may_have_a_bound_of_its_own() -> None:
    registrar = Registrar(max_bindings=2)

    def add(*contacts: str, number: int, most: int) -> list[str]:
        headers = [("Via", "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1"), ("Call-ID", "c")]
        headers += [("CSeq", f"{number} REGISTER"), *(("Contact", contact) for contact in contacts)]
        request = Request("REGISTER", Uri.parse("sip:pbx"), headers)
        done = registrar.register(AOR, request, FLOW, float(number), most)
        return [binding.contact.host for binding in done.bindings]

    for number in range(1, 5):
        hosts = add(f"<sip:a@10.0.0.{number}>", number=number, most=3)
    assert hosts == ["10.0.0.4", "10.0.0.3", "10.0.0.2"]
    # A phone that moves names its old contact too, to remove it: that is one phone, not two.
    assert add("<sip:a@10.0.0.4>;expires=0", "<sip:a@10.0.0.5>", number=5, most=1) == ["10.0.0.5"]
    with pytest.raises(PeerError) as caught:
        add("<sip:a@10.0.0.6>", "<sip:a@10.0.0.7>", number=6, most=1)
    assert caught.value.status == 403


def test_best_first() -> None:
    registrar = Registrar()
    register(
        registrar, "<sip:low@h>;q=0.1", "<sip:high@h>;q=0.9;expires=100", "<sip:late@h>;q=0.9;expires=200"
    )
    assert [binding.contact.user for binding in registrar.bindings(AOR, 0.0)] == ["late", "high", "low"]


def test_expiry_steps_by_deadlines() -> None:
    registrar = Registrar()
    register(registrar, "<sip:a@h>;expires=100", "<sip:b@h>;expires=200")
    assert registrar.deadline() == 100.0
    assert [b.contact.user for b in registrar.bindings(AOR, 150.0)] == ["b"]
    assert [binding.contact.user for _, binding in registrar.expire(100.0)] == ["a"]
    assert registrar.deadline() == 200.0
    assert [(aor, binding.contact.user) for aor, binding in registrar.expire(200.0)] == [(AOR, "b")]
    assert registrar.deadline() is None


def test_what_expired_unnoticed_is_told_by_the_next_register() -> None:
    registrar = Registrar()
    register(registrar, "<sip:a@h>;expires=100")
    done = register(registrar, "<sip:b@h>", number=2, now=150.0)
    assert [(change.kind, change.binding.contact.user) for change in done.changes] == [
        ("removed", "a"),
        ("added", "b"),
    ]


def test_a_lost_connection_takes_its_bindings() -> None:
    registrar = Registrar()
    other = Flow("tcp", ("192.0.2.1", 5060), ("203.0.113.6", 31000), 7)
    register(registrar, "<sip:a@h>")
    register(registrar, "<sip:b@h>", flow=other, call_id="d")
    assert [binding.contact.user for _, binding in registrar.flow_failed(other)] == ["b"]
    assert [binding.contact.user for binding in registrar.bindings(AOR, 0.0)] == ["a"]


STEPS = st.tuples(st.sampled_from("abc"), st.sampled_from([0, 60, 90, 600]), st.integers(0, 100))


@given(st.lists(STEPS, max_size=25))
def test_against_a_model(steps: list[tuple[str, int, int]]) -> None:
    registrar = Registrar()
    model: dict[str, float] = {}
    now = 0.0
    for number, (user, expires_s, wait_s) in enumerate(steps, 1):
        now += wait_s
        lost = {binding.contact.user for _, binding in registrar.expire(now)}
        assert lost == {name for name, when in model.items() if when <= now}
        model = {name: when for name, when in model.items() if when > now}
        done = register(registrar, f"<sip:{user}@h>;expires={expires_s}", number=number, now=now)
        model.pop(user, None)
        if expires_s:
            model[user] = now + expires_s
        assert {str(b.contact.user): b.expires_at for b in done.bindings} == model
        deadline = registrar.deadline()
        assert not model or (deadline is not None and deadline <= min(model.values()))
