"""The switch is killed in the middle of calls: a second one, with what the first has kept, goes on with the
conversations and ends all other calls at their phones. The phones and the media worker are the same."""

from __future__ import annotations

import base64

import msgspec
import pytest
from msgspec.structs import replace

from acd import messages as acd
from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.call import Stage
from softswitch.call.following import follow
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Target
from softswitch.call.taking_over import LastRun, going_on
from softswitch.call.tape import TapingCare
from softswitch.sdp.crypto import SUITES
from softswitch.sdp.webrtc import LocalBrowser, PeerBrowser
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.registrar import Binding, Registrar
from softswitch.sip.uri import Uri
from softswitch.store.open_state import CallState
from tests.softswitch.call import test_callbacks
from tests.softswitch.call.test_keeping import agent, talk
from tests.softswitch.call.test_srtp import speaks
from tests.support.centre import SWITCH, Centre, Ended, Worker


def present(first: Centre) -> dict[int, m.Rejoined]:
    return {number: present_on(worker) for number, worker in first.workers.items()}


def present_on(worker: Worker) -> m.Rejoined:
    remotes = [remote for leg, remote in worker.remotes.items() if leg in worker.live]
    keys = {one.leg: one.srtp for one in remotes if one.srtp is not None}
    ice = {one.leg: one.browser.ice for one in remotes if one.browser is not None}
    return m.Rejoined(tuple(worker.live), tuple(worker.recordings), keys, ice)


def killed(first: Centre, down_s: float = 5.0, *, dies: bool = False, **options: object) -> Centre:
    """The second switch: phones and workers are those of the first, which is no more. `dies`: it is killed
    before it leads anybody on."""
    second = Centre(token="again", **options)  # type: ignore[arg-type]
    second.now = first.now + down_s
    second.workers, second.phones, second._by_address = first.workers, first.phones, first._by_address
    second.log, second.records, second.opened = first.log, first.records, first.opened
    second.kept_calls, second.kept, second.tapes = first.kept_calls, first.kept, first.tapes
    for phone in second.phones.values():
        phone.centre = second
    for number in second.workers.keys() - {1}:
        second._carry_out(second.switch.worker_ready(number, second.now))
    found = present(first)
    alive = going_on(first.kept_calls.values(), found)
    agents = [snapshot for snapshot in first.kept.values() if snapshot is not None]
    last = LastRun(tuple(first.kept_calls.values()), alive, found, first.now)
    for name, guests in alive.items():  # as the store does it
        state = CallState.of(event for event in first.log if event.call == name)
        second.log += [*state.ringing_no_more(name, first.now), *state.leaving(name, first.now, guests)]
    second._carry_out(second.switch.restore(agents, first.kept_phones.items(), second.now, (), last))
    second.messages, second.mailed = first.messages, first.mailed
    adopt(second)
    if dies:
        return second
    second._carry_out(second.switch.lead_on(second.now))
    second.settle()
    return second


def adopt(second: Centre) -> None:
    """As the store does it: a message that was cut off is one, a greeting that nobody has approved of is
    none."""
    for name, message in list(second.messages.items()):
        if message.state == "recording":
            second.messages[name] = replace(message, state="new", length_s=second.now - message.at)
        elif message.state == "draft":
            del second.messages[name]
    second._carry_out(second.switch.restore_messages(second.messages.values(), second.now))


@pytest.fixture
def first() -> Centre:
    """Caller 300 talks with agent 201."""
    centre = Centre(queue={"wrapup_s": 30.0})
    centre.log_in("201")
    talk(centre, "300", "201")
    centre.advance(10)
    return centre


