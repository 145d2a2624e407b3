"""Message waiting: subscriptions and their ends, unasked notifications, and what hostile phones may do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.call.mwi import MAX_A_PHONE
from softswitch.call.voicemail_box import Box, Message, VoicemailCare
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.message import Request, Response
from softswitch.sip.parser import parse
from softswitch.sip.registrar import Binding
from softswitch.sip.uri import Uri
from tests.support.centre import SWITCH, Centre

ANNA = Box("anna", ("300",))


class Subscriber:
    """A phone by hand, at the address of 300: sends raw SUBSCRIBEs, answers each NOTIFY as it is told."""

    def __init__(self, here: Centre, answer: int | None = 200) -> None:
        self.here = here
        self.answer = answer
        self.address = here.phones["300"].address
        self.responses: list[Response] = []
        self.notified: list[Request] = []
        self.cseq = 0
        here.phones["300"].receive = self.receive  # type: ignore[method-assign]

    def receive(self, data: bytes) -> None:
        message = parse(data)
        if isinstance(message, Response):
            self.responses.append(message)
        elif message.method == "NOTIFY":
            self.notified.append(message)
            if self.answer is not None:
                response = Response.answering(message, self.answer)
                self.here.wire.append((self.address, SWITCH, response.serialise()))

    def subscribe(
        self,
        *,
        user: str = "300",
        number: str = "300",
        expires: int | None = 600,
        event: str = "message-summary",
        call: str = "sub1",
        tag: str = "",
        more: tuple[str, ...] = (),
    ) -> Response:
        self.cseq += 1
        host, port = self.address
        to = f"<sip:{user}@10.0.0.1>" + (f";tag={tag}" if tag else "")
        lines = [
            f"SUBSCRIBE sip:{user}@10.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call}{self.cseq}",
            "Max-Forwards: 70",
            f"From: <sip:{number}@10.0.0.1>;tag=me",
            f"To: {to}",
            f"Call-ID: {call}",
            f"CSeq: {self.cseq} SUBSCRIBE",
            f"Contact: <sip:{number}@{host}:{port}>",
            f"Event: {event}",
            *([f"Expires: {expires}"] if expires is not None else []),
            *more,
            "Content-Length: 0",
        ]
        self.here.wire.append((self.address, SWITCH, ("\r\n".join(lines) + "\r\n\r\n").encode()))
        self.here.settle()
        return self.responses[-1]


def centre(**voicemail: Any) -> Centre:
    boxes = {"anna": ANNA, "sales": Box("sales", ("300", "301"))}
    return Centre(more={"mailboxes": boxes, "voicemail": VoicemailCare("/vm", **voicemail)})


def arrive(here: Centre, box: str = "anna", name: str = "m1") -> Message:
    """A message comes into the mailbox."""
    message = Message(id=name, mailbox=box, state="new", at=here.now, file=f"/vm/{box}/{name}.wav")
    messages = here.switch.mailboxes
    messages._put(message)
    messages._ready(message, here.now)
    here._carry_out(here.switch.handle_timer(here.now))
    here.settle()
    return message


def body(request: Request) -> str:
    return request.body.decode()


def test_a_subscription_is_told_at_once_and_at_every_change() -> None:
    here = centre()
    phone = Subscriber(here)
    accepted = phone.subscribe()
    assert (accepted.status, accepted.headers.get("Expires")) == (200, "600")
    (first,) = phone.notified
    assert body(first) == (
        "Messages-Waiting: no\r\nMessage-Account: sip:300@10.0.0.1\r\nVoice-Message: 0/0 (0/0)\r\n"
    )
    assert first.headers.get("Event") == "message-summary"
    assert first.headers.get("Subscription-State") == "active;expires=600"
    assert first.content_type == "application/simple-message-summary"
    assert first.call_id == "sub1" and first.to.tag == "me" and first.from_.tag == accepted.to.tag
    message = arrive(here)
    assert body(phone.notified[-1]).startswith("Messages-Waiting: yes")
    assert "Voice-Message: 1/0 (0/0)" in body(phone.notified[-1])
    here._carry_out(here.switch.mark_message("anna", message.id, "heard", here.now))
    here.settle()
    assert "Voice-Message: 0/1 (0/0)" in body(phone.notified[-1])
    numbers = [request.cseq.number for request in phone.notified]
    assert numbers == sorted(set(numbers))
    arrive(here, "sales", "m2")
    assert len(phone.notified) == 3, "of another mailbox it hears nothing"


def test_it_is_refreshed_and_ended() -> None:
    here = centre()
    phone = Subscriber(here)
    tag = phone.subscribe(expires=600).to.tag or ""
    here.advance(400)
    assert phone.subscribe(tag=tag, expires=600).status == 200
    here.advance(400)
    assert len(here.switch.desk.voicemail.mwi) == 1
    assert phone.subscribe(tag=tag, expires=0).status == 200
    assert (phone.notified[-1].headers.get("Subscription-State") or "").startswith("terminated")
    assert not len(here.switch.desk.voicemail.mwi)
    assert phone.subscribe(tag=tag, expires=600).status == 481


def test_it_expires() -> None:
    here = centre()
    phone = Subscriber(here)
    phone.subscribe(expires=100)
    here.advance(101)
    assert (phone.notified[-1].headers.get("Subscription-State") or "").startswith("terminated")
    assert not len(here.switch.desk.voicemail.mwi)
    arrive(here)
    assert len(phone.notified) == 2


@pytest.mark.parametrize("answer", [481, 489, None])
def test_a_phone_that_does_not_know_it_any_more_loses_it(answer: int | None) -> None:
    here = centre()
    phone = Subscriber(here)
    phone.subscribe(expires=3600)
    phone.answer = answer
    arrive(here)
    here.advance(40)
    assert not len(here.switch.desk.voicemail.mwi)


@pytest.mark.parametrize(
    ("keys", "status", "header"),
    [
        ({"event": "presence"}, 489, ("Allow-Events", "message-summary")),
        ({"expires": 5}, 423, ("Min-Expires", "60")),
        ({"more": ("Accept: application/pidf+xml",)}, 406, ("Accept", "application/simple-message-summary")),
        ({"number": "999"}, 403, ("", "")),
        ({"tag": "nonsense"}, 481, ("", "")),
    ],
)
def test_what_is_refused(keys: dict[str, Any], status: int, header: tuple[str, str]) -> None:
    here = centre()
    phone = Subscriber(here)
    response = phone.subscribe(**keys)
    assert response.status == status
    if header[0]:
        assert response.headers.get(header[0]) == header[1]
    assert not phone.notified and not len(here.switch.desk.voicemail.mwi)


def test_a_phone_without_a_mailbox_is_told_so() -> None:
    here = centre()
    here.switch.hub.settings.mailboxes.clear()  # type: ignore[attr-defined]
    assert Subscriber(here).subscribe().status == 404


def test_a_mailbox_that_is_another_s_is_not_told() -> None:
    here = centre()
    boxes = {"anna": Box("anna", ("301",)), "sales": Box("sales", ("300",))}
    object.__setattr__(here.switch.hub.settings, "mailboxes", boxes)
    phone = Subscriber(here)
    phone.subscribe(user="anna")
    arrive(here, "anna")
    assert len(phone.notified) == 1, "it was given its own"


def test_subscriptions_of_a_phone_are_bounded() -> None:
    here = centre()
    phone = Subscriber(here)
    for number in range(MAX_A_PHONE + 5):
        phone.subscribe(call=f"sub{number}")
    assert len(here.switch.desk.voicemail.mwi) == MAX_A_PHONE


def test_refreshing_and_beginning_anew_for_ever_leaves_no_timers_behind() -> None:
    here = centre()
    phone = Subscriber(here)
    for number in range(200):
        answer = phone.subscribe(call=f"sub{number}", expires=86_400)
        phone.subscribe(call=f"sub{number}", tag=answer.to.tag or "", expires=86_400 - number)
    here.advance(60)
    assert len(here.switch.hub._timers) < 10
    here.advance(86_400)
    assert not len(here.switch.desk.voicemail.mwi)
    assert not here.switch.hub._timers


def test_registered_phones_are_told_unasked() -> None:
    here = centre(unasked=True)
    phone = Subscriber(here)
    host, port = phone.address
    flow = Flow("udp", SWITCH, phone.address)
    contact = Uri("sip", "300", None, host, port)
    binding = Binding(contact, flow, here.now + 600, 1.0, "x", 1, NameAddr(contact))
    here.switch.hub.identities.registrar.restore({"300": (binding,)}, here.now)
    arrive(here)
    (notified,) = phone.notified
    assert notified.uri == contact and "Voice-Message: 1/0" in body(notified)
    assert notified.headers.get("Subscription-State") == "terminated"
    here.advance(601)
    arrive(here, name="m2")
    assert len(phone.notified) == 1, "it is not registered any more"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["300", "anna", "*98", "999", "'; drop"]),
            st.sampled_from([None, 0, 1, 60, 10**9]),
            st.sampled_from(["message-summary", "Message-Summary;id=1", "", "x" * 300]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_is_sent_nothing_escapes(tries: list[tuple[str, int | None, str, bool]]) -> None:
    here = centre()
    phone = Subscriber(here)
    tag = ""
    for number, (user, expires, event, inside) in enumerate(tries):
        if not user.isprintable() or " " in user:
            user = "300"
        answer = phone.subscribe(
            user=user, expires=expires, event=event, call=f"c{number % 3}", tag=tag if inside else ""
        )
        tag = answer.to.tag or tag
        assert 200 <= answer.status < 500 or answer.status == 500
    assert not [warning for warning in here.warnings if "defect" in warning.text]
    here.advance(90_000)
    assert not len(here.switch.desk.voicemail.mwi)


def reload(here: Centre, boxes: dict[str, Box]) -> None:
    """Other mailboxes; all else as it was."""
    settings = replace(here.switch.hub.settings, mailboxes=boxes)
    effects = here.switch.reload(settings, {}, lambda now: [], "root", here.now)
    here._carry_out(effects)
    here.settle()


@pytest.mark.parametrize(
    ("boxes", "reason"), [({}, "noresource"), ({"anna": Box("anna", ("301",))}, "rejected")]
)
def test_who_may_not_listen_any_more_is_told_nothing_further(boxes: dict[str, Box], reason: str) -> None:
    here = centre()
    phone = Subscriber(here)
    phone.subscribe()
    arrive(here)
    reload(here, boxes)
    last = phone.notified[-1]
    assert last.headers.get("Subscription-State") == f"terminated;reason={reason}"
    assert body(last).startswith("Messages-Waiting: no") and len(here.switch.desk.voicemail.mwi) == 0
    told = len(phone.notified)
    arrive(here, name="m2")
    assert len(phone.notified) == told
    refused = phone.subscribe(tag=NameAddr.parse(last.headers.get("From") or "").tag or "")
    assert refused.status == 481


def test_a_reload_leaves_subscriptions_whose_mailbox_stays() -> None:
    here = centre()
    phone = Subscriber(here)
    phone.subscribe()
    told = len(phone.notified)
    reload(here, {"anna": Box("anna", ("300", "301"), pin="1234")})
    assert len(phone.notified) == told and len(here.switch.desk.voicemail.mwi) == 1


def test_a_registered_phone_is_told_of_the_mailbox_that_a_reload_gives_or_takes() -> None:
    here = centre(unasked=True)
    phone = Subscriber(here)
    here.switch.hub.settings = replace(here.switch.hub.settings, mailboxes={})
    flow = Flow("udp", ("10.0.0.1", 5060), phone.address)
    contact = Uri("sip", "300", None, *phone.address)
    binding = Binding(contact, flow, here.now + 600, 1.0, "x", 1, NameAddr(contact))
    here.switch.hub.identities.registrar.restore({"300": (binding,)}, here.now)
    reload(here, {"anna": ANNA})
    arrive(here)
    reload(here, {})
    assert [body(one).partition("\r\n")[0] for one in phone.notified] == [
        "Messages-Waiting: no",
        "Messages-Waiting: yes",
        "Messages-Waiting: no",
    ]