def test_the_agent_hangs_up_after_it(first: Centre) -> None:
    before = agent(first, "agent201")
    second = killed(first, queue={"wrapup_s": 30.0})
    call = second.call
    assert (call.stage, call.agent, agent(second, "agent201").state) == (Stage.TALK, "agent201", "talking")
    assert agent(second, "agent201").since == before.since
    second.advance(5)
    second.phones["201"].hang_up(second.phones["201"].legs[-1])
    second.settle()
    assert second.phones["300"].of(Ended), "the caller is told"
    second.advance(4)
    record = second.records[call.id]
    assert (record.disposition, record.ended_by) == (Disposition.ANSWERED, "agent")
    assert record.talk_s == pytest.approx(20.0, abs=0.1)
    assert [leg.role for leg in record.legs] == ["caller", "agent"]
    assert all(leg.quality is not None and leg.ended_at is not None for leg in record.legs)
    kinds = [event.kind for event in second.log if event.call == call.id]
    assert kinds.count(Kind.CONNECT) == kinds.count(Kind.COMPLETEAGENT) == kinds.count(Kind.CALL_END) == 1
    assert agent(second, "agent201").state == "wrap-up" and not second.kept_calls
    assert not second.workers[1].live, "both legs were given back"
    talked = next(event for event in second.log if event.kind is Kind.COMPLETEAGENT)
    assert talked.data["talk_s"] == pytest.approx(20.0, abs=0.1)


def test_the_caller_hangs_up_and_the_next_one_comes(first: Centre) -> None:
    second = killed(first)
    old = set(second.workers[1].live)
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.settle()
    assert second.phones["201"].of(Ended)
    second.advance(40)
    talk(second, "301", "201")
    assert second.call.agent == "agent201"
    assert not old & {second.call.leg.id, second.call.partner.id if second.call.partner else 0}


def test_a_supervisor_can_listen_after_it(first: Centre) -> None:
    second = killed(first)
    boss = second.phones["302"]
    boss.on_incoming = boss.answer
    assert second.switch.desk.supervision.host("201") is second.call, "by the code and the agent's extension"
    second._carry_out(second.switch.supervise(second.call.id, "listen", "302", "lea", second.now))
    second.settle()
    assert sorted(join.heard_by is None for join in second.workers[1].rooms.values()) == [False, True, True]
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(5)
    assert not second.workers[1].live and not second.switch.calls


def test_killed_while_a_supervisor_listens_to_a_talk_on_hold(first: Centre) -> None:
    """Who is on hold is muted in the room of the talk, and so he is in the one that takes its place."""
    boss, phone, call = first.phones["302"], first.phones["201"], first.call
    partner = call.partner
    boss.on_incoming = boss.answer
    first._carry_out(first.switch.supervise(call.id, "listen", "302", "lea", first.now))
    first.settle()
    phone.hold(phone.legs[-1])
    first.settle()
    assert partner is not None and first.workers[1].rooms[partner.id].muted
    second = killed(first)
    assert not boss.of(Ended) and second.workers[1].rooms[partner.id].muted
    call = second.switch.calls[call.id]
    assert second.heard_names(call) == ["music"]
    phone.hold(phone.legs[-1], held=False)
    second.settle()
    assert not any(join.muted for join in second.workers[1].rooms.values()) and second.heard(call) is None
    assert second.workers[1].bridges[-1] == (call.leg.id, partner.id)


def test_hold_and_resume_after_it(first: Centre) -> None:
    """The next description that we send has the next version; music plays; the time on hold is told."""
    second = killed(first)
    call, phone = second.call, second.phones["201"]
    assert call.partner is not None and call.partner.audio is not None and call.partner.audio.sent is not None
    version = int(call.partner.audio.sent.origin.version)
    phone.hold(phone.legs[-1])
    second.settle()
    assert call.held == {call.partner.id} and second.heard(call) is not None
    assert int(call.partner.audio.sent.origin.version) == version + 1
    second.advance(7)
    phone.hold(phone.legs[-1], held=False)
    second.settle()
    assert not call.held
    phone.hang_up(phone.legs[-1])
    second.advance(4)
    assert second.records[call.id].hold_s == pytest.approx(7.0, abs=0.1)


def test_killed_while_on_hold(first: Centre) -> None:
    phone = first.phones["201"]
    phone.hold(phone.legs[-1])
    first.settle()
    first.advance(3)
    second = killed(first)
    assert agent(second, "agent201").state == "talking" and second.call.held
    second.advance(4)
    phone.hold(phone.legs[-1], held=False)
    second.settle()
    phone.hang_up(phone.legs[-1])
    second.advance(4)
    (record,) = second.records.values()
    assert record.hold_s == pytest.approx(12.0, abs=0.1)
    kinds = [event.kind for event in second.log]
    assert kinds.count(Kind.HOLD) == kinds.count(Kind.UNHOLD) == 1


def test_killed_twice(first: Centre) -> None:
    second = killed(killed(first))
    second.phones["201"].hang_up(second.phones["201"].legs[-1])
    second.advance(4)
    (record,) = second.records.values()
    assert record.talk_s == pytest.approx(20.0, abs=0.1)


def test_a_talk_whose_worker_died_too_is_ended_at_both_phones(first: Centre) -> None:
    first.workers[1].live.clear()
    second = killed(first)
    assert not second.switch.calls and not second.kept_calls
    assert second.phones["300"].of(Ended) and second.phones["201"].of(Ended)
    assert agent(second, "agent201").state == "wrap-up", "as after any talk"


def test_a_pause_that_waits_for_the_end_of_the_talk(first: Centre) -> None:
    first.command(acd.Pause("agent201", "lunch"))
    second = killed(first)
    assert agent(second, "agent201").state == "talking"
    second.phones["201"].hang_up(second.phones["201"].legs[-1])
    second.advance(40)
    assert (agent(second, "agent201").state, agent(second, "agent201").reason) == ("paused", "lunch")


def test_a_log_out_that_waits_for_the_end_of_the_talk(first: Centre) -> None:
    first.command(acd.LogOut("agent201"))
    second = killed(first)
    assert agent(second, "agent201").reason == "log-out asked"
    second.phones["201"].hang_up(second.phones["201"].legs[-1])
    second.settle()
    assert agent(second, "agent201").state == "logged out" and second.kept["agent201"] is None


def test_phones_that_talk_directly() -> None:
    """No queue is in it; the agent at one of them is in a call of his own, before and after."""
    routes = {"201": Target("extension", "201"), "601": Target("queue", "sales")}
    first = Centre(routes=routes)
    first.log_in("201")
    first.phones["300"].call("201")
    first.settle()
    phone = first.phones["201"]
    phone.answer(phone.legs[-1])
    first.settle()
    first.advance(3)
    assert agent(first, "agent201").state == "own call"
    second = killed(first, routes=routes)
    assert agent(second, "agent201").state == "own call" and second.call.agent == ""
    phone.hang_up(phone.legs[-1])
    second.advance(4)
    (record,) = second.records.values()
    assert record.talk_s == pytest.approx(8.0, abs=0.1) and record.agent == "201"
    assert agent(second, "agent201").state == "ready"


def test_who_was_not_answered_yet_is_told_and_the_phone_that_he_calls_rings_no_more() -> None:
    first = Centre(routes={"302": Target("extension", "302")})
    caller, called = first.phones["300"], first.phones["302"]
    called.on_incoming = called.ring
    caller.call("302")
    first.settle()
    second = killed(first)
    (refused,), (stopped,) = caller.of(Ended), called.of(Ended)
    assert isinstance(refused, Ended) and refused.status == 503
    assert refused.reason == "The Switch Was Restarted"
    assert isinstance(stopped, Ended) and not second.switch.calls and not second.kept_calls
    assert not second.workers[1].live
    second.advance(40)
    assert not second.switch.hub.ua.ep.dialogs
    caller.call("302")
    second.settle()
    assert second.call.stage is Stage.SETUP, "the next call is a call like any other"


def test_who_was_not_answered_and_called_over_tcp_is_told_where_he_listens() -> None:
    """RFC 3261 18.2.2: the connection of his INVITE is gone, so it is the port of his Via."""
    first = Centre(routes={"302": Target("extension", "302")})
    caller = first.phones["300"]
    first.phones["302"].on_incoming = first.phones["302"].ring
    caller.call("302")
    first.settle()
    leg = first.call.leg
    leg.flow = Flow("tcp", SWITCH, ("10.0.1.3", 49152), 7)
    leg.invite.uri = replace(leg.invite.uri, password="s3cret")
    via = leg.invite.headers.get("Via")
    assert via is not None
    leg.invite.headers.set("Via", via.replace("SIP/2.0/UDP", "SIP/2.0/TCP"))
    first.switch.hub.keep(first.call)
    first._carry_out(first.switch.handle_timer(first.now))
    (kept,) = first.kept_calls.values()
    assert kept.unanswered is not None and "s3cret" not in msgspec.json.encode(kept).decode()
    killed(first)
    (told,) = caller.of(Ended)
    assert isinstance(told, Ended) and told.status == 503


def test_who_is_called_back_rings_no_more_and_the_agent_who_waits_for_him_is_told() -> None:
    first = test_callbacks.centre()
    test_callbacks.promised(first)
    first.advance(100)
    first.log_in("201")
    waits, called = first.phones["201"], first.phones["300"]
    waits.ring(waits.legs[-1])
    waits.answer(waits.legs[-1])
    first.settle()
    called.ring(called.legs[-1])
    first.settle()
    second = killed(first)
    assert waits.of(Ended) and called.of(Ended) and not second.switch.calls
    assert not second.workers[1].live


def test_a_recording_goes_on_and_is_one_file() -> None:
    first = Centre(more={"recordings": "/recordings"})
    first.log_in("201")
    talk(first, "300", "201")
    name = first.call.id
    first._carry_out(first.switch.record(name, "start", "maria", first.now))
    first._carry_out(first.switch.record(name, "pause", "maria", first.now))
    second = killed(first)
    assert second.call.taping is not None and second.call.taping.state == "paused"
    second._carry_out(second.switch.record(name, "resume", "maria", second.now))
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(4)
    assert second.records[name].recording == f"/recordings/1970/01/12/{name}.wav"
    assert [tape.state for tape in second.tapes.values()] == ["waiting"]
    assert not second.workers[1].paused


def test_a_recording_that_has_ended_meanwhile() -> None:
    """The disk was full, and there was nobody whom the worker could have told."""
    first = Centre()
    first.log_in("201")
    talk(first, "300", "201")
    name = first.call.id
    first._carry_out(first.switch.record(name, "start", "maria", first.now))
    first.workers[1].recordings.clear()
    second = killed(first)
    assert second.call.taping is not None and second.call.taping.state == ""
    assert [tape.state for tape in second.tapes.values()] == ["waiting"] and second.taped == [name]
    second._carry_out(second.switch.record(name, "start", "maria", second.now))
    assert len(second.workers[1].recordings) == 1
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(4)
    assert name in second.records and {tape.state for tape in second.tapes.values()} == {"waiting"}


def test_killed_while_a_recording_is_announced() -> None:
    """It is announced anew; a talk that must be recorded is."""
    options = {
        "care": QueueCare(("/music.wav",), record="always"),
        "more": {"taping": TapingCare(announce=(Prompt(text="announcement"),))},
    }
    first = Centre(**options)  # type: ignore[arg-type]
    first.log_in("201")
    talk(first, "300", "201")
    assert first.heard_names(first.call) == ["announcement"] and not first.workers[1].recordings
    second = killed(first, **options)
    assert second.heard_names(second.call) == ["announcement"]
    second.play_out(second.call)
    assert len(second.workers[1].recordings) == 1


def test_what_cannot_be_read_stops_nothing(first: Centre) -> None:
    (name,) = first.kept_calls
    kept = first.kept_calls[name]
    dialog = replace(kept.caller.dialog, remote="<<")
    first.kept_calls["broken"] = replace(
        kept, id="broken", caller=replace(kept.caller, dialog=dialog), talk=None
    )
    second = killed(first)
    assert set(second.switch.calls) == {name} and set(second.kept_calls) == {name}
    assert any("cannot be read" in warning.text for warning in second.warnings)


def test_requests_of_ours_are_in_sequence(first: Centre) -> None:
    """A probe that was sent after the state was kept has used a number; a BYE must come after it."""
    call = first.call
    assert call.partner is not None and call.partner.dialog is not None
    call.partner.dialog.request("OPTIONS")
    second = killed(first)
    sent = []
    second.lose = lambda data: bool(sent.append(data))
    second._carry_out(second.switch.hang_up(call.id, "maria", second.now))
    second.settle()
    byes = [data for data in sent if data.startswith(b"BYE ")]
    assert len(byes) == 2 and second.phones["201"].of(Ended) and second.phones["300"].of(Ended)


def keys_on_the_worker(centre: Centre) -> list[m.SrtpKeys | None]:
    remotes = centre.workers[1].remotes
    return [remotes[leg].srtp for leg in sorted(centre.workers[1].live)]


@pytest.fixture
def encrypted() -> Centre:
    """Both legs of a talk are encrypted."""
    centre = Centre(more={"srtp": "required"})
    for number in ("201", "300"):
        speaks(centre, number, "required")
    centre.log_in("201")
    talk(centre, "300", "201")
    centre.advance(10)
    return centre


def test_an_encrypted_talk_goes_on_and_no_key_is_kept(encrypted: Centre) -> None:
    before = keys_on_the_worker(encrypted)
    (kept,) = encrypted.kept_calls.values()
    written = msgspec.json.encode(kept)
    for keys in before:
        assert keys is not None
        for key in (keys.inbound, keys.outbound):
            assert base64.b64encode(key) not in written
    assert b"inline" not in written and b'crypto"' not in written.replace(b'"crypto":[]', b"")
    second = killed(encrypted, more={"srtp": "required"})
    phone = second.phones["201"]
    phone.hold(phone.legs[-1])
    second.settle()
    assert second.call.held and keys_on_the_worker(second) == before, "a hold changes no key"
    phone.hold(phone.legs[-1], held=False)
    second.settle()
    speaks(second, "300", "required")
    caller = second.phones["300"]
    caller.hold(caller.legs[-1])
    second.settle()
    after = keys_on_the_worker(second)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
    assert after[0] is not None and after[0].inbound == caller.crypto[0].key
    phone.hang_up(phone.legs[-1])
    second.advance(4)
    (record,) = second.records.values()
    assert [leg.srtp for leg in record.legs] == [SUITES[0]] * 2 and not second.switch.calls


def test_a_phone_may_begin_to_encrypt_after_it() -> None:
    """What may be encrypted still may."""
    first = Centre(more={"srtp": "allowed"})
    first.log_in("201")
    talk(first, "300", "201")
    assert first.call.partner is not None and first.call.partner.audio is not None
    second = killed(first, more={"srtp": "allowed"})
    speaks(second, "300", "required")
    caller = second.phones["300"]
    caller.hold(caller.legs[-1])
    second.settle()
    (keys, other) = keys_on_the_worker(second)
    assert keys is not None and keys.inbound == caller.crypto[0].key and other is None


def test_a_caller_who_waits_encrypted_waits_on() -> None:
    first = Centre(more={"srtp": "required"})
    speaks(first, "300", "required")
    first.phones["300"].call("601")
    first.settle()
    before = keys_on_the_worker(first)
    second = killed(first, more={"srtp": "required"})
    agreed = second.call.leg.audio.agreed if second.call.leg.audio is not None else None
    assert second.call.stage is Stage.QUEUE and keys_on_the_worker(second) == before
    assert agreed is not None and agreed.srtp is not None and agreed.srtp.suite == SUITES[0]


def test_an_encrypted_talk_whose_keys_nobody_has_is_ended(encrypted: Centre) -> None:
    for remote in tuple(encrypted.workers[1].remotes):
        encrypted.workers[1].remotes[remote] = replace(encrypted.workers[1].remotes[remote], srtp=None)
    second = killed(encrypted, more={"srtp": "required"})
    assert not second.switch.calls and second.phones["300"].of(Ended) and second.phones["201"].of(Ended)


def browser(centre: Centre) -> m.IceCredentials:
    """The caller's leg becomes that of a browser."""
    audio, ice = centre.call.leg.audio, m.IceCredentials("name", "password-of-ice")
    assert (
        audio is not None and audio.local is not None and audio.sent is not None and audio.agreed is not None
    )
    audio.ice = ice
    audio.local = replace(audio.local, browser=LocalBrowser(ice.ufrag, ice.password, "sha-256 AA", False))
    audio.agreed = replace(audio.agreed, browser=PeerBrowser("his", "sha-256 BB", False))
    password = ("ice-pwd", ice.password)
    media = tuple(replace(one, attributes=(*one.attributes, password)) for one in audio.sent.media)
    audio.sent = replace(audio.sent, media=media)
    centre.switch.hub.keep(centre.call)
    centre._carry_out(centre.switch.handle_timer(centre.now))
    return ice


def test_a_talk_with_a_browser_goes_on_and_its_password_is_not_kept(first: Centre) -> None:
    ice = browser(first)
    (kept,) = first.kept_calls.values()
    assert kept.talk is not None and b"password-of-ice" not in msgspec.json.encode(kept)
    leg = first.call.leg.id
    settled = m.Browser(ice, "sha-256 BB")
    first.workers[1].remotes[leg] = replace(first.workers[1].remotes[leg], browser=settled)
    second = killed(first)
    audio = second.call.leg.audio
    assert audio is not None and audio.local is not None and audio.ice == ice
    assert audio.local.browser == LocalBrowser(ice.ufrag, ice.password, "sha-256 AA", False)


def test_a_browser_of_whom_its_worker_knows_nothing_is_told(first: Centre) -> None:
    browser(first)
    second = killed(first)
    assert second.phones["300"].of(Ended) and not second.switch.calls


# ----- connections


def by_connection(centre: Centre, *, contact: str = "10.0.1.3") -> Flow:
    """The caller has called over TCP, from a port on which he does not listen."""
    leg = centre.call.leg
    leg.flow = Flow("tcp", SWITCH, ("10.0.1.3", 40000), 7)
    assert leg.dialog is not None
    leg.dialog.remote_target = replace(leg.dialog.remote_target, host=contact)
    centre.switch.hub.keep(centre.call)
    centre._carry_out(centre.switch.handle_timer(centre.now))
    return Flow("tcp", SWITCH, ("10.0.1.3", 40001), 3)


def registered(centre: Centre, number: str, flow: Flow, *contacts: str) -> None:
    """The extension has registered by this connection."""
    bindings = [
        Binding(uri, flow, centre.now + 300, 1.0, f"r{uri.host}", 1, NameAddr(uri))
        for uri in (Uri("sip", number, None, host, 5060) for host in contacts)
    ]
    centre.switch.hub.identities.registrar.restore({number: tuple(bindings)}, centre.now)
    follow(centre.switch.hub, number, flow, centre.now)


@pytest.mark.parametrize(
    ("number", "contacts", "follows"),
    [
        ("300", ("10.0.1.3",), True),
        ("300", ("behind-nat.invalid",), True),  # his only phone
        ("300", ("10.0.1.3", "other.invalid"), True),
        ("300", ("one.invalid", "other.invalid"), False),  # which of them?
        ("301", ("10.0.1.3",), False),  # somebody else
    ],
)
def test_a_phone_is_reached_by_the_connection_of_its_next_registration(
    number: str, contacts: tuple[str, ...], follows: bool
) -> None:
    first = Centre(callers=("300", "301"))
    first.log_in("201")
    talk(first, "300", "201")
    next_one = by_connection(first)
    second = killed(first, callers=("300", "301"))
    leg = second.call.leg
    assert leg.flow == Flow("tcp", SWITCH, ("10.0.1.3", 5060)), "where he says that he listens, till then"
    second.switch.hub.identities.registrar = Registrar()
    registered(second, number, next_one, *contacts)
    assert (leg.flow == next_one) is follows
    assert bool(second.switch.hub.ua.ep.stranded) is not follows
    second._carry_out(second.switch.hang_up(second.call.id, "maria", second.now))
    assert not second.switch.hub.ua.ep.stranded


@pytest.mark.parametrize("first_called", ["agent", "caller"])
def test_a_talk_with_one_who_was_called_back_goes_on(first_called: test_callbacks.First) -> None:
    first = test_callbacks.centre(first_called)
    asked = test_callbacks.promised(first)
    first.log_in("201")
    if first_called == "caller":
        first.phones["300"].answer(first.phones["300"].legs[-1])
        first.settle()
    for number in ("201", "300")[: 2 if first_called == "agent" else 1]:
        first.phones[number].answer(first.phones[number].legs[-1])
        first.settle()
    assert first.call.stage is Stage.TALK
    first.advance(10)
    second = killed(first)
    call = second.call
    assert (call.stage, call.agent) == (Stage.TALK, "agent201")
    second.advance(5)
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(30)
    record = second.records[call.id]
    assert (record.direction, record.callback_of, record.ended_by) == ("outbound", asked.id, "caller")
    assert record.talk_s == pytest.approx(20.0, abs=0.1) and record.disposition is Disposition.ANSWERED
    assert not second.kept_calls and not second.errands
    second.check_empty()
